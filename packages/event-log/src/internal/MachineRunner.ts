/**
 * Runs a machine on the log: commands that wait are decided one after the other and appended as one
 * batch.
 */
import { Effect, Either, Exit, Option, type Scope, Stream } from "effect"
import { isNonEmptyReadonlyArray } from "effect/Array"
import type { Event, NewEvent, Position } from "../Event.ts"
import { type Appended, EventLog, type EventLogService } from "../EventLog.ts"
import { type AppendError, EventIdConflict, LogUnavailable } from "../LogError.ts"
import {
  type Change,
  type LoadError,
  type Machine,
  type MachineService,
  PositionBeyondHead,
  type SendError,
  type SendOptions,
  type Sent
} from "../Machine.ts"
import { Snapshots } from "../Snapshot.ts"
import type { Tagged } from "../Upcaster.ts"
import { type Folded, MachineFold } from "./MachineFold.ts"
import { startWorker, type Waiting } from "./Worker.ts"

/** Commands that share one append. */
const MAX_GROUP = 256

interface Request<Command> {
  readonly command: Command
  readonly options: SendOptions
}

type WaitingCommand<State, Command, A, Failure> = Waiting<
  Request<Command>,
  Sent<State, A>,
  Failure | SendError
>

/** A command with its events, or with what it can't be carried out for. */
interface Decision<State, Command, A, Failure> {
  readonly waiting: WaitingCommand<State, Command, A, Failure>
  readonly outcome: Exit.Exit<ReadonlyArray<A>, Failure | SendError>
  readonly encoded: ReadonlyArray<NewEvent>
  /** State and version after the events. */
  readonly state: State
  readonly version: number
}

export const runMachine = <State, Command, A extends Tagged, Failure>(
  machine: Machine<State, Command, A, Failure>
): Effect.Effect<MachineService<State, Command, A, Failure>, LoadError, EventLog | Scope.Scope> =>
  Effect.gen(function* () {
    const log = yield* EventLog
    const fold = new MachineFold(machine, log, yield* Effect.serviceOption(Snapshots))
    const { position } = yield* log.head
    const runner = new MachineRunner(machine, log, fold, yield* fold.asOf(position))
    const closed = new LogUnavailable({ log: machine.name, reason: "the machine is closed" })
    const send = yield* startWorker<Request<Command>, Sent<State, A>, Failure | SendError>({
      maxGroup: MAX_GROUP,
      handle: (group) => runner.carryOut(group),
      closed: Exit.fail(closed)
    })
    return {
      send: (command, options = {}) =>
        Effect.flatMap(machine.checkCommand(command), () => send({ command, options })),
      state: Effect.map(runner.newest, ({ state }) => state),
      changes: (options) => runner.changes(options?.after ?? 0),
      stateAsOf: (position) => Effect.map(runner.asOf(position), ({ state }) => state)
    }
  })

class MachineRunner<State, Command, A extends Tagged, Failure> {
  readonly #machine: Machine<State, Command, A, Failure>
  readonly #log: EventLogService
  readonly #fold: MachineFold<State, Command, A, Failure>
  #folded: Folded<State>

  constructor(
    machine: Machine<State, Command, A, Failure>,
    log: EventLogService,
    fold: MachineFold<State, Command, A, Failure>,
    folded: Folded<State>
  ) {
    this.#machine = machine
    this.#log = log
    this.#fold = fold
    this.#folded = folded
  }

