/** Reads Ethereum state tests (`GeneralStateTests` JSON) into cases that a machine can run. */
import { FileSystem, Path } from "@effect/platform"
import type { Address, Hash32, Hex } from "@ovm/protocol/Primitives"
import { decode as decodeTransaction } from "@ovm/protocol/Transaction"
import { Array as Arr, Effect, Either, ParseResult, Schema } from "effect"
import { hexToBytes } from "viem"
import * as FixtureSchema from "./FixtureSchema.ts"
import { type WorldState, word } from "./WorldState.ts"

/** Block values that a case's transaction can see. */
export interface CaseEnvironment {
  readonly coinbase: Address
  readonly number: bigint
  /** Seconds since the Unix epoch. */
  readonly timestamp: bigint
  readonly gasLimit: bigint
  /** Wei per gas. */
  readonly baseFeePerGas: bigint
  readonly prevRandao: Hash32
  readonly excessBlobGas: bigint
  readonly chainId: bigint
}

/** One transaction, unsigned, with the key that signs it: the gas limit is still to be chosen. */
export interface CaseTransaction {
  readonly type: 0 | 1 | 2
  readonly nonce: bigint
  /** Wei per gas; for type 2 the caps below hold instead. */
  readonly gasPrice: bigint
  readonly maxFeePerGas: bigint
  readonly maxPriorityFeePerGas: bigint
  readonly gasLimit: bigint
  readonly to: Address | undefined
  readonly value: bigint
  readonly data: Hex
  readonly accessList: FixtureSchema.AccessList
  readonly secretKey: Hash32
  readonly sender: Address | undefined
  /** Whether the signature of a legacy transaction names its chain (EIP-155). */
  readonly replayProtected: boolean
  /** The signed bytes as the fixture gives them. */
  readonly raw: Hex | undefined
}

/** What the fixture says must come out. */
export interface CaseExpectation {
  readonly stateRoot: Hash32
  readonly logsHash: Hash32
  /** Why the transaction must be refused, if it must. */
  readonly exception: string | undefined
}

export interface CaseIdentity {
  readonly file: string
  readonly test: string
  /** Index into the fixture's list of outcomes for the fork. */
  readonly index: number
}

export interface StateTestCase {
  readonly identity: CaseIdentity
  readonly fork: string
  readonly environment: CaseEnvironment
  readonly pre: WorldState
  readonly transaction: CaseTransaction
  /** Undefined for a case that was made up here (fuzzing): the plain EVM alone is its oracle. */
  readonly expectation: CaseExpectation | undefined
}

/** A case that cannot be run here, and why. */
export interface UnsupportedCase {
  readonly identity: CaseIdentity
  readonly reason: string
}

export type LoadedCase =
  | { readonly _tag: "Runnable"; readonly stateTest: StateTestCase }
  | { readonly _tag: "Unsupported"; readonly unsupported: UnsupportedCase }

/** A path holds no fixture. Recover by naming a JSON file, or a folder that has some below it. */
export class FixtureNotFound extends Schema.TaggedError<FixtureNotFound>()("FixtureNotFound", {
  path: Schema.String,
  found: Schema.String
}) {
  override get message() {
    return `Expected a fixture file or a folder with *.json below it at ${this.path}, found ${this.found}.`
  }
}

/** A file is no JSON or no state test. Recover by repairing it, or by leaving it out. */
export class MalformedFixture extends Schema.TaggedError<MalformedFixture>()("MalformedFixture", {
  path: Schema.String,
  expected: Schema.String,
  found: Schema.String
}) {
  override get message() {
    return `Expected ${this.path} to hold ${this.expected}, found: ${this.found}`
  }
}

export type FixtureError = FixtureNotFound | MalformedFixture

/** Every fixture file at or below `paths`, in a stable order. Hidden folders are left out. */
export const findFixtures = Effect.fn("StateTestFixture.findFixtures")(function* (
  paths: ReadonlyArray<string>
) {
  const found = yield* Effect.forEach(paths, (path) => walk(path, true))
  return Arr.dedupe(found.flat())
})

