/** Where a chain starts: its settings and every account that exists before the first block. */
import { Schema } from "effect"
import { keccak256 } from "viem"
import type { BlockContext } from "./BlockContext.ts"
import { L1Origin } from "./BlockContext.ts"
import * as Block from "./Block.ts"
import { EMPTY_BLOOM } from "./Bloom.ts"
import { ETH_CAP, HISTORY_STORAGE, MESSAGE_PASSER } from "./Predeploys.ts"
import { Address, Hash32, Hex, ZERO_ADDRESS, ZERO_HASH } from "./Primitives.ts"

export const GenesisAccount = Schema.Struct({
  address: Address,
  /** Wei. */
  balance: Schema.NonNegativeBigInt,
  nonce: Schema.NonNegativeBigInt,
  /** Original EVM bytecode; "0x" for a plain account. */
  code: Hex,
  storage: Schema.Array(Schema.Struct({ slot: Hash32, value: Hash32 }))
})
export type GenesisAccount = typeof GenesisAccount.Type

export const Genesis = Schema.Struct({
  chainId: Schema.NonNegativeBigInt,
  /** Seconds since the Unix epoch; block 1 is later than that. */
  timestamp: Schema.NonNegativeBigInt,
  /** Gas units that all transactions of one block may use together, in every block. */
  gasLimit: Schema.NonNegativeBigInt,
  /** Wei per gas in block 0; the fee market moves it from there. */
  baseFeePerGas: Schema.NonNegativeBigInt,
  /** Receives the priority fees of every block. */
  coinbase: Address,
  l1Origin: L1Origin,
  /** Version of the transpiler T and of the gas schedule. */
  protocolVersion: Schema.NonNegativeInt,
  /** In ascending order of address, each once. */
  accounts: Schema.Array(GenesisAccount)
})
export type Genesis = typeof Genesis.Type

/** What an account has at the start; what is left out is zero or empty. */
export interface Allocation {
  /** Wei. */
  readonly balance?: bigint
  readonly nonce?: bigint
  readonly code?: Hex
  readonly storage?: Readonly<Record<Hash32, Hash32>>
}

export interface GenesisOptions extends Partial<Omit<Genesis, "accounts">> {
  readonly chainId: bigint
  /** Plain accounts with their balances, or anything else that shall exist at the start. */
  readonly allocations?: Readonly<Record<Address, Allocation>>
  /** Runtime code by address, on top of `STANDARD_PREDEPLOYS`: the WETH predeploy, for one. */
  readonly predeploys?: Readonly<Record<Address, Hex>>
}

/** CREATE2 for everyone: deploys calldata[32:] under the salt calldata[0:32]. */
export const CREATE2_DEPLOYER: Address = "0x4e59b44847b379578588920ca78fbf26c0b4956c"
/** The same proxy where the tools of Safe expect it. */
export const SAFE_SINGLETON_FACTORY: Address = "0x914d7fec6aac8cd542e72bca78b30650d45643d7"

const DEPLOYMENT_PROXY_CODE: Hex =
  "0x7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe03601600081602082378035828234f58015156039578182fd5b8082525050506014600cf3"

/** EIP-2935: answers block hashes to contracts that ask for one. */
const HISTORY_STORAGE_CODE: Hex =
  "0x3373fffffffffffffffffffffffffffffffffffffffe14604657602036036042575f35600143038111604257611fff81430311604257611fff9006545f5260205ff35b5f5ffd5b5f35611fff60014303065500"

/**
 * Contracts that are elsewhere deployed by pre-signed transactions. The gas in those signatures
 * can't suffice here, so these exist from the start.
 */
export const STANDARD_PREDEPLOYS: Readonly<Record<Address, Hex>> = {
  [HISTORY_STORAGE]: HISTORY_STORAGE_CODE,
  [CREATE2_DEPLOYER]: DEPLOYMENT_PROXY_CODE,
  [SAFE_SINGLETON_FACTORY]: DEPLOYMENT_PROXY_CODE
}

export const DEFAULT_GAS_LIMIT = 30_000_000n
export const DEFAULT_BASE_FEE_PER_GAS = 1_000_000_000n

/** The allocations hold more ETH than there is. Recover by allocating less. */
export class AllocationsExceedCap extends Schema.TaggedError<AllocationsExceedCap>()(
  "AllocationsExceedCap",
  { allocated: Schema.NonNegativeBigInt, cap: Schema.NonNegativeBigInt }
) {
  override get message() {
    return `Expected genesis to allocate at most ${this.cap} wei, found ${this.allocated}.`
  }
}