  /** The state with everything in it that the log holds by now. */
  readonly newest: Effect.Effect<Folded<State>, LoadError> = Effect.suspend(() =>
    Effect.flatMap(this.#log.streamVersion(this.#machine.stream), (version) => {
      if (version <= this.#folded.version) return Effect.succeed(this.#folded)
      return Effect.gen(this, function* () {
        const { position } = yield* this.#log.head
        const forward = yield* this.#fold.forward(this.#folded, position)
        // Two fibers may catch up at once; the one that comes further counts.
        if (forward.version > this.#folded.version) this.#folded = forward
        return this.#folded
      })
    })
  )

  asOf(position: Position): Effect.Effect<Folded<State>, LoadError | PositionBeyondHead> {
    return Effect.gen(this, function* () {
      const { position: head } = yield* this.#log.head
      if (position > head) return yield* new PositionBeyondHead({ position, head })
      return yield* this.#fold.asOf(position)
    })
  }

  changes(after: Position): Stream.Stream<Change<State, A>, LoadError | PositionBeyondHead> {
    const { evolve, stream, types } = this.#machine
    return Stream.unwrap(
      Effect.map(this.asOf(after), (from) =>
        this.#log.subscribe({ stream, after }).pipe(
          Stream.mapEffect((stored) => types.decode(stored)),
          Stream.mapAccum(from.state, (state, event) => {
            const next = evolve(state, event.payload)
            return [next, { event, state: next }]
          })
        )
      )
    )
  }

  /** Answers every command of a group. */
  carryOut(group: ReadonlyArray<WaitingCommand<State, Command, A, Failure>>): Effect.Effect<void> {
    return Effect.gen(this, function* () {
      for (let rest = group; rest.length > 0; ) {
        const { rest: later, run } = splitAtRepeatedId(rest)
        yield* this.#carryOutRun(run, this.#machine.maxRetries)
        rest = later
      }
      yield* this.#fold.save(this.#folded)
    })
  }

  #carryOutRun(
    group: ReadonlyArray<WaitingCommand<State, Command, A, Failure>>,
    retries: number
  ): Effect.Effect<void> {
    return Effect.gen(this, function* () {
      const fresh = yield* this.#answerEarlier(group)
      const before = yield* this.newest
      const decisions = this.#decideAll(fresh, before)
      const events = decisions.flatMap(({ encoded }) => encoded)
      if (!isNonEmptyReadonlyArray(events)) return yield* answer(decisions, before.position, false)
      const { stream } = this.#machine
      const result = yield* Effect.either(
        this.#log.append({ stream, expected: before.version, events })
      )
      if (Either.isRight(result)) return yield* this.#accept(decisions, result.right)
      return yield* this.#recover(decisions, result.left, retries)
    }).pipe(
      // Reading failed: nothing was appended, and everybody hears why.
      Effect.catchAll((error) =>
        Effect.sync(() => {
          for (const { answer } of group) answer(Exit.fail(error))
        })
      )
    )
  }

  #accept(
    decisions: ReadonlyArray<Decision<State, Command, A, Failure>>,
    { duplicate, firstPosition, lastPosition }: Appended
  ): Effect.Effect<void> {
    const last = decisions.at(-1)
    // A duplicate was appended earlier and by somebody else; the state catches up by reading.
    if (last !== undefined && !duplicate) {
      this.#folded = { state: last.state, version: last.version, position: lastPosition }
    }
    return answer(decisions, firstPosition - 1, duplicate)
  }

  /**
   * Decides anew after a conflict; a batch with one bad command in it is tried command by command.
   */
  #recover(
    decisions: ReadonlyArray<Decision<State, Command, A, Failure>>,
    error: AppendError,
    retries: number
  ): Effect.Effect<void> {
    const group = decisions.map(({ waiting }) => waiting)
    if (error._tag === "StreamConflict" && retries > 0) return this.#carryOutRun(group, retries - 1)
    const isOfOne = BATCH_ERRORS.has(error._tag) && group.length > 1
    if (isOfOne) {
      return Effect.forEach(group, (one) => this.#carryOutRun([one], retries), { discard: true })
    }
    const failed = decisions.map((decision) =>
      decision.encoded.length === 0 ? decision : { ...decision, outcome: Exit.fail(error) }
    )
    return answer(failed, this.#folded.position, false)
  }

  /** Pure from here to the batch: each command sees the state that those before it lead to. */
  #decideAll(
    group: ReadonlyArray<WaitingCommand<State, Command, A, Failure>>,
    from: Folded<State>
  ): ReadonlyArray<Decision<State, Command, A, Failure>> {
    let { state, version } = from
    return group.map((waiting) => {
      const decision = this.#decide(waiting, state, version)
      ;({ state, version } = decision)
      return decision
    })
  }

  #decide(
    waiting: WaitingCommand<State, Command, A, Failure>,
    state: State,
    version: number
  ): Decision<State, Command, A, Failure> {
    const refuse = (outcome: Exit.Exit<never, Failure | SendError>) => ({
      waiting,
      outcome,
      encoded: [],
      state,
      version
    })
    const { decide, evolve, types } = this.#machine
    const { command, options } = waiting.request
    const { correlationId, id } = options
    try {
      const decided = decide(state, command)
      if (Either.isLeft(decided)) return refuse(Exit.fail(decided.left))
      const events = decided.right
      const encoded = types.encode(events, { id, causationId: id, correlationId })
      if (Either.isLeft(encoded)) return refuse(Exit.fail(encoded.left))
      return {
        waiting,
        outcome: Exit.succeed(events),
        encoded: encoded.right,
        state: events.reduce((folded, event) => evolve(folded, event), state),
        version: version + events.length
      }
    } catch (defect) {
      // A rule that throws is a mistake in the machine: who sent the command learns of it, others
      // go on.
      return refuse(Exit.die(defect))
    }
  }

  /** Answers the commands that were carried out before, and returns the others. */
  #answerEarlier(
    group: ReadonlyArray<WaitingCommand<State, Command, A, Failure>>
  ): Effect.Effect<ReadonlyArray<WaitingCommand<State, Command, A, Failure>>, LoadError> {
    return Effect.filter(group, ({ answer: reply, request }) =>
      Effect.gen(this, function* () {
        const { id } = request.options
        const found = id === undefined ? Option.none() : yield* this.#log.find(id)
        if (Option.isNone(found)) return true
        reply(yield* Effect.exit(this.#earlier(found.value)))
        return false
      })
    )
  }

  #earlier(first: Event): Effect.Effect<Sent<State, A>, LoadError | EventIdConflict> {
    return Effect.gen(this, function* () {
      const { id, position, stream } = first
      if (stream !== this.#machine.stream) return yield* new EventIdConflict({ id, position })
      const stored = yield* this.#log.read({ stream, after: position - 1 }).pipe(
        Stream.takeWhile(({ causationId }) => causationId === id),
        Stream.runCollect
      )
      const events = yield* this.#machine.types.decodeAll(Array.from(stored))
      const last = events.at(-1) ?? first
      const { state } = yield* this.#fold.asOf(last.position)
      return {
        events: events.map(({ payload }) => payload),
        state,
        version: last.version,
        position: last.position,
        duplicate: true
      }
    })
  }
}

