/** Runs a case in the OVM, with enough gas that its prices decide nothing. */
import * as CodeRegistry from "@ovm/execution-manager/CodeRegistry"
import * as EthereumJsEngine from "@ovm/execution-manager/EthereumJsEngine"
import { ExecutionManager } from "@ovm/execution-manager/ExecutionManager"
import * as Reference from "@ovm/execution-manager/ReferenceExecutionManager"
import type { BlockContext } from "@ovm/protocol/BlockContext"
import type { TransactionResult } from "@ovm/protocol/Execution"
import { HISTORY_SERVE_WINDOW, HISTORY_STORAGE } from "@ovm/protocol/Predeploys"
import { type Address, type Hash32, ZERO_HASH } from "@ovm/protocol/Primitives"
import * as GasSchedule from "@ovm/protocol/generated/GasSchedule"
import type { State } from "@ovm/state-manager/State"
import * as StateManager from "@ovm/state-manager/StateManager"
import { OutputTooLarge, transpile } from "@ovm/transpiler/Transpiler"
import { type Array as Arr, Context, Effect, Either, Layer, type Scope } from "effect"
import { bytesToHex, hexToBytes } from "viem"
import type { OvmMachine } from "./Equivalence.ts"
import { blockHashOf } from "./internal/PlainVm.ts"
import { type Executed, MachineFault, type Outcome } from "./Outcome.ts"
import { type Resupplied, resupply, signTransaction } from "./SignedTransaction.ts"
import type { CaseEnvironment, StateTestCase } from "./StateTestFixture.ts"
import { type AccountState, accountOf, isEmpty, type WorldState, word } from "./WorldState.ts"

/** How EVM gas becomes OVM gas in one way to run a case. */
interface Scaling {
  /** OVM gas for one unit that a call asks for. */
  readonly callGas: bigint
  /** OVM gas for one unit that the transaction has. */
  readonly supply: bigint
}

/**
 * An operation costs between once and some thousand times its EVM price, so no one scale keeps every
 * number written into code what it was: most cases fit the first, some another. The first supply is
 * modest, for the sake of code that runs until its gas is gone, as it would with any supply.
 */
const SCALINGS: Arr.NonEmptyReadonlyArray<Scaling> = [
  { callGas: 64n, supply: 1n },
  { callGas: 4096n, supply: 64n },
  { callGas: GasSchedule.CALL_GAS_SCALE, supply: 64n }
]
/** Gas on top, so that a transaction with hardly any EVM gas left can pay OVM prices. */
const GAS_FLOOR = 20_000_000n
/** Beyond this an endless loop would keep the machine for minutes. */
const GAS_CEILING = 2_000_000_000n

/** The OVM as a machine that runs cases. */
export class Ovm extends Context.Tag("@ovm/testing/Ovm")<Ovm, OvmMachine>() {}

const build: Effect.Effect<OvmMachine, never, Scope.Scope> = Effect.gen(function* () {
  const below = yield* Layer.build(
    Layer.mergeAll(
      StateManager.layerMemory,
      EthereumJsEngine.layer(Reference.STATE_MANAGER),
      CodeRegistry.layer
    )
  )
  const states = Context.get(below, StateManager.StateManager)
  const runs = yield* Effect.forEach(SCALINGS, (scaling) =>
    Effect.gen(function* () {
      const options = { callGasScale: scaling.callGas, maxTransactionGas: 2n ** 64n }
      const layer = Reference.layerWith(options).pipe(Layer.provide(Layer.succeedContext(below)))
      const manager = Context.get(yield* Layer.build(Layer.orDie(layer)), ExecutionManager)
      return (stateTest: StateTestCase) => runCase({ scaling, manager, states, stateTest })
    })
  )
  const [run] = runs
  return { run, runs, oversize }
})

/** An OVM for equivalence runs: its caps lifted, its prices as ever. */
export const layer: Layer.Layer<Ovm> = Layer.scoped(Ovm, build)

/** The machine that `layer` built. */
export const make: Effect.Effect<OvmMachine, never, Ovm> = Ovm

const oversize: OvmMachine["oversize"] = ({ code, mode }) =>
  Either.match(transpile({ code, mode }), {
    onLeft: (error) => (error instanceof OutputTooLarge ? error.message : undefined),
    onRight: () => undefined
  })

