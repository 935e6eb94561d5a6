/** The file that says where a rollup is: written once by who deploys, read by everybody else. */
import { FileSystem } from "@effect/platform"
import { Deployment, DeploymentJson } from "@ovm/protocol/Deployment"
import { Effect, ParseResult, Schema } from "effect"

/** The file exists, and another rollup may live by it. Recover by naming another file, or moving it away. */
export class DeploymentFileExists extends Schema.TaggedError<DeploymentFileExists>()(
  "DeploymentFileExists",
  { path: Schema.String }
) {
  override get message() {
    return `Expected no file at ${this.path}, found one. Name another file, or move it away.`
  }
}

/** The file isn't what `pnpm ovm deploy` writes. Recover by restoring it, or deploying anew. */
export class DeploymentFileMalformed extends Schema.TaggedError<DeploymentFileMalformed>()(
  "DeploymentFileMalformed",
  { path: Schema.String, issue: Schema.String }
) {
  override get message() {
    return `Expected ${this.path} to be a deployment file, but ${this.issue}. Restore it, or deploy anew.`
  }
}

/** The file can't be read or written. Recover as the reason says. */
export class DeploymentFileUnusable extends Schema.TaggedError<DeploymentFileUnusable>()(
  "DeploymentFileUnusable",
  { path: Schema.String, reason: Schema.String }
) {
  override get message() {
    return `Expected to read or write ${this.path}, but ${this.reason}.`
  }
}

const unusable = (path: string) => (cause: { readonly message: string }) =>
  new DeploymentFileUnusable({ path, reason: cause.message })

/** Fails if there is a file already: ask before deploying, not after. */
export const requireAbsent = Effect.fn("DeploymentFile.requireAbsent")(function* (path: string) {
  const files = yield* FileSystem.FileSystem
  const exists = yield* Effect.mapError(files.exists(path), unusable(path))
  if (exists) return yield* new DeploymentFileExists({ path })
})

/** Writes the file, and never over another one. */
export const write = Effect.fn("DeploymentFile.write")(function* (
  path: string,
  deployment: Deployment
) {
  const files = yield* FileSystem.FileSystem
  yield* requireAbsent(path)
  const json = JSON.stringify(Schema.encodeSync(Deployment)(deployment), null, 2)
  // "wx": should a file have come up meanwhile, it stays as it is.
  yield* files
    .writeFileString(path, `${json}\n`, { flag: "wx" })
    .pipe(Effect.mapError(unusable(path)))
})

/** Reads the file, or says which field is not as it should be. */
export const read = Effect.fn("DeploymentFile.read")(function* (path: string) {
  const files = yield* FileSystem.FileSystem
  const text = yield* Effect.mapError(files.readFileString(path), unusable(path))
  return yield* Schema.decode(DeploymentJson)(text).pipe(
    Effect.mapError((error) => {
      const [issue] = ParseResult.ArrayFormatter.formatErrorSync(error)
      const place = issue === undefined || issue.path.length === 0 ? "it" : issue.path.join(".")
      const words = issue === undefined ? "is unreadable" : `is wrong: ${issue.message}`
      return new DeploymentFileMalformed({ path, issue: `${place} ${words}` })
    })
  )
})