/** Errors of a batch that may be the fault of one command alone. */
const BATCH_ERRORS: ReadonlySet<string> = new Set<AppendError["_tag"]>([
  "EventIdConflict",
  "EventInvalid",
  "EventTooLarge",
  "BatchTooLarge"
])

const answer = <State, Command, A, Failure>(
  decisions: ReadonlyArray<Decision<State, Command, A, Failure>>,
  before: Position,
  duplicate: boolean
): Effect.Effect<void> =>
  Effect.sync(() => {
    let position = before
    for (const { encoded, outcome, state, version, waiting } of decisions) {
      position += encoded.length
      const rest = { state, version, position, duplicate }
      waiting.answer(Exit.map(outcome, (events) => ({ events, ...rest })))
    }
  })

/** A command that comes twice in a group must find the first one's events in the log. */
const splitAtRepeatedId = <W extends { readonly request: { readonly options: SendOptions } }>(
  group: ReadonlyArray<W>
): { readonly run: ReadonlyArray<W>; readonly rest: ReadonlyArray<W> } => {
  const ids = new Set<string>()
  const end = group.findIndex(({ request }) => {
    const { id } = request.options
    if (id === undefined) return false
    const isRepeated = ids.has(id)
    ids.add(id)
    return isRepeated
  })
  return end === -1
    ? { run: group, rest: [] }
    : { run: group.slice(0, end), rest: group.slice(end) }
}
