/** BENCHMARKS.md: what was measured, as a person reads it, and which expectations it met. */
import type { BatchesRow } from "./Batches.ts"
import type { Environment } from "./Environment.ts"
import type { CodeRow, GasAndCode } from "./GasAndCode.ts"
import type { LogBytesRow } from "./LogBytes.ts"
import type { Recovery } from "./Recovery.ts"
import type { Side, Spent, WorkloadResult } from "./Throughput.ts"

/** A row as the event log's own benchmark gives it. */
export interface LogRow {
  readonly name: string
  readonly value: number
  readonly unit: string
  readonly expected?: string
}

export interface Results {
  readonly environment: Environment
  readonly seconds: number
  readonly workloads: ReadonlyArray<WorkloadResult>
  readonly recovery: Recovery
  readonly gasAndCode: GasAndCode
  readonly log: ReadonlyArray<LogRow>
  readonly logBytes: ReadonlyArray<LogBytesRow>
  readonly batches: ReadonlyArray<BatchesRow>
}

export interface Target {
  readonly what: string
  readonly expected: string
  readonly measured: string
  readonly met: boolean
}

/** From here on a contract's size decides whether it fits; small ones grow by what every contract needs. */
const LARGE_BYTES = 10_000
const GROWTH_MAX = 1.25
const CODE_BYTES_MAX = 24_576
const STORED_MAX = 1.2

const number = (value: number, digits = 2): string =>
  value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits })
const times = (value: number): string => `${number(value)}x`
const integer = (value: number | bigint): string => value.toLocaleString("en-US")

