/** Runs a case in plain `@ethereumjs/vm`, the oracle; gas can be perturbed to see what hangs on it. */
import { createBlock } from "@ethereumjs/block"
import { createTxFromRLP, type TypedTransaction } from "@ethereumjs/tx"
import { type Address as EthAddress, bytesToHex } from "@ethereumjs/util"
import { type RunTxResult, runTx } from "@ethereumjs/vm"
import type { Log } from "@ovm/protocol/Execution"
import { Effect } from "effect"
import { hexToBytes, keccak256, toRlp } from "viem"
import { stateRootOf } from "./internal/PlainState.ts"
import { makePlainVm, type PlainVm } from "./internal/PlainVm.ts"
import { type Executed, MachineFault, type Outcome, type Rejected } from "./Outcome.ts"
import type { Perturbation } from "./Perturbation.ts"
import {
  effectiveGasPrice,
  type Resupplied,
  resupply,
  senderOf,
  signTransaction
} from "./SignedTransaction.ts"
import type { CaseEnvironment, StateTestCase } from "./StateTestFixture.ts"
import { word } from "./WorldState.ts"

/** Code that ran, or would have: `init` code is that of a creation. */
export interface ExecutedCode {
  readonly code: Uint8Array
  readonly mode: "init" | "runtime"
}

export interface PlainMachine {
  /** Runs the case as the fixture has it. */
  readonly run: (stateTest: StateTestCase) => Effect.Effect<Outcome, MachineFault>
  /** Runs the case with its gas shaken. */
  readonly runPerturbed: (
    stateTest: StateTestCase,
    perturbation: Perturbation
  ) => Effect.Effect<Outcome, MachineFault>
  /** Runs the case and tells which codes were entered. */
  readonly executedCodes: (
    stateTest: StateTestCase
  ) => Effect.Effect<ReadonlyArray<ExecutedCode>, MachineFault>
}

/** A machine keeps its engines between cases, so it serves one fiber at a time. */
export const makePlainMachine = (): PlainMachine => {
  const engines = new Map<string, PlainVm>()
  const engineOf = async (chainId: bigint, perturbed: boolean) => {
    const name = `${chainId} ${perturbed}`
    const engine = engines.get(name) ?? (await makePlainVm({ chainId, perturbed }))
    engines.set(name, engine)
    return engine
  }
  const run = (stateTest: StateTestCase, options: RunOptions) =>
    Effect.gen(function* () {
      const { environment } = stateTest
      const perturbed = options.perturbation !== undefined
      const engine = yield* Effect.promise(() => engineOf(environment.chainId, perturbed))
      return yield* runIn(engine, stateTest, options).pipe(
        // An engine that broke down may keep half a transaction: the next case gets a new one.
        Effect.tapErrorCause(() => Effect.sync(() => engines.clear()))
      )
    })
  return {
    run: (stateTest) => run(stateTest, {}),
    runPerturbed: (stateTest, perturbation) => run(stateTest, { perturbation }),
    executedCodes: (stateTest) => {
      const codes: Array<ExecutedCode> = []
      return Effect.as(run(stateTest, { codes }), codes)
    }
  }
}

/** Whether the oracle itself came out where the fixture says. */
export const oracleFault = (
  stateTest: StateTestCase,
  outcome: Outcome
): Effect.Effect<string | undefined> =>
  Effect.promise(async () => {
    const { expectation } = stateTest
    if (expectation === undefined) return undefined
    const rejected = outcome._tag === "Rejected"
    if (expectation.exception !== undefined && !rejected) {
      return `expected the transaction to be refused (${expectation.exception}), found it executed`
    }
    if (expectation.exception === undefined && rejected) {
      return `expected the transaction to run, found it refused: ${outcome.reason}`
    }
    const logs = logsHashOf(rejected ? [] : outcome.logs)
    if (logs !== expectation.logsHash) {
      return `expected the logs hash ${expectation.logsHash}, found ${logs}`
    }
    const root = await stateRootOf(outcome.state)
    if (root === expectation.stateRoot) return undefined
    return `expected the state root ${expectation.stateRoot}, found ${root}`
  })

const logsHashOf = (logs: ReadonlyArray<Log>) =>
  keccak256(toRlp(logs.map(({ address, data, topics }) => [address, [...topics], data])))

interface RunOptions {
  readonly perturbation?: Perturbation
  /** Collects what is entered. */
  readonly codes?: Array<ExecutedCode>
}

