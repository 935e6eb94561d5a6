/** The reference: ExecutionManager.sol itself, run in the engine. */
import { TransactionDecoder } from "@ovm/contracts"
import { Effect, Either, Layer } from "effect"
import {
  bytesToHex,
  concatBytes,
  encodeAbiParameters,
  getContractAddress,
  hexToBytes,
  parseAbiParameters
} from "viem"
import type { BlockContext } from "@ovm/protocol/BlockContext"
import * as DepositTransaction from "@ovm/protocol/DepositTransaction"
import type { Log } from "@ovm/protocol/Execution"
import * as GasSchedule from "@ovm/protocol/generated/GasSchedule"
import { internalTransactionHash } from "@ovm/protocol/InternalTransaction"
import { type Address, ZERO_ADDRESS } from "@ovm/protocol/Primitives"
import { recoverSender } from "@ovm/protocol/Signature"
import * as Transaction from "@ovm/protocol/Transaction"
import { attempt, type State } from "@ovm/state-manager/State"
import * as CodeRegistry from "./CodeRegistry.ts"
import { Engine, type EngineListener, type EngineLog, type EngineOutcome } from "./Engine.ts"
import * as EthereumJsEngine from "./EthereumJsEngine.ts"
import { ExecutionFault, InvalidTransaction } from "./ExecutionError.ts"
import { type CallRun, ExecutionManager, type TransactionRun } from "./ExecutionManager.ts"
import { StateManagerHost } from "./internal/StateManagerHost.ts"
import * as VirtualFrames from "./internal/VirtualFrames.ts"
import * as ManagerAbi from "./ManagerAbi.ts"
import * as OperationTrail from "./OperationTrail.ts"
import type { FrameStart, Tracer } from "./Tracer.ts"

/** Native addresses of the manager's parts on L2. */
export const MANAGER: Address = "0x4200000000000000000000000000000000000e00"
export const STATE_MANAGER: Address = "0x4200000000000000000000000000000000000e01"
const DECODER: Address = "0x4200000000000000000000000000000000000e02"
const BURNER: Address = "0x4200000000000000000000000000000000000e03"
/** The manager takes unsigned calls from this address alone. */
const NODE: Address = "0xfffffffffffffffffffffffffffffffffffffffe"
/** Native gas of a run beyond any transaction's: the engine charges nobody for it. */
const NATIVE_GAS = 2n ** 62n
/** Code of the burner: INVALID. */
const BURNER_CODE = Uint8Array.of(0xfe)

export interface Options {
  /** OVM gas that a gas argument of 1 forwards. The schedule's value, but for equivalence runs. */
  readonly callGasScale: bigint
  /** Gas limit of a single transaction, so that L1 can re-run it (EIP-7825). */
  readonly maxTransactionGas: bigint
}

export const defaultOptions: Options = {
  callGasScale: GasSchedule.CALL_GAS_SCALE,
  maxTransactionGas: 14_000_000n
}