const runCase = Effect.fn("OvmRun.runCase")(
  function* (options: {
    readonly scaling: Scaling
    readonly manager: typeof ExecutionManager.Service
    readonly states: typeof StateManager.StateManager.Service
    readonly stateTest: StateTestCase
  }) {
    const { manager, scaling, states, stateTest } = options
    const { environment, expectation, transaction } = stateTest
    // The builder of a block refuses this before the manager is asked.
    if (transaction.gasLimit > environment.gasLimit) {
      const reason = `gas limit ${transaction.gasLimit} above the block's ${environment.gasLimit}`
      return { _tag: "Rejected", reason, state: stateTest.pre } satisfies Outcome
    }
    // A transaction that must be refused is sent as it is: more gas might make it valid.
    const supplied: Resupplied =
      expectation?.exception === undefined
        ? resupply(stateTest, ovmGasLimit(transaction.gasLimit, scaling))
        : { pre: stateTest.pre, transaction, topUp: 0n }
    const raw = yield* signTransaction(supplied.transaction, environment)
    const state = yield* states.open(states.emptyRoot)
    yield* Effect.promise(() => install(state, supplied.pre, environment))
    const run = { state, context: contextOf(environment), transaction: hexToBytes(raw) }
    const result = yield* manager.executeTransaction(run).pipe(
      Effect.map(Either.right),
      Effect.catchTag("InvalidTransaction", (error) => Effect.succeed(Either.left(error)))
    )
    const world = yield* Effect.promise(() => dump(state, supplied.pre))
    return Either.match(result, {
      onLeft: ({ message }): Outcome => ({ _tag: "Rejected", reason: message, state: world }),
      onRight: (transactionResult) => executed(environment, supplied, transactionResult, world)
    })
  },
  Effect.mapError((cause) => new MachineFault({ machine: "OVM", cause })),
  Effect.catchAllDefect((cause) => Effect.fail(new MachineFault({ machine: "OVM", cause })))
)

const ovmGasLimit = (limit: bigint, { supply }: Scaling): bigint => {
  const wanted = limit * supply + GAS_FLOOR
  if (wanted <= GAS_CEILING) return wanted
  return limit < GAS_CEILING ? GAS_CEILING : limit
}

const contextOf = (environment: CaseEnvironment): BlockContext => ({
  chainId: environment.chainId,
  number: environment.number,
  timestamp: environment.timestamp,
  gasLimit: environment.gasLimit,
  baseFeePerGas: environment.baseFeePerGas,
  coinbase: environment.coinbase,
  prevRandao: environment.prevRandao,
  blobBaseFee: blobBaseFeeOf(environment.excessBlobGas),
  l1Origin: { number: 0n, hash: ZERO_HASH },
  protocolVersion: GasSchedule.VERSION
})

/** EIP-4844's `fake_exponential`, with Cancun's update fraction. */
const blobBaseFeeOf = (excessBlobGas: bigint): bigint => {
  const denominator = 3_338_477n
  let [sum, term] = [0n, denominator]
  for (let step = 1n; term > 0n; step++) {
    sum += term
    term = (term * excessBlobGas) / (denominator * step)
  }
  return sum / denominator
}

const install = async (
  state: State,
  pre: WorldState,
  { number }: CaseEnvironment
): Promise<void> => {
  for (const [address, account] of pre) {
    await state.setAccount(address, account)
    if (account.code !== "0x") await state.setCode(address, hexToBytes(account.code))
    for (const [slot, value] of account.storage) await state.setStorage(address, slot, value)
  }
  // A nonce, or the account would be empty and its storage gone with it.
  await state.setAccount(HISTORY_STORAGE, { nonce: 1n, balance: 0n })
  for (let past = number > 256n ? number - 256n : 0n; past < number; past++) {
    const slot = word(past % HISTORY_SERVE_WINDOW)
    await state.setStorage(HISTORY_STORAGE, slot, blockHashOf(past))
  }
  state.endTransaction()
}

/** The state after the transaction: what was there before, with what it changed. */
const dump = async (state: State, pre: WorldState): Promise<WorldState> => {
  const { accounts, storage, storageCleared } = state.endTransaction()
  const world = new Map<Address, AccountState>()
  for (const address of new Set([...pre.keys(), ...accounts.keys(), ...storage.keys()])) {
    const before = storageCleared.has(address) ? [] : accountOf(pre, address).storage.keys()
    const slots = new Set<Hash32>([...before, ...(storage.get(address)?.keys() ?? [])])
    const account = await readAccount(state, address, slots)
    if (!isEmpty(account)) world.set(address, account)
  }
  return world
}

const readAccount = async (
  state: State,
  address: Address,
  slots: Iterable<Hash32>
): Promise<AccountState> => {
  const account = await state.getAccount(address)
  const storage = new Map<Hash32, Hash32>()
  for (const slot of slots) {
    const value = await state.getStorage(address, slot)
    if (value !== ZERO_HASH) storage.set(slot, value)
  }
  return {
    nonce: account?.nonce ?? 0n,
    balance: account?.balance ?? 0n,
    code: bytesToHex(await state.getCode(address)),
    storage
  }
}

const executed = (
  { baseFeePerGas }: CaseEnvironment,
  { topUp }: Resupplied,
  result: TransactionResult,
  state: WorldState
): Executed => {
  const { effectiveGasPrice, gasUsed, logs, returnData, sender, success } = result
  return {
    _tag: "Executed",
    success,
    returnData,
    contractAddress: success ? result.contractAddress : undefined,
    logs,
    state,
    sender,
    gasUsed,
    fee: gasUsed * effectiveGasPrice,
    tip: gasUsed * (effectiveGasPrice - baseFeePerGas),
    topUp,
    ending: success ? "stop" : "failure"
  }
}
