/** A state machine whose state is the fold of its events: pure rules, surrounded by the log. */
import { Context, type Effect, Either, Layer, ParseResult, Schema, type Stream } from "effect"
import * as Codec from "./Codec.ts"
import type { Event, Position } from "./Event.ts"
import type { EventLog } from "./EventLog.ts"
import * as EventTypes from "./EventTypes.ts"
import { runMachine } from "./internal/MachineRunner.ts"
import type { AppendError, ReadError } from "./LogError.ts"
import type { Tagged, Upcaster } from "./Upcaster.ts"

/** The pure half of a machine. */
export interface Rules<State, Command, A extends Tagged, Failure> {
  readonly initial: State
  /** The events that a command leads to in a state, or why it can't be carried out. */
  readonly decide: (state: State, command: Command) => Either.Either<ReadonlyArray<A>, Failure>
  /** The state after an event. Accepts every event there ever was. */
  readonly evolve: (state: State, event: A) => State
}

/** How a machine is run; every field has a default. */
export interface Settings {
  readonly upcasters?: ReadonlyArray<Upcaster>
  /** The stream that holds its events. Default: the machine's name. */
  readonly stream?: string
  /**
   * Raise it when `State` or `evolve` changes: snapshots of other versions are ignored. Default 1.
   */
  readonly stateVersion?: number
  /** Save a snapshot every so many events, where `Snapshots` are provided. Default 1,000. */
  readonly snapshotEvery?: number
  /** How often a decision is made anew because another writer came first. Default 16. */
  readonly maxRetries?: number
}

export interface Definition<State, StateI, Command, CommandI, A extends Tagged, I, Failure>
  extends Rules<State, Command, A, Failure>,
    Settings {
  readonly State: Schema.Schema<State, StateI>
  readonly Command: Schema.Schema<Command, CommandI>
  readonly Event: Schema.Schema<A, I>
}

/** A definition with its schemas worked out. */
export interface Machine<State, Command, A extends Tagged, Failure>
  extends Rules<State, Command, A, Failure>,
    Required<Omit<Settings, "upcasters">> {
  readonly name: string
  readonly types: EventTypes.EventTypes<A>
  readonly stateCodec: Codec.Codec<State>
  readonly checkCommand: (command: Command) => Either.Either<Command, CommandInvalid>
}

export interface SendOptions {
  /** The command's own id: sent again under it, a command is not carried out again. */
  readonly id?: string
  readonly correlationId?: string
}

export interface Sent<State, A> {
  readonly events: ReadonlyArray<A>
  /** The state after the command's events. */
  readonly state: State
  /** Version of the stream after the command's events. */
  readonly version: number
  /**
   * Position of the command's last event; if it led to none, of the last event it was decided on.
   */
  readonly position: Position
  /** The command was carried out earlier, under this id. */
  readonly duplicate: boolean
}

export interface Change<State, A> {
  readonly event: Event<A>
  /** The state after the event. */
  readonly state: State
}

/** The command does not fit its schema. Recover by validating it where it comes from. */
export class CommandInvalid extends Schema.TaggedError<CommandInvalid>()("CommandInvalid", {
  machine: Schema.String,
  issue: Schema.String
}) {
  override get message() {
    return `Expected a command of "${this.machine}", but it does not fit the schema: ${this.issue}`
  }
}

/** The position asked for is still to come. Recover by asking for the head or below. */
export class PositionBeyondHead extends Schema.TaggedError<PositionBeyondHead>()(
  "PositionBeyondHead",
  { position: Schema.NonNegativeInt, head: Schema.NonNegativeInt }
) {
  override get message() {
    return `Expected a position up to the head, ${this.head}, but found ${this.position}.`
  }
}

export type LoadError = ReadError | EventTypes.EventUndecodable
export type SendError = AppendError | LoadError | CommandInvalid | Codec.ValueUnencodable

export interface MachineService<State, Command, A extends Tagged, Failure> {
  /** Decides on the newest state and appends the events; succeeds once they are durable. */
  readonly send: (
    command: Command,
    options?: SendOptions
  ) => Effect.Effect<Sent<State, A>, Failure | SendError>
  /** The newest state. */
  readonly state: Effect.Effect<State, LoadError>
  /**
   * Every event after a position with the state it led to, then every further one. Default: from
   * the first on.
   */
  readonly changes: (options?: {
    readonly after?: Position
  }) => Stream.Stream<Change<State, A>, LoadError | PositionBeyondHead>
  /** The state as it was after the event at this position of the log. */
  readonly stateAsOf: (position: Position) => Effect.Effect<State, LoadError | PositionBeyondHead>
}

/**
 * The tag of a machine, to be extended by a class of the machine's name.
 *
 *     class Counter extends Machine.Service<Counter>()("Counter", { State, Command, Event, initial, decide, evolve }) {}
 */
export const Service =
  <Self>() =>
  <const Name extends string, State, StateI, Command, CommandI, A extends Tagged, I, Failure>(
    name: Name,
    definition: Definition<State, StateI, Command, CommandI, A, I, Failure>
  ) =>
    class extends Context.Tag(`@ovm/event-log/Machine/${name}`)<
      Self,
      MachineService<State, Command, A, Failure>
    >() {
      static readonly layer: Layer.Layer<Self, LoadError, EventLog> = Layer.scoped(
        this,
        runMachine(workOut(name, definition))
      )
    }

/** Loads the machine from its events and runs it on the log. */
export const layer = <Self>(machine: {
  readonly layer: Layer.Layer<Self, LoadError, EventLog>
}): Layer.Layer<Self, LoadError, EventLog> => machine.layer

const workOut = <State, StateI, Command, CommandI, A extends Tagged, I, Failure>(
  name: string,
  definition: Definition<State, StateI, Command, CommandI, A, I, Failure>
): Machine<State, Command, A, Failure> => {
  const { Command, Event, State, upcasters = [], ...rest } = definition
  const { stateVersion = 1 } = rest
  const validate = ParseResult.validateEither(Command)
  return {
    stream: name,
    snapshotEvery: 1_000,
    maxRetries: 16,
    ...rest,
    stateVersion,
    name,
    types: EventTypes.make({ schema: Event, upcasters }),
    stateCodec: Codec.make(State, { version: stateVersion }),
    checkCommand: (command) =>
      Either.mapLeft(
        validate(command),
        (issue) =>
          new CommandInvalid({
            machine: name,
            issue: ParseResult.TreeFormatter.formatIssueSync(issue)
          })
      )
  }
}