const runIn = (engine: PlainVm, stateTest: StateTestCase, options: RunOptions) =>
  Effect.gen(function* () {
    const { environment, pre, transaction } = stateTest
    const { perturbation } = options
    const supplied: Resupplied =
      perturbation === undefined
        ? { pre, transaction, topUp: 0n }
        : resupply(stateTest, perturbation.gasLimit(transaction.gasLimit))
    const raw = yield* signTransaction(supplied.transaction, environment)
    const decoded = yield* Effect.either(decode(engine, raw))
    engine.state.reset(supplied.pre)
    engine.dial.perturbation = perturbation
    engine.dial.gasCount = 0
    if (decoded._tag === "Left") return rejected(engine, decoded.left)
    return yield* execute({ engine, stateTest, supplied, tx: decoded.right, codes: options.codes })
  })

const decode = (engine: PlainVm, raw: `0x${string}`): Effect.Effect<TypedTransaction, string> =>
  Effect.try({
    try: () => createTxFromRLP(hexToBytes(raw), { common: engine.common }),
    catch: (cause) => (cause instanceof Error ? cause.message : String(cause))
  })

const execute = (options: {
  readonly engine: PlainVm
  readonly stateTest: StateTestCase
  readonly supplied: Resupplied
  readonly tx: TypedTransaction
  readonly codes: Array<ExecutedCode> | undefined
}): Effect.Effect<Outcome, MachineFault> =>
  Effect.gen(function* () {
    const { engine, stateTest, supplied, tx } = options
    const { events } = engine.vm.evm
    if (events === undefined) return yield* Effect.dieMessage("expected a VM with events")
    const entered = { value: false }
    // Takes two arguments, so the VM waits for the second: code is read before it can change.
    const onMessage = (message: EnteredMessage, resume?: () => void): void => {
      entered.value = true
      collect(engine, options.codes, message).then(resume, resume)
    }
    events.on("beforeMessage", onMessage)
    const run = Effect.tryPromise({
      try: () =>
        runTx(engine.vm, {
          tx,
          block: blockOf(engine, stateTest.environment),
          skipBlockGasLimitValidation: supplied.topUp !== 0n
        }),
      catch: (cause) => cause
    })
    const result = yield* Effect.either(run)
    events.off("beforeMessage", onMessage)
    if (result._tag === "Right") return executed(engine, stateTest, supplied, result.right)
    const cause = result.left
    // Before any message runs, an error of the VM is its way to refuse a transaction.
    if (!entered.value && cause instanceof Error) return rejected(engine, cause.message)
    return yield* new MachineFault({ machine: "plain EVM", cause })
  })

interface EnteredMessage {
  readonly to?: EthAddress | undefined
  readonly codeAddress: EthAddress
  readonly data: Uint8Array
}

const collect = async (
  { state }: PlainVm,
  codes: Array<ExecutedCode> | undefined,
  message: EnteredMessage
): Promise<void> => {
  if (codes === undefined) return
  // A creation has no code address: merely asking for it throws.
  if (message.to === undefined) codes.push({ code: message.data, mode: "init" })
  else codes.push({ code: await state.getCode(message.codeAddress), mode: "runtime" })
}

const blockOf = ({ common }: PlainVm, environment: CaseEnvironment) =>
  createBlock(
    {
      header: {
        number: environment.number,
        coinbase: environment.coinbase,
        timestamp: environment.timestamp,
        gasLimit: environment.gasLimit,
        baseFeePerGas: environment.baseFeePerGas,
        mixHash: environment.prevRandao,
        excessBlobGas: environment.excessBlobGas
      }
    },
    { common, skipConsensusFormatValidation: true, setHardfork: false }
  )

const rejected = (engine: PlainVm, reason: string): Rejected => ({
  _tag: "Rejected",
  reason,
  state: engine.state.dump()
})

const executed = (
  engine: PlainVm,
  { environment }: StateTestCase,
  { topUp, transaction }: Resupplied,
  { createdAddress, execResult, minerValue, totalGasSpent }: RunTxResult
): Executed => {
  const { exceptionError, logs, returnValue } = execResult
  const success = exceptionError === undefined
  return {
    _tag: "Executed",
    success,
    returnData: bytesToHex(returnValue),
    contractAddress: success ? createdAddress?.toString() : undefined,
    logs: (logs ?? []).map(([address, topics, data]) => ({
      address: bytesToHex(address),
      topics: topics.map((topic) => word(BigInt(bytesToHex(topic)))),
      data: bytesToHex(data)
    })),
    state: engine.state.dump(),
    sender: senderOf(transaction),
    gasUsed: totalGasSpent,
    fee: totalGasSpent * effectiveGasPrice(transaction, environment),
    tip: minerValue,
    topUp,
    ending: exceptionError?.error ?? "stop"
  }
}