const make = ({ callGasScale, maxTransactionGas }: Options) =>
  Effect.gen(function* () {
    const engine = yield* Engine
    const registry = yield* CodeRegistry.CodeRegistry
    const constructorArguments = encodeAbiParameters(
      parseAbiParameters("address, address, address, uint256, uint256"),
      [STATE_MANAGER, DECODER, BURNER, callGasScale, maxTransactionGas]
    )
    const manager = yield* engine.deploy({
      address: MANAGER,
      creationCode: concatBytes([
        hexToBytes(ManagerAbi.creationCode),
        hexToBytes(constructorArguments)
      ])
    })
    const predeployed = new Map([
      [MANAGER, manager],
      [DECODER, hexToBytes(TransactionDecoder.deployedBytecode)],
      [BURNER, BURNER_CODE]
    ])

    const run = (options: {
      readonly state: State
      readonly caller: Address
      readonly data: Uint8Array
      readonly gas: bigint
      readonly listener: EngineListener | undefined
    }) => {
      const host = new StateManagerHost({
        served: STATE_MANAGER,
        state: options.state,
        registry,
        predeployed
      })
      return engine
        .run({
          host,
          caller: options.caller,
          to: MANAGER,
          data: options.data,
          gas: options.gas + NATIVE_GAS,
          warm: [MANAGER, STATE_MANAGER, DECODER, BURNER],
          listener: options.listener
        })
        .pipe(
          Effect.tapError(() => Effect.sync(() => host.undoAll())),
          Effect.mapError(
            (fault) =>
              new ExecutionFault({ reason: fault.message, revertData: "0x", cause: fault.cause })
          )
        )
    }

    const executeTransaction = Effect.fn("ExecutionManager.executeTransaction")(function* ({
      context,
      indexInBlock = 0,
      state,
      tracer,
      transaction
    }: TransactionRun) {
      const calldata = ManagerAbi.encodeExecuteTransaction(context, transaction)
      const outermost =
        tracer === undefined ? undefined : yield* transactionFrame(transaction, state)
      const recorder = OperationTrail.recorder(MANAGER)
      const outcome = yield* run({
        state,
        caller: NODE,
        data: calldata,
        gas: maxTransactionGas,
        listener: bothOf(recorder.listener, listenerFor(tracer, outermost))
      })
      if (!outcome.success) return yield* failureOf(outcome)
      const result = yield* decode(outcome)
      endOutermost(tracer, outermost, result)
      return {
        transactionHash: result.transactionHash,
        internalTransactionHash: internalTransactionHash({
          chainId: context.chainId,
          blockNumber: context.number,
          indexInBlock: BigInt(indexInBlock),
          executionManager: MANAGER,
          gas: maxTransactionGas,
          calldata
        }),
        sender: lower(result.sender),
        success: result.success,
        gasUsed: result.gasUsed,
        effectiveGasPrice: result.effectiveGasPrice,
        returnData: result.returnData,
        ...(result.created === ZERO_ADDRESS ? {} : { contractAddress: lower(result.created) }),
        logs: logsOf(outcome),
        operations: bytesToHex(recorder.trail())
      }
    })

    const executeCall = Effect.fn("ExecutionManager.executeCall")(function* (call: CallRun) {
      const data = encodeCall(call.context, call)
      const outermost = call.tracer === undefined ? undefined : callFrame(call)
      const outcome = yield* run({
        state: call.state,
        caller: NODE,
        data,
        gas: call.gas * 2n,
        listener: listenerFor(call.tracer, outermost)
      })
      if (!outcome.success) {
        const error = ManagerAbi.decodeError(outcome.returnData)
        return yield* new ExecutionFault({
          reason: error.text,
          revertData: bytesToHex(outcome.returnData)
        })
      }
      const result = yield* decode(outcome)
      endOutermost(call.tracer, outermost, result)
      return {
        success: result.success,
        gasUsed: result.gasUsed,
        returnData: result.returnData,
        contractAddress: result.created === ZERO_ADDRESS ? undefined : lower(result.created),
        logs: logsOf(outcome)
      }
    })

    return ExecutionManager.of({ executeCall, executeTransaction })
  })

const lower = (address: Address): Address => `0x${address.slice(2).toLowerCase()}`

const decode = (outcome: EngineOutcome) =>
  Effect.try({
    try: () => ManagerAbi.decodeOutcome(outcome.returnData),
    catch: (cause) =>
      new ExecutionFault({
        reason: "the manager's answer is not an ExecutionOutcome; a run was torn apart",
        revertData: bytesToHex(outcome.returnData),
        cause
      })
  })

const failureOf = (outcome: EngineOutcome) => {
  const error = ManagerAbi.decodeError(outcome.returnData)
  return error.invalid === undefined
    ? new ExecutionFault({ reason: error.text, revertData: bytesToHex(outcome.returnData) })
    : new InvalidTransaction({ reason: error.invalid })
}

