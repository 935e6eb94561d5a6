/** Moving the head as L1 demands: back, and along blocks that are given. Each move is one append. */
import type { EventLog } from "@ovm/event-log/EventLog"
import type { ExecutionManager } from "@ovm/execution-manager/ExecutionManager"
import type { Address } from "@ovm/protocol/Primitives"
import { ChainRolledBack } from "@ovm/protocol/RollupEvent"
import type { State } from "@ovm/state-manager/State"
import { StateManager } from "@ovm/state-manager/StateManager"
import { Effect, Option } from "effect"
import * as BlockBuilder from "../BlockBuilder.ts"
import * as BlockInput from "../BlockInput.ts"
import type { Adopted, Adoption, MoveError, RollBack } from "../Chain.ts"
import { type ChainBlock, queueEnd } from "../ChainIndex.ts"
import * as ChainLog from "../ChainLog.ts"
import * as ChainReplay from "../ChainReplay.ts"
import { BlockUnknown, ParentMoved } from "../SequencerError.ts"
import { noncesBehind } from "./FillBlock.ts"
import type { Head } from "./Head.ts"

/** What a chain has besides its head, and must keep in step with it. */
export interface Companions {
  /** Called with every block that was added, before anybody can see the head behind it. */
  readonly added: (nonces: ReadonlyMap<Address, bigint>) => Effect.Effect<void>
  /** Moves the head while nobody looks at it. */
  readonly moving: <A, E, R>(move: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
}

type Requirements = EventLog | StateManager | ExecutionManager

/** Moves back to a block; answers the blocks above it, oldest first. */
export const rollBackTo = (
  head: Head,
  { number, reason }: RollBack,
  { moving }: Companions
): Effect.Effect<ReadonlyArray<ChainBlock>, MoveError, Requirements> =>
  Effect.gen(function* () {
    const { index } = head
    const target = Option.getOrUndefined(index.block(number))
    if (target === undefined) {
      return yield* new BlockUnknown({ number, head: index.head.header.number })
    }
    if (target === index.head) return []
    const state = yield* stateBehind(target)
    const event = new ChainRolledBack({ toNumber: number, toHash: target.hash, reason })
    return yield* ChainLog.appendRollback(event, { version: index.eventCount }).pipe(
      Effect.zipRight(moving(Effect.sync(() => head.rollBack(event, state)))),
      Effect.uninterruptible
    )
  })

/** Makes the chain go on behind `after` with these blocks. What is so already stays. */
export const adopt = (
  head: Head,
  { after, inputs, reason }: Adoption,
  companions: Companions,
  onDropped: (blocks: ReadonlyArray<ChainBlock>) => void
): Effect.Effect<Adopted, MoveError, Requirements> =>
  Effect.gen(function* () {
    const { index } = head
    const start = Option.getOrUndefined(index.block(after.number))
    if (start === undefined || start.hash !== after.hash) {
      const found = start?.hash
      return yield* new ParentMoved({ number: after.number, expected: after.hash, found })
    }
    const blocks = alike(head, start, inputs)
    if (blocks.length === inputs.length) return { blocks, dropped: [] }
    const { number } = (blocks.at(-1) ?? start).header
    const dropped = yield* rollBackTo(head, { number, reason }, companions)
    onDropped(dropped)
    for (const input of inputs.slice(blocks.length)) {
      blocks.push(yield* extend(head, input, companions))
    }
    return { blocks, dropped }
  })

/** The blocks behind `start` that are what the inputs make, up to the first that is not. */
const alike = (
  { index }: Head,
  start: ChainBlock,
  inputs: ReadonlyArray<BlockInput.BlockInput>
): Array<ChainBlock> => {
  const blocks: Array<ChainBlock> = []
  for (const input of inputs) {
    const parent = blocks.at(-1) ?? start
    const own = Option.getOrUndefined(index.block(parent.header.number + 1n))
    if (own === undefined || !BlockInput.makes(input, own, parent)) break
    blocks.push(own)
  }
  return blocks
}

/** Builds the block that the input makes behind the head, and moves behind it. */
const extend = (head: Head, input: BlockInput.BlockInput, { added, moving }: Companions) =>
  Effect.gen(function* () {
    const { index } = head
    const state = head.state.fork()
    const block = yield* BlockBuilder.open({
      parentHash: index.head.hash,
      context: head.contextFor({
        nowMs: Number(input.timestamp) * 1000,
        l1Origin: input.l1Origin
      }),
      queueStart: queueEnd(index.head),
      state
    })
    for (const raw of input.queued) yield* block.executeQueued(raw)
    for (const raw of input.transactions) yield* block.executeDerived(raw)
    const sealed = yield* block.seal
    const nonces = yield* noncesBehind(sealed, state)
    const record = BlockBuilder.recordOf(sealed)
    const move = Effect.sync(() => head.advance(record, state)).pipe(
      Effect.tap(() => added(nonces))
    )
    // Interrupted between append and head, the chain would go on behind its own log.
    return yield* ChainLog.appendBlock(record, { version: index.eventCount }).pipe(
      Effect.zipRight(moving(move)),
      Effect.uninterruptible
    )
  })

/** Stored tries are derived: if they are gone, the log makes them again. */
const stateBehind = ({ header }: ChainBlock): Effect.Effect<State, MoveError, Requirements> =>
  Effect.flatMap(StateManager, (manager) => manager.open(header.stateRoot)).pipe(
    Effect.catchTag("StateRootUnknown", () =>
      Effect.map(ChainReplay.replay({ until: header.number }), ({ state }) => state)
    )
  )
