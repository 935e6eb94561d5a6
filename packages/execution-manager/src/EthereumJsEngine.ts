/** The first engine: `@ethereumjs/evm`, in JavaScript, at the Cancun hardfork. */
import { Common, Hardfork, Mainnet, type StateManagerInterface } from "@ethereumjs/common"
import {
  createEVM,
  type EVM,
  EVMError,
  type EVMResult,
  type Message,
  type PrecompileInput,
  paramsEVM
} from "@ethereumjs/evm"
import { createAddressFromString } from "@ethereumjs/util"
import { Effect, Layer } from "effect"
import { bytesToHex } from "viem"
import type { Address, Hash32 } from "@ovm/protocol/Primitives"
import {
  Engine,
  EngineFault,
  type EngineHost,
  type EngineListener,
  type EngineLog,
  type EngineOutcome,
  type EngineRun
} from "./Engine.ts"
import { memoiseCodeAnalysis } from "./internal/CodeAnalysis.ts"
import { ecrecover } from "./internal/Crypto.ts"
import { NativeWorld } from "./internal/NativeWorld.ts"
import { kzg } from "./Kzg.ts"

/** Room for the four native frames that a creation takes, 1,025 times nested, and the manager's own. */
const NATIVE_DEPTH_MAX = 4200
const PRECOMPILES = Array.from({ length: 10 }, (_, index) =>
  (index + 1).toString(16).padStart(40, "0")
)

const emptyHost = (served: Address): EngineHost => ({
  served,
  codeAt: () => undefined,
  serve: async () => new Uint8Array(0),
  checkpoint: () => {},
  commit: () => {},
  revert: () => {}
})

/** A fork that never changes: the EVM asks twice in every step which EIPs are active. */
class FixedFork extends Common {
  readonly #active = new Map<number, boolean>()

  override isActivatedEIP(eip: number): boolean {
    // The base constructor asks before this class has its fields.
    if (!(#active in this)) return super.isActivatedEIP(eip)
    let active = this.#active.get(eip)
    if (active === undefined) {
      active = super.isActivatedEIP(eip)
      this.#active.set(eip, active)
    }
    return active
  }
}

/** One EVM and the run it is busy with: the EVM holds per-run state, so it serves one at a time. */
class Machine {
  host: EngineHost
  listener: EngineListener | undefined
  readonly evm: EVM
  readonly #world: { current: StateManagerInterface }

  private constructor(evm: EVM, world: { current: StateManagerInterface }, host: EngineHost) {
    this.evm = evm
    this.#world = world
    this.host = host
  }

  static async create(served: Address, servedGas: bigint): Promise<Machine> {
    const host = emptyHost(served)
    const world: { current: StateManagerInterface } = { current: new NativeWorld(host) }
    let machine: Machine | undefined
    const evm = await createEVM({
      common: new FixedFork({
        chain: Mainnet,
        hardfork: Hardfork.Cancun,
        customCrypto: { ecrecover, kzg },
        params: liftedParams()
      }),
      params: liftedParams(),
      stateManager: forwarding(world),
      customPrecompiles: [
        {
          address: createAddressFromString(served),
          function: async ({ data, gasLimit }: PrecompileInput) => {
            if (gasLimit < servedGas) return outOfGas(gasLimit)
            const served = await machine?.host.serve(data)
            return { executionGasUsed: servedGas, returnValue: served ?? new Uint8Array(0) }
          }
        }
      ]
    })
    machine = new Machine(evm, world, host)
    machine.#listen()
    return machine
  }

  #listen(): void {
    this.evm.events.on("beforeMessage", (message: Message, resolve?: () => void) => {
      this.listener?.onMessage?.({
        kind: message.to === undefined ? "create" : message.delegatecall ? "delegatecall" : "call",
        caller: hexOf(message.caller.bytes),
        to: message.to === undefined ? undefined : hexOf(message.to.bytes),
        codeAddress: message.to === undefined ? undefined : hexOf(message.codeAddress.bytes),
        data: message.data,
        gas: message.gasLimit,
        depth: message.depth
      })
      resolve?.()
    })
    this.evm.events.on("afterMessage", ({ execResult }: EVMResult, resolve?: () => void) => {
      this.listener?.onResult?.({
        success: execResult.exceptionError === undefined,
        returnData: execResult.returnValue,
        gasUsed: execResult.executionGasUsed
      })
      resolve?.()
    })
  }

  async run({ caller, data, gas, host, listener, to, warm }: EngineRun): Promise<EngineOutcome> {
    this.#reset(host, listener)
    for (const address of PRECOMPILES) this.evm.journal.addAlwaysWarmAddress(address)
    for (const address of warm) this.evm.journal.addAlwaysWarmAddress(address.slice(2))
    const { execResult } = await this.evm.runCall({
      caller: createAddressFromString(caller),
      to: createAddressFromString(to),
      data,
      gasLimit: gas,
      skipNonceIncrement: true
    })
    return {
      success: execResult.exceptionError === undefined,
      returnData: execResult.returnValue,
      gasUsed: execResult.executionGasUsed,
      logs: (execResult.logs ?? []).map(toEngineLog)
    }
  }

  async deploy(address: Address, creationCode: Uint8Array): Promise<Uint8Array> {
    this.#reset(emptyHost(this.host.served), undefined)
    const { exceptionError, returnValue } = await this.evm.runCode({
      code: creationCode,
      to: createAddressFromString(address),
      gasLimit: 2n ** 40n
    })
    if (exceptionError !== undefined) throw new Error(exceptionError.error)
    return returnValue
  }

  #reset(host: EngineHost, listener: EngineListener | undefined): void {
    this.host = host
    this.listener = listener
    this.#world.current = new NativeWorld(host)
    this.evm.journal.cleanJournal()
    this.evm.transientStorage.clear()
  }
}

