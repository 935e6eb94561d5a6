/**
 * Blocks of the same transactions, sealed by the OVM's node and by the plain EVM in turn; then the log
 * replayed, in turn with another node that seals them once more.
 */
import { join } from "node:path"
import { WETH as WethArtifact } from "@ovm/contracts"
import { WETH } from "@ovm/protocol/Predeploys"
import type { Address } from "@ovm/protocol/Primitives"
import * as ChainReplay from "@ovm/sequencer/ChainReplay"
import type { ChainBlock } from "@ovm/sequencer/ChainIndex"
import { Sequencer } from "@ovm/sequencer/Sequencer"
import { type Context, Effect, Option } from "effect"
import { hexToBytes } from "viem"
import { BALANCE, CHAIN_ID, genesisOf } from "./Actors.ts"
import { type EvmBlock, type EvmNode, makeEvmNode } from "./EvmNode.ts"
import { layerNode, layerReplay, type OvmPart } from "./OvmNode.ts"
import { median, nowMs, Stopwatch, WorkDiffers } from "./Sampling.ts"
import { makeScene, prepare, type Workload } from "./Workload.ts"

export interface Side {
  readonly transactionsPerSecond: number
  /** Of one transaction, milliseconds. */
  readonly totalMs: number
  readonly executionMs: number
  readonly stateRootMs: number
  readonly appendMs: number
  /** Gas of one transaction, in the machine's own units. */
  readonly gas: number
}

/** Of one block. A busy machine stretches the clock's time, hardly the processor's. */
export interface Spent {
  readonly wallMs: number
  readonly cpuMs: number
}

export interface Replay {
  /** From the first transaction submitted to the block durable. */
  readonly live: Spent
  /** Of that, sealing: what a replay repeats. */
  readonly sealing: Spent
  readonly replay: Spent
}

export interface WorkloadResult {
  readonly name: Workload["name"]
  readonly blocks: number
  readonly transactionsPerBlock: number
  readonly ovm: Side
  readonly evm: Side & { readonly recoveryMs: number }
  /** Log entries that a transaction leaves, the same ones on both sides. */
  readonly logsPerTransaction: number
  readonly firstBlock: bigint
  readonly lastBlock: bigint
  readonly replay: Replay
}

export interface ThroughputOptions {
  readonly directory: string
  readonly transactionsPerBlock: number
  /** Blocks that count, behind those that warm up. */
  readonly blocks: Readonly<Record<Workload["name"], number>>
}

const WARM_UP_BLOCKS = 2

export interface Throughput {
  readonly logFile: string
  readonly workloads: ReadonlyArray<WorkloadResult>
}

export const measureThroughput = (options: ThroughputOptions) =>
  Effect.gen(function* () {
    const scene = makeScene()
    const actors = [scene.deployer, ...scene.traders]
    const prepared = yield* Effect.promise(() => prepare(scene))
    const logFile = join(options.directory, "chain.sqlite")
    const watch = new Stopwatch<OvmPart>()
    const evm = yield* Effect.acquireRelease(
      Effect.promise(() =>
        makeEvmNode({
          filename: join(options.directory, "plain.sqlite"),
          chainId: CHAIN_ID,
          accounts: new Map<Address, { balance: bigint; code?: Uint8Array }>([
            ...actors.map(({ address }) => [address, { balance: BALANCE }] as const),
            [WETH, { balance: 0n, code: hexToBytes(WethArtifact.deployedBytecode) }]
          ])
        })
      ),
      (node) => Effect.sync(node.close)
    )
    const live = yield* Effect.gen(function* () {
      const blocks = [...prepared.setup]
      for (const block of prepared.setup) yield* sealBoth(evm, watch, "the setup", block)
      const measured: Array<Live> = []
      for (const workload of prepared.workloads) {
        measured.push(yield* measureLive({ evm, watch, workload, options, blocks }))
      }
      return { measured, blocks }
    }).pipe(Effect.provide(layerNode({ genesis: genesisOf(actors), logFile, watch })))
    const again = layerNode({
      genesis: genesisOf(actors),
      logFile: join(options.directory, "again.sqlite"),
      watch: new Stopwatch<OvmPart>()
    })
    const { blocks } = live
    const spent = yield* Effect.flatMap(Sequencer, (sequencer) =>
      Effect.provide(replayInTurn(sequencer, blocks), layerReplay(logFile))
    ).pipe(Effect.provide(again))
    const workloads = live.measured.map((one) => resultOf(one, spent))
    return { logFile, workloads } satisfies Throughput
  }).pipe(Effect.scoped)