/**
 * Wei that the reserve starts with: all that these accounts don't have. Nothing on L2 makes or
 * destroys ETH, so deposits come out of the reserve and withdrawals go into it.
 */
export const reserveFor = (accounts: Iterable<Pick<GenesisAccount, "address" | "balance">>) => {
  let allocated = 0n
  for (const { address, balance } of accounts) {
    if (address !== MESSAGE_PASSER) allocated += balance
  }
  if (allocated > ETH_CAP) throw new AllocationsExceedCap({ allocated, cap: ETH_CAP })
  return ETH_CAP - allocated
}

/**
 * A genesis with the usual settings where `options` names none. The reserve gets all ETH that is
 * not allocated, whatever balance `options` gives it.
 */
export const make = (options: GenesisOptions): Genesis => {
  const accounts = new Map<Address, GenesisAccount>()
  const predeploys = { ...STANDARD_PREDEPLOYS, ...options.predeploys }
  // EIP-161: a contract starts at nonce 1.
  for (const [address, code] of entries(predeploys)) {
    accounts.set(address, { ...accountOf(address, { nonce: 1n, code }) })
  }
  for (const [address, allocation] of entries(options.allocations ?? {})) {
    const predeploy = predeploys[address]
    const code = predeploy === undefined ? {} : { nonce: 1n, code: predeploy }
    accounts.set(address, accountOf(address, { ...code, ...allocation }))
  }
  const passer = accounts.get(MESSAGE_PASSER) ?? accountOf(MESSAGE_PASSER, {})
  accounts.set(MESSAGE_PASSER, { ...passer, balance: reserveFor(accounts.values()) })
  return {
    chainId: options.chainId,
    timestamp: options.timestamp ?? 0n,
    gasLimit: options.gasLimit ?? DEFAULT_GAS_LIMIT,
    baseFeePerGas: options.baseFeePerGas ?? DEFAULT_BASE_FEE_PER_GAS,
    coinbase: options.coinbase ?? ZERO_ADDRESS,
    l1Origin: options.l1Origin ?? { number: 0n, hash: ZERO_HASH },
    protocolVersion: options.protocolVersion ?? 1,
    accounts: [...accounts.values()].sort((a, b) => (a.address < b.address ? -1 : 1))
  }
}

/** The context of block 0, in which no transaction runs. */
export const context = (genesis: Genesis): BlockContext => ({
  chainId: genesis.chainId,
  number: 0n,
  timestamp: genesis.timestamp,
  gasLimit: genesis.gasLimit,
  baseFeePerGas: genesis.baseFeePerGas,
  coinbase: genesis.coinbase,
  prevRandao: prevRandao(genesis.chainId, 0n),
  blobBaseFee: 1n,
  l1Origin: genesis.l1Origin,
  protocolVersion: genesis.protocolVersion
})

/** The header of block 0, whose state is the genesis accounts alone. */
export const header = (genesis: Genesis, stateRoot: Hash32): Block.BlockHeader =>
  Block.makeHeader({
    parentHash: ZERO_HASH,
    context: context(genesis),
    outcome: {
      stateRoot,
      transactionsRoot: Block.EMPTY_TRIE_ROOT,
      receiptsRoot: Block.EMPTY_TRIE_ROOT,
      logsBloom: EMPTY_BLOOM,
      gasUsed: 0n
    }
  })

/**
 * A rollup has no beacon chain to draw randomness from: PREVRANDAO differs per block and chain, and
 * anyone can know it in advance.
 */
export const prevRandao = (chainId: bigint, blockNumber: bigint): Hash32 => {
  const bytes = new Uint8Array(64)
  const view = new DataView(bytes.buffer)
  view.setBigUint64(24, BigInt.asUintN(64, chainId))
  view.setBigUint64(56, BigInt.asUintN(64, blockNumber))
  return keccak256(bytes)
}

const accountOf = (address: Address, allocation: Allocation): GenesisAccount => ({
  address,
  balance: allocation.balance ?? 0n,
  nonce: allocation.nonce ?? 0n,
  code: allocation.code ?? "0x",
  storage: entries(allocation.storage ?? {})
    .map(([slot, value]) => ({ slot, value }))
    .sort((a, b) => (a.slot < b.slot ? -1 : 1))
})

const entries = <K extends string, V>(record: Readonly<Record<K, V>>): ReadonlyArray<[K, V]> => {
  const out: Array<[K, V]> = []
  for (const key in record) out.push([key, record[key]])
  return out
}
