/**
 * The chain for those who take their blocks from elsewhere: it moves along blocks that are given, and
 * back. A node without a sequencer has just this; a sequencer is one, too.
 */
import type { EventLog } from "@ovm/event-log/EventLog"
import type { ExecutionManager } from "@ovm/execution-manager/ExecutionManager"
import type { Genesis } from "@ovm/protocol/Genesis"
import type { Hash32 } from "@ovm/protocol/Primitives"
import type { NodeStoreFailed, State, StateRootUnknown } from "@ovm/state-manager/State"
import { StateManager } from "@ovm/state-manager/StateManager"
import { Context, Effect, Layer, Option } from "effect"
import type { BlockInput } from "./BlockInput.ts"
import type { ChainBlock, ChainTransaction } from "./ChainIndex.ts"
import type { ReplayError } from "./ChainReplay.ts"
import { Head } from "./internal/Head.ts"
import * as MoveChain from "./internal/MoveChain.ts"
import { startChain } from "./internal/StartChain.ts"
import {
  BlockUnknown,
  type ParentMoved,
  type StartError,
  type WriteError
} from "./SequencerError.ts"

export interface RollBack {
  /** The block that shall be the last one. */
  readonly number: bigint
  /** What L1 says instead, for people. */
  readonly reason: string
}

export interface Adoption {
  /** The block that they follow; it must be the chain's. */
  readonly after: { readonly number: bigint; readonly hash: Hash32 }
  readonly inputs: ReadonlyArray<BlockInput>
  /** Why what stands there instead is rolled back, for people. */
  readonly reason: string
}

export interface Adopted {
  /** The blocks that the inputs make, those that stood there already included. */
  readonly blocks: ReadonlyArray<ChainBlock>
  /** The chain's no more, oldest first. */
  readonly dropped: ReadonlyArray<ChainBlock>
}

/** Why the chain did not move. What was moved before the failure is durable and consistent. */
export type MoveError = WriteError | BlockUnknown | ParentMoved | ReplayError

export interface ChainService {
  readonly genesis: Genesis
  /** The last block. */
  readonly head: Effect.Effect<ChainBlock>
  readonly block: (number: bigint) => Effect.Effect<Option.Option<ChainBlock>>
  readonly blockByHash: (hash: Hash32) => Effect.Effect<Option.Option<ChainBlock>>
  readonly transaction: (hash: Hash32) => Effect.Effect<Option.Option<ChainTransaction>>
  /** A copy of the state behind a block, for questions and calls; changes to it go nowhere. */
  readonly stateAt: (
    number: bigint
  ) => Effect.Effect<State, BlockUnknown | StateRootUnknown | NodeStoreFailed>
  /** Moves back to a block by appending that it did; answers the blocks above it, oldest first. */
  readonly rollBackTo: (move: RollBack) => Effect.Effect<ReadonlyArray<ChainBlock>, MoveError>
  /**
   * Makes the chain go on behind a block with what the inputs make. Blocks that are so already stay;
   * from the first that is not, the old ones are rolled back and the new ones appended.
   */
  readonly adopt: (adoption: Adoption) => Effect.Effect<Adopted, MoveError>
}

export class Chain extends Context.Tag("@ovm/sequencer/Chain")<Chain, ChainService>() {}

/** Continues the chain in the log, or starts it; nobody can submit anything. */
export const layer = (options: {
  readonly genesis: Genesis
}): Layer.Layer<Chain, StartError, EventLog | StateManager | ExecutionManager> =>
  Layer.effect(
    Chain,
    Effect.gen(function* () {
      const requirements = yield* Effect.context<EventLog | StateManager | ExecutionManager>()
      const manager = yield* StateManager
      const head = new Head(options.genesis, yield* startChain(options.genesis))
      const moving = (yield* Effect.makeSemaphore(1)).withPermits(1)
      const alone: MoveChain.Companions = { added: () => Effect.void, moving: (move) => move }
      const { index } = head
      return Chain.of({
        genesis: options.genesis,
        head: Effect.sync(() => index.head),
        block: (number) => Effect.sync(() => index.block(number)),
        blockByHash: (hash) => Effect.sync(() => index.blockByHash(hash)),
        transaction: (hash) => Effect.sync(() => index.transaction(hash)),
        stateAt: Effect.fn("Chain.stateAt")(function* (number) {
          const block = Option.getOrUndefined(index.block(number))
          if (block === undefined) {
            return yield* new BlockUnknown({ number, head: index.head.header.number })
          }
          return yield* manager.open(block.header.stateRoot)
        }),
        rollBackTo: Effect.fn("Chain.rollBackTo")((move) =>
          MoveChain.rollBackTo(head, move, alone).pipe(Effect.provide(requirements), moving)
        ),
        adopt: Effect.fn("Chain.adopt")((adoption) =>
          MoveChain.adopt(head, adoption, alone, () => {}).pipe(
            Effect.provide(requirements),
            moving
          )
        )
      })
    })
  )