interface BlockTimes {
  readonly number: bigint
  readonly ovm: {
    readonly totalMs: number
    readonly parts: Readonly<Record<OvmPart, number>>
    readonly gas: bigint
  }
  readonly evm: {
    readonly totalMs: number
    readonly parts: Readonly<Record<OvmPart | "recovery", number>>
    readonly gas: bigint
  }
  readonly logs: number
}

interface Live {
  readonly workload: Workload
  readonly times: ReadonlyArray<BlockTimes>
  readonly transactionsPerBlock: number
}

const measureLive = (options: {
  readonly evm: EvmNode
  readonly watch: Stopwatch<OvmPart>
  readonly workload: Workload
  readonly options: ThroughputOptions
  /** Transactions of block 1, 2, ...: grows. */
  readonly blocks: Array<ReadonlyArray<Uint8Array>>
}) =>
  Effect.gen(function* () {
    const { blocks, evm, watch, workload } = options
    const { transactionsPerBlock } = options.options
    const times: Array<BlockTimes> = []
    const count = WARM_UP_BLOCKS + options.options.blocks[workload.name]
    for (let block = 0; block < count; block++) {
      const raws = yield* Effect.promise(() => workload.next(transactionsPerBlock))
      blocks.push(raws)
      const sealed = yield* sealBoth(evm, watch, workload.name, raws)
      if (block >= WARM_UP_BLOCKS) times.push(sealed)
    }
    return { workload, times, transactionsPerBlock } satisfies Live
  })

/** One block on each machine, the OVM's first: the EVM gets its order and its context. */
const sealBoth = (
  evm: EvmNode,
  watch: Stopwatch<OvmPart>,
  workload: string,
  raws: ReadonlyArray<Uint8Array>
) =>
  Effect.gen(function* () {
    const sequencer = yield* Sequencer
    const started = nowMs()
    for (const raw of raws) yield* sequencer.submit(raw)
    takeOvm(watch)
    const block = Option.getOrThrow(yield* sequencer.seal)
    const sealed = nowMs()
    const parts = takeOvm(watch)
    const ordered = block.transactions.map(({ raw }) => raw)
    const evmStarted = nowMs()
    const plain = yield* Effect.promise(() => evm.seal(block.context, ordered))
    const evmTotalMs = nowMs() - evmStarted
    yield* sameWork(workload, raws.length, block, plain)
    return {
      number: block.header.number,
      ovm: {
        totalMs: sealed - started,
        parts,
        gas: block.header.gasUsed
      },
      evm: { totalMs: evmTotalMs, parts: takeEvm(evm), gas: plain.gasUsed },
      logs: plain.transactions.reduce((sum, { logs }) => sum + logs.length, 0)
    } satisfies BlockTimes
  })

const takeOvm = (watch: Stopwatch<OvmPart>) => ({
  execution: watch.take("execution"),
  stateRoot: watch.take("stateRoot"),
  append: watch.take("append")
})

const takeEvm = ({ watch }: EvmNode) => ({
  recovery: watch.take("recovery"),
  execution: watch.take("execution"),
  stateRoot: watch.take("stateRoot"),
  append: watch.take("append")
})

/** Every transaction is in the block, succeeded on both sides, and left the same logs. */
const sameWork = (workload: string, count: number, ovm: ChainBlock, evm: EvmBlock) =>
  Effect.gen(function* () {
    const same = (what: string, expected: string, found: string) =>
      expected === found
        ? Effect.void
        : Effect.fail(new WorkDiffers({ workload, what, expected, found }))
    yield* same("the number of transactions", `${count}`, `${ovm.transactions.length}`)
    for (const [index, { receipt }] of ovm.transactions.entries()) {
      const plain = evm.transactions[index]
      yield* same(`success of transaction ${index}`, "true", `${receipt.status === 1}`)
      yield* same(`success of transaction ${index}`, `${plain?.success}`, "true")
      const texts = [plain?.logs ?? [], receipt.logs].map((logs) =>
        JSON.stringify(logs.map(({ address, data, topics }) => [address, topics, data]))
      )
      yield* same(`the logs of transaction ${index}`, texts[0] ?? "", texts[1] ?? "")
    }
  })