const outOfGas = (gasLimit: bigint) => ({
  executionGasUsed: gasLimit,
  returnValue: new Uint8Array(0),
  exceptionError: new EVMError(EVMError.errorMessages.OUT_OF_GAS)
})

const hexOf = (bytes: Uint8Array): Hash32 => bytesToHex(bytes)

const toEngineLog = ([address, topics, data]: [
  Uint8Array,
  Uint8Array[],
  Uint8Array
]): EngineLog => ({
  address: hexOf(address),
  topics: topics.map(hexOf),
  data
})

/** The virtual depth is the manager's to count; natively a call costs three frames. */
const liftedParams = () => {
  const lifted = structuredClone(paramsEVM)
  for (const params of Object.values(lifted)) {
    if ("stackLimit" in params) params["stackLimit"] = NATIVE_DEPTH_MAX
  }
  return lifted
}

/** The EVM keeps the state manager it was built with; each run brings its own. */
const forwarding = (world: { current: StateManagerInterface }): StateManagerInterface =>
  new Proxy(world.current, {
    get: (_, name) => {
      const value: unknown = Reflect.get(world.current, name, world.current)
      return typeof value === "function" ? value.bind(world.current) : value
    }
  })

export interface EthereumJsEngineOptions {
  /** What a call to the served address uses. In the node it is free: the prices pay for L1's state. */
  readonly servedGas?: bigint
}

/**
 * Runs on as many EVMs as there are runs at once, each kept for the next.
 * @param served The address that hosts answer at.
 */
export const layer = (
  served: Address,
  { servedGas = 0n }: EthereumJsEngineOptions = {}
): Layer.Layer<Engine> =>
  Layer.effect(
    Engine,
    Effect.gen(function* () {
      const idle: Array<Machine> = []
      yield* Effect.promise(memoiseCodeAnalysis)

      const withMachine = <A>(work: (machine: Machine) => Promise<A>) =>
        Effect.tryPromise({
          try: async () => {
            const machine = idle.pop() ?? (await Machine.create(served, servedGas))
            const result = await work(machine)
            // A machine whose run was torn apart by a failure is not used again.
            idle.push(machine)
            return result
          },
          catch: (cause) => new EngineFault({ cause })
        })

      return Engine.of({
        run: Effect.fn("Engine.run")((options: EngineRun) =>
          withMachine((machine) => machine.run(options))
        ),
        deploy: Effect.fn("Engine.deploy")(({ address, creationCode }) =>
          withMachine((machine) => machine.deploy(address, creationCode))
        )
      })
    })
  )