/** The cases of one file at `fork`, in the file's order. */
export const loadFixture = Effect.fn("StateTestFixture.loadFixture")(function* (
  path: string,
  fork: string
) {
  const fileSystem = yield* FileSystem.FileSystem
  const text = yield* fileSystem
    .readFileString(path)
    .pipe(Effect.mapError((cause) => new FixtureNotFound({ path, found: cause.message })))
  return yield* parseFixture({ path, text, fork })
})

/** The cases in the JSON `text`, which came from `path`. */
export const parseFixture = (options: {
  readonly path: string
  readonly text: string
  readonly fork: string
}): Effect.Effect<ReadonlyArray<LoadedCase>, MalformedFixture> =>
  Effect.gen(function* () {
    const { fork, path, text } = options
    const json = yield* Effect.try({
      try: (): unknown => JSON.parse(text),
      catch: (cause) => malformed(path, "JSON", cause instanceof Error ? cause.message : "no JSON")
    })
    const tests = yield* decode(FixtureSchema.Fixture, path, json)
    const named = [...tests].filter(([name]) => !name.startsWith("_"))
    const cases = yield* Effect.forEach(named, ([test, value]) =>
      Effect.flatMap(decode(FixtureSchema.StateTest, `${path} (${test})`, value), (body) =>
        casesOf({ file: path, test, body, fork })
      )
    )
    return cases.flat()
  })

const decode = <A, I>(schema: Schema.Schema<A, I>, where: string, value: unknown) =>
  Schema.decodeUnknown(schema)(value).pipe(
    Effect.mapError((error) =>
      malformed(where, "state tests", ParseResult.TreeFormatter.formatErrorSync(error))
    )
  )

const malformed = (path: string, expected: string, found: string) =>
  new MalformedFixture({ path, expected, found })

const walk = (
  path: string,
  named: boolean
): Effect.Effect<ReadonlyArray<string>, FixtureNotFound, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const fileSystem = yield* FileSystem.FileSystem
    const paths = yield* Path.Path
    const asNotFound = Effect.mapError(
      (cause: { readonly message: string }) => new FixtureNotFound({ path, found: cause.message })
    )
    const info = yield* asNotFound(fileSystem.stat(path))
    if (info.type === "File") return named || path.endsWith(".json") ? [path] : []
    if (info.type !== "Directory") return []
    const names = yield* asNotFound(fileSystem.readDirectory(path))
    const visible = names.filter((name) => !name.startsWith(".")).sort()
    const found = yield* Effect.forEach(visible, (name) => walk(paths.join(path, name), false))
    const files = found.flat()
    if (named && files.length === 0) {
      return yield* new FixtureNotFound({ path, found: "a folder without any" })
    }
    return files
  })

const casesOf = (options: {
  readonly file: string
  readonly test: string
  readonly body: FixtureSchema.StateTest
  readonly fork: string
}): Effect.Effect<ReadonlyArray<LoadedCase>, MalformedFixture> => {
  const { body, file, fork, test } = options
  const outcomes = body.post[fork]
  if (outcomes === undefined) {
    const forks = Object.keys(body.post).join(", ")
    const reason = `the fixture has no outcome for ${fork}, only for ${forks}`
    return Effect.succeed([unsupported({ file, test, index: 0 }, reason)])
  }
  return Effect.forEach(outcomes, (outcome, index) =>
    caseOf({ identity: { file, test, index }, body, outcome, fork })
  )
}

/** The one fork whose opcodes the OVM has. */
export const PINNED_FORK = "Cancun"

const unsupported = (identity: CaseIdentity, reason: string): LoadedCase => ({
  _tag: "Unsupported",
  unsupported: { identity, reason }
})