/** Columns are padded, as the formatter would have them. */
const table = (head: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = head.map((_, column) =>
    Math.max(3, ...[head, ...rows].map((cells) => (cells[column] ?? "").length))
  )
  const line = (cells: ReadonlyArray<string>) =>
    `| ${cells.map((cell, column) => pad(cell, widths[column] ?? 0, column)).join(" | ")} |`
  const rule = widths.map((width, column) =>
    column === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`
  )
  return [line(head), `| ${rule.join(" | ")} |`, ...rows.map(line)].join("\n")
}

const pad = (cell: string, width: number, column: number): string =>
  column === 0 ? cell.padEnd(width) : cell.padStart(width)

const runtimeGrowth = ({ code }: GasAndCode): ReadonlyArray<CodeRow> =>
  code.filter(({ mode }) => mode === "runtime")

export const targetsOf = (results: Results): ReadonlyArray<Target> => {
  const large = runtimeGrowth(results.gasAndCode).filter(({ before }) => before >= LARGE_BYTES)
  const worst = Math.max(...large.map(({ growth }) => growth))
  const router = large.find(({ name }) => name === "V2 Router02")
  return [
    {
      what: `code growth, runtime code of ${integer(LARGE_BYTES)} bytes and more`,
      expected: `<= ${GROWTH_MAX}x`,
      measured: `at most ${number(worst, 3)}x`,
      met: worst <= GROWTH_MAX
    },
    {
      what: "Router02, transpiled",
      expected: `<= ${integer(CODE_BYTES_MAX)} bytes`,
      measured: `${integer(router?.after ?? Number.NaN)} bytes`,
      met: router !== undefined && router.after <= CODE_BYTES_MAX
    },
    ...results.log.flatMap(logTarget),
    ...results.logBytes.map(({ name, payloadBytes, storedBytes }) => ({
      what: `stored / payload, blocks of: ${name}`,
      expected: `<= ${STORED_MAX}x`,
      measured: times(storedBytes / payloadBytes),
      met: storedBytes / payloadBytes <= STORED_MAX
    })),
    ...results.workloads.map(({ name, replay }) => {
      const ratio = replay.live.cpuMs / replay.replay.cpuMs
      return {
        what: `speed of replay / live, processor time, ${name}`,
        expected: ">= 1.00x",
        measured: times(ratio),
        met: ratio >= 1
      }
    })
  ]
}

const logTarget = ({ expected, name, value }: LogRow): ReadonlyArray<Target> => {
  const [, comparison, bound] = /^(<=|>=) ([0-9.]+)$/.exec(expected ?? "") ?? []
  if (expected === undefined || bound === undefined) return []
  const met = comparison === "<=" ? value <= Number(bound) : value >= Number(bound)
  return [{ what: name, expected: `${expected}x`, measured: times(value), met }]
}

export const render = (results: Results): string =>
  [
    "# Benchmarks",
    introduction(results),
    "## Expected at least",
    table(
      ["", "expected", "measured", ""],
      targetsOf(results).map(({ expected, measured, met, what }) => [
        what,
        expected,
        measured,
        met ? "met" : "**not met**"
      ])
    ),
    "## Next to the plain EVM",
    NEXT_TO_THE_EVM,
    ...results.workloads.map(workloadTable),
    "### Signature recovery",
    recoveryTable(results.recovery),
    "## Gas",
    GAS,
    gasTable(results.gasAndCode),
    "## Code growth",
    "Original and transpiled bytes of every contract of the example. `init` is creation code with its arguments.",
    codeTable(results.gasAndCode),
    "## The log",
    LOG,
    table(
      ["", "measured", "expected"],
      results.log.map(({ expected, name, unit, value }) => [
        name,
        `${number(value, value < 100 ? 2 : 0)} ${unit}`,
        expected ?? ""
      ])
    ),
    "Bytes of one transaction in the log, its share of the block's two other events included:",
    logBytesTable(results.logBytes),
    "## Batches on L1",
    BATCHES,
    batchesTable(results.batches),
    "## Replay",
    REPLAY,
    replayTable(results.workloads)
  ].join("\n\n")

const introduction = ({ environment, seconds }: Results): string => {
  const { date, load, machine, versions } = environment
  const used = Object.entries(versions).map(([name, version]) => `${name} ${version}`)
  return [
    "Written by `pnpm bench`; `pnpm bench --quick` prints a shorter run. Times are medians, and a",
    "ratio's two sides were measured in turn in one process.\n",
    `- Date: ${date}, ${integer(Math.round(seconds))} s`,
    `- Machine: ${machine}`,
    `- Load average (1 min): ${number(load.before)} before, ${number(load.after)} after. Above the number of cores, other work slowed both sides.`,
    `- ${used.join(", ")}`
  ].join("\n")
}

const NEXT_TO_THE_EVM = `The same signed transactions, the same original bytecode, blocks of equal content. The OVM's node is the one
that is shipped: mempool, ExecutionManager.sol in \`@ethereumjs/evm\`, a state root for every transaction, one durable append
a block. The peer is \`@ethereumjs/vm\` with its cached Merkle state, roots once a block, rows in SQLite at the same durability,
signatures recovered by the same native package. Both left the same logs for every transaction, or the run would have failed. The swap goes from one ERC-20
to another through Router02. The manager recovers the sender a second time, within "execution".`

const workloadTable = (result: WorkloadResult): string => {
  const { blocks, evm, logsPerTransaction, name, ovm, transactionsPerBlock } = result
  const row = (what: string, pick: (side: Side) => number, digits = 2) => [
    what,
    number(pick(ovm), digits),
    number(pick(evm), digits),
    times(pick(ovm) / pick(evm))
  ]
  const megagas = (side: Side, totalMs: number) => side.gas / totalMs / 1_000
  const sum = ({ appendMs, executionMs, stateRootMs }: Side) => appendMs + executionMs + stateRootMs
  const restOvm = ovm.totalMs - sum(ovm)
  const restEvm = evm.totalMs - sum(evm) - evm.recoveryMs
  return [
    `### ${name}`,
    `${blocks} blocks of ${transactionsPerBlock}; ${number(logsPerTransaction, 0)} log entries a transaction.`,
    table(
      ["", "OVM", "plain EVM", "OVM / EVM"],
      [
        row("transactions/s, submitted to durable", (side) => side.transactionsPerSecond, 1),
        row("Mgas/s, end to end, own gas", (side) => megagas(side, side.totalMs)),
        row("Mgas/s, execution only, own gas", (side) => megagas(side, side.executionMs)),
        row("gas a transaction", (side) => side.gas, 0),
        row("ms a transaction", (side) => side.totalMs),
        row("- execution", (side) => side.executionMs),
        row("- state root", (side) => side.stateRootMs),
        row("- append", (side) => side.appendMs),
        [
          "- the rest: decoding, receipts, header; the OVM's admission, the EVM's recovery",
          number(restOvm),
          number(restEvm + evm.recoveryMs),
          times(restOvm / (restEvm + evm.recoveryMs))
        ]
      ]
    )
  ].join("\n\n")
}

const recoveryTable = ({ nativeUs, nobleUs, pureUs }: Recovery): string =>
  table(
    ["", "µs", "of the native"],
    [
      ["secp256k1, native", number(nativeUs, 0), times(1)],
      ["secp256k1/elliptic, its JavaScript fallback", number(pureUs, 0), times(pureUs / nativeUs)],
      ["@noble/curves", number(nobleUs, 0), times(nobleUs / nativeUs)]
    ]
  )

const GAS = `Gas used by the transactions of the example, in its order. OVM prices are constant: each operation costs what it costs at
worst. WETH is the predeploy in the OVM, and WETH9 at the same address in the EVM.`

const gasTable = ({ gas }: GasAndCode): string =>
  table(
    ["", "OVM gas", "EVM gas", "OVM / EVM"],
    gas.map(({ evmGas, name, ovmGas }) => [
      name,
      integer(ovmGas),
      integer(evmGas),
      times(Number(ovmGas) / Number(evmGas))
    ])
  )

const codeTable = ({ code }: GasAndCode): string =>
  table(
    ["", "code", "before", "after", "growth"],
    code.map(({ after, before, growth, mode, name }) => [
      name,
      mode,
      integer(before),
      integer(after),
      `${number(growth, 3)}x`
    ])
  )

const LOG = `Appends through the event log (encode, hash, guard, fsync) next to better-sqlite3 inserting the encoded rows at the same
durability. A ratio above 1 means that the log is faster.`

const logBytesTable = (rows: ReadonlyArray<LogBytesRow>): string =>
  table(
    ["", "transactions", "signed bytes", "payload bytes", "stored bytes", "stored / payload"],
    rows.map(({ name, payloadBytes, rawBytes, storedBytes, transactions }) => [
      name,
      integer(transactions),
      number(rawBytes, 0),
      number(payloadBytes, 0),
      number(storedBytes, 0),
      times(storedBytes / payloadBytes)
    ])
  )

const BATCHES = `Bytes and L1 gas of one transaction in a batch: random amounts, recipients and senders, blocks of 20, each signature 64 bytes
that nothing compresses. The payload has the blocks' context besides, and a contract can undo it. Gas is calldata's at the floor of
EIP-7623, 21,000 of the L1 transaction included; what \`appendBatch\` executes is below the floor, so it adds nothing.`

const batchesTable = (rows: ReadonlyArray<BatchesRow>): string =>
  table(
    ["", "transactions", "bytes", "L1 gas"],
    rows.flatMap(({ name, posted, transactions }) =>
      posted.map((way) => [
        `${name}: ${way.name}`,
        integer(transactions),
        number(way.bytes, 1),
        number(way.l1Gas, 0)
      ])
    )
  )

const REPLAY = `Milliseconds a block, live and replay block by block in turn. Live is from the first transaction submitted to the block durable;
sealing is what a replay repeats: execution, roots, receipts, header. A replay reads the block from the log, does all that, and
compares everything. Processor time is what counts where other work is on the machine.`

const replayTable = (workloads: ReadonlyArray<WorkloadResult>): string =>
  table(
    ["", "live", "of that, sealing", "replay", "live / replay", "sealing / replay"],
    workloads.flatMap(({ name, replay: { live, replay, sealing } }) =>
      [
        { clock: "clock", ms: ({ wallMs }: Spent) => wallMs },
        { clock: "processor", ms: ({ cpuMs }: Spent) => cpuMs }
      ].map(({ clock, ms }) => [
        `${name}, ${clock}`,
        number(ms(live), 0),
        number(ms(sealing), 0),
        number(ms(replay), 0),
        times(ms(live) / ms(replay)),
        times(ms(sealing) / ms(replay))
      ])
    )
  )
