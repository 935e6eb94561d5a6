/**
 * The peer: `@ethereumjs/vm` with its cached Merkle state, sealing blocks of the same transactions. It
 * recovers the same signatures with the same native package, and keeps each block as rows in SQLite at
 * the durability of the log (WAL, synchronous FULL). Roots and header are made once a block.
 */
import { createBlock } from "@ethereumjs/block"
import { createCustomCommon, Hardfork, Mainnet } from "@ethereumjs/common"
import { createMPT } from "@ethereumjs/mpt"
import { Caches, MerkleStateManager } from "@ethereumjs/statemanager"
import { createTxFromRLP } from "@ethereumjs/tx"
import { Account, createAddressFromString } from "@ethereumjs/util"
import { createVM, encodeReceipt, type RunTxResult, runTx } from "@ethereumjs/vm"
import type { BlockContext } from "@ovm/protocol/BlockContext"
import type { Log } from "@ovm/protocol/Execution"
import type { Address, Hash32, Hex } from "@ovm/protocol/Primitives"
import Database from "better-sqlite3"
import secp256k1 from "secp256k1"
import { bytesToHex, concatBytes, numberToHex, toRlp } from "viem"
import { Stopwatch } from "./Sampling.ts"

export interface EvmTransaction {
  readonly success: boolean
  readonly gasUsed: bigint
  readonly logs: ReadonlyArray<Log>
  readonly returnData: Hex
  readonly contractAddress: Address | undefined
}

export interface EvmBlock {
  readonly transactions: ReadonlyArray<EvmTransaction>
  readonly gasUsed: bigint
}

export type EvmPart = "recovery" | "execution" | "stateRoot" | "append"

export interface EvmNode {
  readonly watch: Stopwatch<EvmPart>
  /** Runs the transactions as one block in this context, durable when it returns. */
  readonly seal: (context: BlockContext, raws: ReadonlyArray<Uint8Array>) => Promise<EvmBlock>
  readonly codeOf: (address: Address) => Promise<Uint8Array>
  readonly close: () => void
}

export interface EvmAccount {
  readonly balance: bigint
  readonly code?: Uint8Array
}

const left32 = (bytes: Uint8Array): Uint8Array =>
  concatBytes([new Uint8Array(32 - bytes.length), bytes])

/** As the library's own, which is JavaScript: the 64-byte public key. */
const ecrecover = (hash: Uint8Array, v: bigint, r: Uint8Array, s: Uint8Array): Uint8Array => {
  const recovery = v < 27n ? v : v - 27n
  const signature = concatBytes([left32(r), left32(s)])
  return secp256k1.ecdsaRecover(signature, Number(recovery), hash, false).slice(1)
}

const openRows = (filename: string) => {
  const database = new Database(filename)
  database.pragma("journal_mode = WAL")
  database.pragma("synchronous = FULL")
  database.exec(`CREATE TABLE blocks (number INTEGER PRIMARY KEY, hash BLOB NOT NULL, header BLOB NOT NULL) STRICT;
    CREATE TABLE transactions (block INTEGER NOT NULL, position INTEGER NOT NULL, hash BLOB NOT NULL,
      raw BLOB NOT NULL, receipt BLOB NOT NULL, PRIMARY KEY (block, position)) STRICT;`)
  const insertBlock = database.prepare("INSERT INTO blocks VALUES (?, ?, ?)")
  const insertTransaction = database.prepare("INSERT INTO transactions VALUES (?, ?, ?, ?, ?)")
  const write = database.transaction((block: Stored) => {
    insertBlock.run(block.number, block.hash, block.header)
    for (const [position, { hash, raw, receipt }] of block.transactions.entries()) {
      insertTransaction.run(block.number, position, hash, raw, receipt)
    }
  })
  return { write, close: () => database.close() }
}

interface Stored {
  readonly number: bigint
  readonly hash: Uint8Array
  readonly header: Uint8Array
  readonly transactions: ReadonlyArray<{
    readonly hash: Uint8Array
    readonly raw: Uint8Array
    readonly receipt: Uint8Array
  }>
}

