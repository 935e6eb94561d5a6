/** Reads through viem, with their failures as values. */
import { Effect, Schema } from "effect"

/** A node did not answer, or not as expected. Recover by trying again, or by giving another node. */
export class ChainUnreachable extends Schema.TaggedError<ChainUnreachable>()("ChainUnreachable", {
  layer: Schema.Literal("L1", "L2"),
  question: Schema.String,
  cause: Schema.Defect
}) {
  override get message() {
    return `Expected ${this.layer} to answer ${this.question}, found ${String(this.cause)}. Try again, or give another node.`
  }
}

/** Asks a node. */
export const ask = <A>(
  layer: "L1" | "L2",
  question: string,
  read: () => Promise<A>
): Effect.Effect<A, ChainUnreachable> =>
  Effect.tryPromise({
    try: read,
    catch: (cause) => new ChainUnreachable({ layer, question, cause })
  })