/** Only the manager logs natively; the first word of its data is the OVM address. */
const logsOf = (outcome: EngineOutcome): ReadonlyArray<Log> =>
  outcome.logs.map(({ data, topics }: EngineLog) => ({
    address: bytesToHex(data.subarray(12, 32)),
    topics,
    data: bytesToHex(data.subarray(32))
  }))

const encodeCall = (context: BlockContext, call: CallRun): Uint8Array =>
  ManagerAbi.encodeExecuteCall(context, {
    from: call.from,
    isCreation: call.to === undefined,
    to: call.to ?? ZERO_ADDRESS,
    value: call.value,
    gas: call.gas,
    gasPrice: call.gasPrice,
    data: bytesToHex(call.data)
  })

const callFrame = (call: CallRun): FrameStart => ({
  type: call.to === undefined ? "CREATE" : "CALL",
  caller: call.from,
  address: call.to,
  codeAddress: call.to,
  value: call.value,
  gas: call.gas,
  input: bytesToHex(call.data)
})

/** The outermost frame, read from the transaction and, for a deposit, its sender's nonce; none if it is malformed. */
const transactionFrame = Effect.fnUntraced(function* (raw: Uint8Array, state: State) {
  if (DepositTransaction.isDeposit(raw)) {
    const deposit = Either.getOrUndefined(DepositTransaction.decode(raw))
    if (deposit === undefined) return undefined
    const account = yield* attempt(() => state.getAccount(deposit.from)).pipe(
      Effect.mapError(
        (cause) => new ExecutionFault({ reason: cause.message, revertData: "0x", cause })
      )
    )
    return outermostFrame(deposit, deposit.from, account?.nonce ?? 0n)
  }
  const transaction = Either.getOrUndefined(Transaction.decode(raw))
  if (transaction === undefined) return undefined
  const sender = Either.getOrUndefined(recoverSender(transaction))
  return sender === undefined ? undefined : outermostFrame(transaction, sender, transaction.nonce)
})

const outermostFrame = (
  { data, gasLimit, to, value }: Transaction.Transaction | DepositTransaction.DepositTransaction,
  from: Address,
  nonce: bigint
): FrameStart => ({
  type: to === undefined ? "CREATE" : "CALL",
  caller: from,
  address: to ?? lower(getContractAddress({ from, nonce })),
  codeAddress: to,
  value,
  gas: gasLimit,
  input: bytesToHex(data)
})

const listenerFor = (tracer: Tracer | undefined, outermost: FrameStart | undefined) => {
  if (tracer === undefined || outermost === undefined) return undefined
  tracer.onFrameStart?.(outermost)
  return VirtualFrames.listener({ manager: MANAGER, tracer, outermost })
}

const bothOf = (first: EngineListener, second: EngineListener | undefined): EngineListener =>
  second === undefined
    ? first
    : {
        onMessage: (message) => {
          first.onMessage?.(message)
          second.onMessage?.(message)
        },
        onResult: (result) => {
          first.onResult?.(result)
          second.onResult?.(result)
        }
      }

const endOutermost = (
  tracer: Tracer | undefined,
  outermost: FrameStart | undefined,
  result: ManagerAbi.Outcome
): void => {
  if (outermost === undefined) return
  tracer?.onFrameEnd?.({
    success: result.success,
    gasUsed: result.gasUsed,
    output: result.returnData,
    created: result.created === ZERO_ADDRESS ? undefined : lower(result.created)
  })
}

/** ExecutionManager.sol on the engine and code registry of your choice. */
export const layerWith = (options: Options = defaultOptions) =>
  Layer.effect(ExecutionManager, make(options))

/** ExecutionManager.sol in `@ethereumjs/evm`. */
export const layerReference = (options: Options = defaultOptions) =>
  layerWith(options).pipe(
    Layer.provide([EthereumJsEngine.layer(STATE_MANAGER), CodeRegistry.layer])
  )