const caseOf = (options: {
  readonly identity: CaseIdentity
  readonly body: FixtureSchema.StateTest
  readonly outcome: FixtureSchema.Outcome
  readonly fork: string
}): Effect.Effect<LoadedCase, MalformedFixture> =>
  Effect.gen(function* () {
    const { body, fork, identity, outcome } = options
    if (fork !== PINNED_FORK)
      return unsupported(identity, `the fork ${fork} does not run in the OVM`)
    const { transaction } = body
    if (transaction.blobVersionedHashes !== undefined) {
      return unsupported(identity, "blob transactions (EIP-4844) do not run in the OVM")
    }
    if (transaction.authorizationList !== undefined) {
      return unsupported(identity, "set-code transactions (EIP-7702) do not run in the OVM")
    }
    const { secretKey } = transaction
    if (secretKey === undefined) {
      return unsupported(identity, "no secretKey: the transaction cannot be signed with more gas")
    }
    return {
      _tag: "Runnable",
      stateTest: {
        identity,
        fork,
        environment: environmentOf(body),
        pre: preOf(body),
        transaction: yield* transactionOf(identity, transaction, outcome, secretKey),
        expectation: {
          stateRoot: outcome.hash,
          logsHash: outcome.logs,
          exception: outcome.expectException
        }
      }
    }
  })

const environmentOf = ({ config, env }: FixtureSchema.StateTest): CaseEnvironment => ({
  coinbase: env.currentCoinbase,
  number: env.currentNumber,
  timestamp: env.currentTimestamp,
  gasLimit: env.currentGasLimit,
  baseFeePerGas: env.currentBaseFee ?? 10n,
  prevRandao: word(env.currentRandom ?? env.currentDifficulty ?? 0n),
  excessBlobGas: env.currentExcessBlobGas ?? 0n,
  chainId: config?.chainid ?? env.currentChainID ?? 1n
})

const transactionOf = (
  identity: CaseIdentity,
  fields: FixtureSchema.Transaction,
  outcome: FixtureSchema.Outcome,
  secretKey: Hash32
): Effect.Effect<CaseTransaction, MalformedFixture> =>
  Effect.gen(function* () {
    const pick = <A>(name: string, values: ReadonlyArray<A>, index: number) => {
      const value = values[index]
      const found = `${values.length} entries`
      const where = `${identity.file} (${identity.test} ${identity.index})`
      return value === undefined
        ? Effect.fail(malformed(where, `transaction.${name}[${index}]`, found))
        : Effect.succeed(value)
    }
    const { indexes } = outcome
    const accessList = fields.accessLists?.[indexes.data]
    const feeMarket = fields.maxFeePerGas !== undefined
    const gasPrice = fields.gasPrice ?? 0n
    return {
      type: feeMarket ? 2 : accessList === undefined || accessList === null ? 0 : 1,
      nonce: fields.nonce,
      gasPrice,
      maxFeePerGas: fields.maxFeePerGas ?? gasPrice,
      maxPriorityFeePerGas: fields.maxPriorityFeePerGas ?? 0n,
      gasLimit: yield* pick("gasLimit", fields.gasLimit, indexes.gas),
      to: fields.to,
      value: yield* pick("value", fields.value, indexes.value),
      data: yield* pick("data", fields.data, indexes.data),
      accessList: accessList ?? [],
      secretKey,
      sender: fields.sender,
      replayProtected: isReplayProtected(outcome.txbytes),
      raw: outcome.txbytes
    }
  })

const ZERO_WORD = word(0n)

/** A slot spelled out as zero is no slot at all. */
const preOf = ({ pre }: FixtureSchema.StateTest): WorldState =>
  new Map(
    Array.from(pre, ([address, account]) => {
      const slots = [...account.storage].filter(([, value]) => value !== ZERO_WORD)
      return [address, { ...account, storage: new Map(slots) }]
    })
  )

const isReplayProtected = (raw: Hex | undefined): boolean =>
  raw !== undefined &&
  Either.match(decodeTransaction(hexToBytes(raw)), {
    onLeft: () => false,
    onRight: (transaction) => transaction.type === 0 && transaction.chainId !== undefined
  })
