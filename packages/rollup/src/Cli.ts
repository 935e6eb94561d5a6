/** How every command line of the project ends: plain text where no terminal is, errors a person can read. */
import { stripVTControlCharacters } from "node:util"
import { ValidationError } from "@effect/cli"
import { NodeRuntime } from "@effect/platform-node"
import { Cause, Console, Effect, Option } from "effect"

const strip = (values: ReadonlyArray<unknown>): ReadonlyArray<unknown> =>
  values.map((value) => (typeof value === "string" ? stripVTControlCharacters(value) : value))

const hasColour = (): boolean =>
  process.stdout.isTTY === true && process.env["NO_COLOR"] === undefined

/** Takes the colour out of what `effect` prints, unless a terminal shows it. */
const whenPiped = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.consoleWith((console) =>
    hasColour()
      ? effect
      : Console.withConsole(effect, {
          ...console,
          log: (...values) => console.log(...strip(values)),
          error: (...values) => console.error(...strip(values))
        })
  )

/** Verdicts that the command has printed already; they only make the exit code. */
const VERDICTS: ReadonlySet<string> = new Set(["NotEquivalent", "UnsafeBytecode"])

const textOf = (cause: Cause.Cause<unknown>): string | undefined => {
  const failure = Option.getOrUndefined(Cause.failureOption(cause))
  if (failure === undefined) {
    return Cause.isInterruptedOnly(cause) ? undefined : `defect: ${Cause.pretty(cause)}`
  }
  // The command line has shown what is wrong with its arguments.
  if (ValidationError.isValidationError(failure)) return undefined
  if (!(failure instanceof Error)) return `error: ${String(failure)}`
  return VERDICTS.has(failure.name) ? undefined : `error: ${failure.message}`
}

/** Runs a command to its end: exit code 0, or 1 with the reason on stderr. */
export const runMain = <A, E>(command: Effect.Effect<A, E>): void =>
  command.pipe(
    Effect.tapErrorCause((cause) => {
      const text = textOf(cause)
      return text === undefined ? Effect.void : Console.error(text)
    }),
    whenPiped,
    NodeRuntime.runMain({ disableErrorReporting: true })
  )
