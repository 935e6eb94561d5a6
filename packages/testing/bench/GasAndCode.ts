/** Runs the example's transactions once on both machines: what each costs, and how T makes the code grow. */
import { join } from "node:path"
import { ExecutionManager } from "@ovm/execution-manager/ExecutionManager"
import type { BlockContext } from "@ovm/protocol/BlockContext"
import * as Genesis from "@ovm/protocol/Genesis"
import { WETH } from "@ovm/protocol/Predeploys"
import { type Address, ZERO_HASH } from "@ovm/protocol/Primitives"
import * as GenesisState from "@ovm/sequencer/GenesisState"
import { attempt } from "@ovm/state-manager/State"
import { StateManager } from "@ovm/state-manager/StateManager"
import { type Mode, transpile } from "@ovm/transpiler/Transpiler"
import { Effect } from "effect"
import {
  type Actor,
  BALANCE,
  BLOCK_GAS_LIMIT,
  CHAIN_ID,
  COINBASE,
  genesisOf,
  makeActor,
  type Request,
  signNext
} from "./Actors.ts"
import { type EvmNode, makeEvmNode } from "./EvmNode.ts"
import { WorkDiffers } from "./Sampling.ts"
import { type Member, story, weth9Code } from "./Story.ts"

export interface GasRow {
  readonly name: string
  readonly ovmGas: bigint
  readonly evmGas: bigint
}

export interface CodeRow {
  readonly name: string
  readonly mode: Mode
  /** Bytes. */
  readonly before: number
  readonly after: number
  readonly growth: number
}

export interface GasAndCode {
  readonly gas: ReadonlyArray<GasRow>
  readonly code: ReadonlyArray<CodeRow>
}

const SECONDS_PER_BLOCK = 12n

const contextOf = (number: bigint): BlockContext => ({
  chainId: BigInt(CHAIN_ID),
  number,
  timestamp: 1_700_000_000n + number * SECONDS_PER_BLOCK,
  gasLimit: BLOCK_GAS_LIMIT,
  baseFeePerGas: 1_000_000_000n,
  coinbase: COINBASE,
  prevRandao: ZERO_HASH,
  blobBaseFee: 1n,
  l1Origin: Genesis.make({ chainId: BigInt(CHAIN_ID) }).l1Origin,
  protocolVersion: 1
})

/** Actors and nonces are the same on both sides, and so are all addresses. */
export const measureGasAndCode = (directory: string) =>
  Effect.gen(function* () {
    const [deployer, user, friend] = [makeActor("d0"), makeActor("a1"), makeActor("f7")]
    const actors = [deployer, user]
    const manager = yield* ExecutionManager
    const states = yield* StateManager
    const state = yield* states.open(states.emptyRoot)
    yield* GenesisState.write(state, genesisOf(actors))
    const evm = yield* openEvm(directory, actors)
    const gas: Array<GasRow> = []

    const send = (name: string, actor: Actor, request: Request) =>
      Effect.gen(function* () {
        const transaction = yield* Effect.promise(() => signNext(actor, request))
        const context = contextOf(BigInt(gas.length + 1))
        const ovm = yield* manager.executeTransaction({ state, context, transaction })
        state.endTransaction()
        yield* attempt(() => state.flush())
        const block = yield* Effect.promise(() => evm.seal(context, [transaction]))
        const plain = block.transactions[0]
        const contractAddress = ovm.contractAddress
        const expected = `success ${plain?.success}, contract ${plain?.contractAddress}`
        const found = `success ${ovm.success}, contract ${contractAddress}`
        if (expected !== found || !ovm.success) {
          return yield* new WorkDiffers({ workload: name, what: "the outcome", expected, found })
        }
        gas.push({ name, ovmGas: ovm.gasUsed, evmGas: block.gasUsed })
        return { returnData: ovm.returnData, contractAddress }
      })

    const members = yield* story({ send, deployer, user, friend })
    const code: Array<CodeRow> = []
    for (const member of members) {
      const runtime = yield* attempt(() => state.getCode(member.address))
      code.push(...(yield* growthOf(member, runtime)))
    }
    return { gas, code } satisfies GasAndCode
  }).pipe(Effect.scoped)

const openEvm = (directory: string, actors: ReadonlyArray<Actor>) =>
  Effect.acquireRelease(
    Effect.promise(() =>
      makeEvmNode({
        filename: join(directory, "story.sqlite"),
        chainId: CHAIN_ID,
        accounts: new Map<Address, { balance: bigint; code?: Uint8Array }>([
          ...actors.map(({ address }) => [address, { balance: BALANCE }] as const),
          [WETH, { balance: 0n, code: weth9Code() }]
        ])
      })
    ),
    (node: EvmNode) => Effect.sync(node.close)
  )

const growthOf = ({ init, name }: Member, runtime: Uint8Array) =>
  Effect.gen(function* () {
    const rows = [yield* growth(name, "runtime", runtime)]
    if (init !== undefined) rows.push(yield* growth(name, "init", init))
    return rows
  })

const growth = (name: string, mode: Mode, original: Uint8Array) =>
  Effect.gen(function* () {
    const { code } = yield* transpile({ code: original, mode })
    const [before, after] = [original.length, code.length]
    return { name, mode, before, after, growth: after / before } satisfies CodeRow
  })
