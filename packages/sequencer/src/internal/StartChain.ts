/** Where a sequencer begins: at genesis on an empty log, else where the log ends. */
import type { EventLog } from "@ovm/event-log/EventLog"
import type { ExecutionManager } from "@ovm/execution-manager/ExecutionManager"
import * as Block from "@ovm/protocol/Block"
import * as Genesis from "@ovm/protocol/Genesis"
import { ChainStarted } from "@ovm/protocol/RollupEvent"
import { EMPTY_ROOT, type State } from "@ovm/state-manager/State"
import { StateManager } from "@ovm/state-manager/StateManager"
import { Effect, Option, Stream } from "effect"
import { ChainIndex } from "../ChainIndex.ts"
import * as ChainLog from "../ChainLog.ts"
import * as ChainReplay from "../ChainReplay.ts"
import * as GenesisState from "../GenesisState.ts"
import { GenesisMismatch, type StartError } from "../SequencerError.ts"

export interface ChainHead {
  readonly index: ChainIndex
  /** Behind the last block. */
  readonly state: State
}

type Requirements = EventLog | StateManager | ExecutionManager

export const startChain = (
  genesis: Genesis.Genesis
): Effect.Effect<ChainHead, StartError, Requirements> =>
  Effect.gen(function* () {
    const recorded = yield* ChainLog.readStart
    const manager = yield* StateManager
    const state = yield* manager.open(EMPTY_ROOT)
    const stateRoot = yield* GenesisState.write(state, genesis)
    const hash = Block.headerHash(Genesis.header(genesis, stateRoot))
    const started = new ChainStarted({ genesis, stateRoot, hash })
    if (Option.isNone(recorded)) {
      yield* ChainLog.start(started)
      return { index: new ChainIndex(started), state }
    }
    if (recorded.value.hash !== hash) {
      return yield* new GenesisMismatch({ expected: hash, found: recorded.value.hash })
    }
    const index = new ChainIndex(started)
    yield* Stream.runForEach(ChainLog.steps(), (done) =>
      Effect.suspend(() => (index.step(done) ? Effect.void : misplaced(done, index)))
    )
    // Stored tries are derived: if the node store is new or behind, the log makes them again.
    const stored = manager
      .open(index.head.header.stateRoot)
      .pipe(
        Effect.catchTag("StateRootUnknown", () =>
          Effect.map(ChainReplay.replay(), (replayed) => replayed.state)
        )
      )
    return { index, state: yield* stored }
  })

const misplaced = ({ _tag, position }: ChainLog.ChainStep, { head }: ChainIndex) =>
  new ChainLog.ChainLogMalformed({
    position,
    expected: `what can follow block ${head.header.number} (${head.hash})`,
    found: _tag === "Block" ? "a block on another parent" : "a return to a block that is not there"
  })