const listRoot = async (values: ReadonlyArray<Uint8Array>): Promise<Uint8Array> => {
  const trie = await createMPT()
  for (const [index, value] of values.entries()) {
    await trie.put(toRlp(index === 0 ? "0x" : numberToHex(index), "bytes"), value)
  }
  return trie.root()
}

export const makeEvmNode = async (options: {
  readonly filename: string
  readonly chainId: number
  readonly accounts: ReadonlyMap<Address, EvmAccount>
}): Promise<EvmNode> => {
  const common = createCustomCommon({ chainId: options.chainId, name: "bench" }, Mainnet, {
    hardfork: Hardfork.Cancun,
    customCrypto: { ecrecover }
  })
  const state = new MerkleStateManager({ common, caches: new Caches() })
  for (const [address, { balance, code }] of options.accounts) {
    await state.putAccount(createAddressFromString(address), new Account(0n, balance))
    if (code !== undefined) await state.putCode(createAddressFromString(address), code)
  }
  await state.flush()
  const vm = await createVM({ common, stateManager: state })
  const rows = openRows(options.filename)
  const watch = new Stopwatch<EvmPart>()

  const seal: EvmNode["seal"] = async (context, raws) => {
    const header = {
      number: context.number,
      coinbase: context.coinbase,
      timestamp: context.timestamp,
      gasLimit: context.gasLimit,
      baseFeePerGas: context.baseFeePerGas,
      mixHash: context.prevRandao
    }
    const blockOptions = { common, skipConsensusFormatValidation: true, setHardfork: false }
    const txs = raws.map((raw) => createTxFromRLP(raw, { common }))
    // The library remembers the sender, as a mempool would make it do before a block is due.
    watch.sync("recovery", () => txs.map((tx) => tx.getSenderAddress()))
    const block = createBlock({ header }, blockOptions)
    const results = await watch.promise("execution", async () => {
      const done: Array<RunTxResult> = []
      let blockGasUsed = 0n
      await vm.evm.journal.checkpoint()
      for (const tx of txs) {
        const result = await runTx(vm, { tx, block, blockGasUsed })
        blockGasUsed += result.totalGasSpent
        done.push(result)
      }
      return done
    })
    const stateRoot = await watch.promise("stateRoot", async () => {
      await vm.evm.journal.commit()
      return state.getStateRoot()
    })
    const receipts = results.map(({ receipt }, index) =>
      encodeReceipt(receipt, txs[index]?.type ?? 0)
    )
    const gasUsed = results.reduce((sum, { totalGasSpent }) => sum + totalGasSpent, 0n)
    const sealed = createBlock(
      {
        header: {
          ...header,
          gasUsed,
          stateRoot,
          transactionsTrie: await listRoot(raws),
          receiptTrie: await listRoot(receipts)
        }
      },
      blockOptions
    )
    const transactions = txs.map((tx, index) => ({
      hash: tx.hash(),
      raw: raws[index] ?? new Uint8Array(0),
      receipt: receipts[index] ?? new Uint8Array(0)
    }))
    const { number } = context
    const stored = { number, hash: sealed.hash(), header: sealed.header.serialize(), transactions }
    watch.sync("append", () => rows.write(stored))
    return { gasUsed, transactions: results.map(toTransaction) }
  }

  return {
    watch,
    seal,
    codeOf: (address) => state.getCode(createAddressFromString(address)),
    close: rows.close
  }
}

const toTransaction = (result: RunTxResult): EvmTransaction => ({
  success: result.execResult.exceptionError === undefined,
  gasUsed: result.totalGasSpent,
  returnData: bytesToHex(result.execResult.returnValue),
  contractAddress: result.createdAddress?.toString(),
  logs: (result.execResult.logs ?? []).map(([address, topics, data]) => ({
    address: bytesToHex(address),
    topics: topics.map((topic): Hash32 => bytesToHex(topic)),
    data: bytesToHex(data)
  }))
})
