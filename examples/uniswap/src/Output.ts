/** Where the story is told: to a person line by line, or to nobody when JSON is wanted. */
import { Context, Effect, Layer, Schema } from "effect"
import { type Paint, paintFor } from "./Render.ts"

/** Something that had to hold did not. The example ends with exit code 1. */
export class CheckFailed extends Schema.TaggedError<CheckFailed>()("CheckFailed", {
  what: Schema.String,
  expected: Schema.String,
  found: Schema.String
}) {
  override get message() {
    return `Expected ${this.what} to be ${this.expected}, found ${this.found}.`
  }
}

export class Output extends Context.Tag("@ovm/example-uniswap/Output")<
  Output,
  {
    readonly paint: Paint
    /** A line of the story. */
    readonly say: (line: string) => Effect.Effect<void>
  }
>() {}

/** Tells people, in colour where there is a terminal that shows it. */
export const layerText: Layer.Layer<Output> = Layer.sync(Output, () => {
  const colour = process.stdout.isTTY === true && process.env["NO_COLOR"] === undefined
  return {
    paint: paintFor(colour),
    say: (line) => Effect.sync(() => void process.stdout.write(`${line}\n`))
  }
})

export const layerSilent: Layer.Layer<Output> = Layer.succeed(Output, {
  paint: paintFor(false),
  say: () => Effect.void
})

export const heading = (text: string) =>
  Effect.flatMap(Output, ({ paint, say }) => say(`\n${paint("bold", paint("cyan", text))}`))

export const step = (label: string, detail: string) =>
  Effect.flatMap(Output, ({ paint, say }) =>
    say(`  ${paint("green", "✓")} ${label.padEnd(46)} ${paint("dim", detail)}`)
  )

/** Shows that two values agree, or ends the example. */
export const check = (what: string, expected: string, found: string, shown: string) =>
  expected === found ? step(what, shown) : Effect.fail(new CheckFailed({ what, expected, found }))