interface InTurn {
  readonly live: ReadonlyMap<bigint, Spent>
  readonly sealing: ReadonlyMap<bigint, Spent>
  readonly replay: ReadonlyMap<bigint, Spent>
}

/** Seals a block on a node of its own, then lets the replay run the same block, and so on. */
const replayInTurn = (
  sequencer: Context.Tag.Service<Sequencer>,
  blocks: ReadonlyArray<ReadonlyArray<Uint8Array>>
) =>
  Effect.gen(function* () {
    const live = new Map<bigint, Spent>()
    const sealing = new Map<bigint, Spent>()
    const replay = new Map<bigint, Spent>()
    const sealNext = (number: bigint) =>
      Effect.gen(function* () {
        const spent = startSpending()
        for (const raw of blocks[Number(number) - 1] ?? []) yield* sequencer.submit(raw)
        const spentSealing = startSpending()
        yield* sequencer.seal
        sealing.set(number, spentSealing())
        live.set(number, spent())
      })
    yield* sealNext(1n)
    let spent = startSpending()
    yield* ChainReplay.replay({
      onBlock: ({ header }) =>
        Effect.gen(function* () {
          replay.set(header.number, spent())
          yield* sealNext(header.number + 1n)
          spent = startSpending()
        }).pipe(Effect.orDie)
    })
    return { live, sealing, replay } satisfies InTurn
  })

const startSpending = (): (() => Spent) => {
  const started = nowMs()
  const cpu = process.cpuUsage()
  return () => {
    const { system, user } = process.cpuUsage(cpu)
    return { wallMs: nowMs() - started, cpuMs: (user + system) / 1_000 }
  }
}

const medianSpent = (values: ReadonlyArray<Spent>): Spent => ({
  wallMs: median(values.map(({ wallMs }) => wallMs)),
  cpuMs: median(values.map(({ cpuMs }) => cpuMs))
})

const resultOf = (
  { times, transactionsPerBlock, workload }: Live,
  spent: InTurn
): WorkloadResult => {
  const perTransaction = (pick: (block: BlockTimes) => number) =>
    median(times.map(pick)) / transactionsPerBlock
  const gasOf = (pick: (block: BlockTimes) => bigint) => perTransaction((one) => Number(pick(one)))
  const ovmMs = perTransaction(({ ovm }) => ovm.totalMs)
  const evmMs = perTransaction(({ evm }) => evm.totalMs)
  return {
    name: workload.name,
    blocks: times.length,
    transactionsPerBlock,
    ovm: {
      transactionsPerSecond: 1_000 / ovmMs,
      totalMs: ovmMs,
      executionMs: perTransaction(({ ovm }) => ovm.parts.execution),
      stateRootMs: perTransaction(({ ovm }) => ovm.parts.stateRoot),
      appendMs: perTransaction(({ ovm }) => ovm.parts.append),
      gas: gasOf(({ ovm }) => ovm.gas)
    },
    evm: {
      transactionsPerSecond: 1_000 / evmMs,
      totalMs: evmMs,
      recoveryMs: perTransaction(({ evm }) => evm.parts.recovery),
      executionMs: perTransaction(({ evm }) => evm.parts.execution),
      stateRootMs: perTransaction(({ evm }) => evm.parts.stateRoot),
      appendMs: perTransaction(({ evm }) => evm.parts.append),
      gas: gasOf(({ evm }) => evm.gas)
    },
    logsPerTransaction: perTransaction(({ logs }) => logs),
    firstBlock: times[0]?.number ?? 0n,
    lastBlock: times.at(-1)?.number ?? 0n,
    replay: {
      live: medianSpent(times.flatMap(({ number }) => spent.live.get(number) ?? [])),
      sealing: medianSpent(times.flatMap(({ number }) => spent.sealing.get(number) ?? [])),
      replay: medianSpent(times.flatMap(({ number }) => spent.replay.get(number) ?? []))
    }
  }
}
