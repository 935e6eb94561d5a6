/** Writes down every pass through the gate, natively: the engine below runs as ever. */
import { type Operation, operations } from "@ovm/protocol/generated/GasSchedule"
import { Effect, Layer } from "effect"
import { bytesToBigInt, bytesToHex } from "viem"
import * as CodeRegistry from "../../src/CodeRegistry.ts"
import { Engine, type EngineListener, type EngineMessage } from "../../src/Engine.ts"
import * as EthereumJsEngine from "../../src/EthereumJsEngine.ts"
import {
  defaultOptions,
  layerWith,
  MANAGER,
  STATE_MANAGER
} from "../../src/ReferenceExecutionManager.ts"

/** One delegate call of the gate. Gas units. */
export interface GatePass {
  /** Undefined if the gate halted before it asked the manager. */
  readonly operation: Operation | undefined
  /** What the delegate call gave. */
  readonly gas: bigint
  readonly gasUsed: bigint
  readonly success: boolean
  /** What was left of the price when the work was done. */
  readonly burned: bigint | undefined
  /** What the manager was asked, selector included. */
  readonly message: Uint8Array
  /** What the manager answered; undefined if it reverted. */
  readonly reply: Uint8Array | undefined
  /** What the manager reverted with. */
  readonly refusal: Uint8Array | undefined
  /** The native frame that a call or creation ran, if it ran any. */
  readonly frame: { readonly gas: bigint; readonly gasUsed: bigint } | undefined
}

interface Node {
  readonly kind: "gate" | "manager" | "frame" | "burn" | "native"
  readonly gas: bigint
  pass?: Mutable
}
type Mutable = { -readonly [K in keyof GatePass]: GatePass[K] }

const BURNER = "0x4200000000000000000000000000000000000e03"
const BY_SELECTOR: ReadonlyMap<string, Operation> = new Map(
  operations.map((operation) => [operation.selector, operation])
)

const recorder = (passes: Array<GatePass>): EngineListener => {
  const open: Array<Node> = []

  const nodeOf = (message: EngineMessage): Node => {
    const above = open.at(-1)
    const { gas } = message
    if (message.kind === "delegatecall" && message.codeAddress === MANAGER) {
      const pass: Mutable = {
        operation: undefined,
        gas,
        gasUsed: 0n,
        success: false,
        burned: undefined,
        message: new Uint8Array(0),
        reply: undefined,
        refusal: undefined,
        frame: undefined
      }
      passes.push(pass)
      return { kind: "gate", gas, pass }
    }
    if (above?.kind === "gate" && above.pass !== undefined) {
      const { pass } = above
      if (message.to === BURNER) return { kind: "burn", gas, pass }
      pass.operation ??= BY_SELECTOR.get(bytesToHex(message.data.subarray(0, 4)))
      // The engine's own memory, soon written over.
      if (pass.message.length === 0) pass.message = message.data.slice()
      return { kind: "manager", gas, pass }
    }
    // A frame is called by the manager, or created by the frame in which the manager creates.
    const asked = open.findLast(({ kind }) => kind !== "native")
    const isFrame =
      asked?.kind === "manager" &&
      (message.kind === "create" ||
        (message.kind === "call" && ![MANAGER, STATE_MANAGER, BURNER].includes(message.to ?? "")))
    if (isFrame && asked.pass !== undefined) return { kind: "frame", gas, pass: asked.pass }
    return { kind: "native", gas }
  }

  return {
    onMessage: (message) => {
      open.push(nodeOf(message))
    },
    onResult: ({ gasUsed, returnData, success }) => {
      const node = open.pop()
      if (node?.pass === undefined) return
      const { pass } = node
      if (node.kind === "gate") Object.assign(pass, { gasUsed, success })
      else if (node.kind === "burn") pass.burned = gasUsed
      else if (node.kind === "frame") pass.frame = { gas: node.gas, gasUsed }
      else if (success) pass.reply ??= returnData.slice()
      else pass.refusal ??= returnData.slice()
    }
  }
}

/** The reference manager on an engine that writes each gate pass into `passes`, in order of entry. */
export const layerRecording = (passes: Array<GatePass>, options = defaultOptions) =>
  layerWith(options).pipe(
    Layer.provide([
      Layer.effect(
        Engine,
        Effect.map(Engine, (engine) =>
          Engine.of({
            ...engine,
            run: (run) => engine.run({ ...run, listener: recorder(passes) })
          })
        )
      ).pipe(Layer.provide(EthereumJsEngine.layer(STATE_MANAGER))),
      CodeRegistry.layer
    ])
  )

/** The `index`-th word of the operands. */
export const operand = ({ message }: GatePass, index: number): bigint =>
  bytesToBigInt(message.subarray(4 + 32 * index, 36 + 32 * index))
