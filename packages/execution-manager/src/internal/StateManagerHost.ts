/** Serves IStateManager to ExecutionManager.sol: the "slight modification" of the EVM on L2. */
import {
  bytesToBigInt,
  bytesToHex,
  concatBytes,
  hexToBytes,
  numberToBytes,
  numberToHex,
  toFunctionSelector
} from "viem"
import type { Address, Hash32 } from "@ovm/protocol/Primitives"
import { EMPTY_CODE_HASH, type State } from "@ovm/state-manager/State"
import { CodeNotExecutable, type CodeRegistry } from "../CodeRegistry.ts"
import type { EngineHost } from "../Engine.ts"

const word = (value: bigint | number | boolean): Uint8Array =>
  numberToBytes(typeof value === "boolean" ? (value ? 1n : 0n) : BigInt(value), { size: 32 })

const addressWord = (address: Address): Uint8Array => {
  const bytes = new Uint8Array(32)
  bytes.set(hexToBytes(address), 12)
  return bytes
}

/** The tail of an ABI-encoded `bytes`: length, bytes, padding. */
const bytesTail = (bytes: Uint8Array): Uint8Array => {
  const tail = new Uint8Array(32 + Math.ceil(bytes.length / 32) * 32)
  tail.set(word(bytes.length))
  tail.set(bytes, 32)
  return tail
}

const NOTHING = new Uint8Array(0)

/** Reads ABI words of a call. The manager's encoding is our own, so a short call reads as zeros. */
class Arguments {
  readonly #data: Uint8Array

  constructor(data: Uint8Array) {
    this.#data = data
  }

  #word(index: number): Uint8Array {
    return this.#data.subarray(4 + 32 * index, 36 + 32 * index)
  }

  address(index: number): Address {
    return bytesToHex(this.#word(index).subarray(12))
  }

  hash(index: number): Hash32 {
    return bytesToHex(this.#word(index))
  }

  uint(index: number): bigint {
    return bytesToBigInt(this.#word(index))
  }

  bytes(index: number): Uint8Array {
    const start = 4 + Number(this.uint(index))
    const size = Number(bytesToBigInt(this.#data.subarray(start, start + 32)))
    return this.#data.slice(start + 32, start + 32 + size)
  }
}

type Handler = (host: StateManagerHost, call: Arguments) => Promise<Uint8Array>

/** The first native address of a run's contract code; the next code gets the next one. */
const FIRST_NATIVE = 0x4200000000000000000000000000000000100000n

export class StateManagerHost implements EngineHost {
  readonly served: Address
  readonly #state: State
  readonly #registry: typeof CodeRegistry.Service
  readonly #predeployed: ReadonlyMap<Address, Uint8Array>
  /** Native code that this run has come across. */
  readonly #native = new Map<Address, Uint8Array>()
  /** Where it stands, by the original's hash: counted, so that no two can meet at one address. */
  readonly #nativeAddresses = new Map<Hash32, Address>()
  /** Originals that this run has come across: code and initcode by hash. */
  readonly #originals = new Map<Hash32, Uint8Array>()
  readonly #ownerOfCode = new Map<Hash32, Address>()
  #openCheckpoints = 0

  constructor(options: {
    readonly served: Address
    readonly state: State
    readonly registry: typeof CodeRegistry.Service
    /** The manager and its helpers. */
    readonly predeployed: ReadonlyMap<Address, Uint8Array>
  }) {
    this.served = options.served
    this.#state = options.state
    this.#registry = options.registry
    this.#predeployed = options.predeployed
  }

  codeAt(address: Address): Uint8Array | undefined {
    return this.#predeployed.get(address) ?? this.#native.get(address)
  }

  checkpoint(): void {
    this.#openCheckpoints++
    this.#state.checkpoint()
  }

  commit(): void {
    this.#openCheckpoints--
    this.#state.commit()
  }

  revert(): void {
    this.#openCheckpoints--
    this.#state.revert()
  }

  /** Undoes a run that was torn apart in the midst of its frames. */
  undoAll(): void {
    while (this.#openCheckpoints > 0) this.revert()
  }

  async serve(calldata: Uint8Array): Promise<Uint8Array> {
    const handler = HANDLERS.get(bytesToHex(calldata.subarray(0, 4)))
    if (handler === undefined) {
      throw new Error(`Expected a function of IStateManager, found ${bytesToHex(calldata)}.`)
    }
    return handler(this, new Arguments(calldata))
  }

  async getAccount(address: Address): Promise<Uint8Array> {
    const account = await this.#state.getAccount(address)
    if (account === undefined) return new Uint8Array(96)
    this.#ownerOfCode.set(account.codeHash, address)
    return concatBytes([word(account.nonce), word(account.balance), hexToBytes(account.codeHash)])
  }

  async setNonce(address: Address, nonce: bigint): Promise<Uint8Array> {
    const balance = (await this.#state.getAccount(address))?.balance ?? 0n
    await this.#state.setAccount(address, { nonce, balance })
    return NOTHING
  }

  async setBalance(address: Address, balance: bigint): Promise<Uint8Array> {
    const nonce = (await this.#state.getAccount(address))?.nonce ?? 0n
    await this.#state.setAccount(address, { nonce, balance })
    return NOTHING
  }

  async transfer(from: Address, to: Address, amount: bigint): Promise<Uint8Array> {
    const payer = await this.#state.getAccount(from)
    const balance = payer?.balance ?? 0n
    if (balance < amount) return word(false)
    if (from !== to && amount > 0n) {
      await this.setBalance(from, balance - amount)
      await this.setBalance(to, ((await this.#state.getAccount(to))?.balance ?? 0n) + amount)
    }
    return word(true)
  }

  async getStorage(address: Address, slot: Hash32): Promise<Uint8Array> {
    return hexToBytes(await this.#state.getStorage(address, slot))
  }

  async setStorage(address: Address, slot: Hash32, value: Hash32): Promise<Uint8Array> {
    await this.#state.setStorage(address, slot, value)
    return NOTHING
  }

  async hasStorage(address: Address): Promise<Uint8Array> {
    return word(await this.#state.hasStorage(address))
  }

  async getCodeSize(address: Address): Promise<Uint8Array> {
    return word((await this.#state.getCode(address)).length)
  }

  async getExecutable(address: Address): Promise<Uint8Array> {
    const account = await this.#state.getAccount(address)
    if (account === undefined || account.codeHash === EMPTY_CODE_HASH) return new Uint8Array(64)
    const { codeHash } = account
    let native = this.#nativeAddresses.get(codeHash)
    if (native === undefined) {
      const original = await this.#state.getCode(address)
      const prepared = this.#registry.prepare(original, "runtime", codeHash)
      if ("refusal" in prepared) {
        throw new CodeNotExecutable({ codeHash, size: original.length, reason: prepared.refusal })
      }
      this.#originals.set(codeHash, original)
      native = this.#place(codeHash, prepared.transpilation.code)
    }
    return concatBytes([addressWord(native), hexToBytes(codeHash)])
  }

  async copyCode(codeHash: Hash32, offset: bigint, size: bigint): Promise<Uint8Array> {
    const owner = this.#ownerOfCode.get(codeHash)
    const original =
      this.#originals.get(codeHash) ??
      (owner === undefined ? NOTHING : await this.#state.getCode(owner))
    const copy = new Uint8Array(Number(size))
    if (offset < BigInt(original.length)) {
      const start = Number(offset)
      copy.set(original.subarray(start, start + copy.length))
    }
    return concatBytes([word(32), bytesTail(copy)])
  }

  async prepareInitCode(initCode: Uint8Array): Promise<Uint8Array> {
    const prepared = this.#registry.prepare(initCode, "init")
    this.#originals.set(prepared.codeHash, initCode)
    const ok = !("refusal" in prepared)
    const executable = ok ? prepared.transpilation.code : NOTHING
    return concatBytes([word(ok), hexToBytes(prepared.codeHash), word(96), bytesTail(executable)])
  }

  async prepareCode(code: Uint8Array): Promise<Uint8Array> {
    const prepared = this.#registry.prepare(code, "runtime")
    if ("refusal" in prepared) return word(false)
    this.#originals.set(prepared.codeHash, code)
    return word(true)
  }

  #place(codeHash: Hash32, executable: Uint8Array): Address {
    const native = numberToHex(FIRST_NATIVE + BigInt(this.#native.size), { size: 20 })
    this.#native.set(native, executable)
    this.#nativeAddresses.set(codeHash, native)
    return native
  }

  async setCode(address: Address, codeHash: Hash32): Promise<Uint8Array> {
    const code = this.#originals.get(codeHash)
    if (code === undefined)
      throw new Error(`Expected code ${codeHash} to be prepared, but it is not.`)
    await this.#state.setCode(address, code)
    return NOTHING
  }

  async deleteAccount(address: Address): Promise<Uint8Array> {
    await this.#state.deleteAccount(address)
    return NOTHING
  }
}

const HANDLERS: ReadonlyMap<string, Handler> = new Map(
  Object.entries<Handler>({
    "getAccount(address)": (host, call) => host.getAccount(call.address(0)),
    "setNonce(address,uint256)": (host, call) => host.setNonce(call.address(0), call.uint(1)),
    "setBalance(address,uint256)": (host, call) => host.setBalance(call.address(0), call.uint(1)),
    "transfer(address,address,uint256)": (host, call) =>
      host.transfer(call.address(0), call.address(1), call.uint(2)),
    "getStorage(address,bytes32)": (host, call) => host.getStorage(call.address(0), call.hash(1)),
    "setStorage(address,bytes32,bytes32)": (host, call) =>
      host.setStorage(call.address(0), call.hash(1), call.hash(2)),
    "hasStorage(address)": (host, call) => host.hasStorage(call.address(0)),
    "getCodeSize(address)": (host, call) => host.getCodeSize(call.address(0)),
    "getExecutable(address)": (host, call) => host.getExecutable(call.address(0)),
    "copyCode(bytes32,uint256,uint256)": (host, call) =>
      host.copyCode(call.hash(0), call.uint(1), call.uint(2)),
    "prepareInitCode(bytes)": (host, call) => host.prepareInitCode(call.bytes(0)),
    "prepareCode(bytes)": (host, call) => host.prepareCode(call.bytes(0)),
    "setCode(address,bytes32)": (host, call) => host.setCode(call.address(0), call.hash(1)),
    "deleteAccount(address)": (host, call) => host.deleteAccount(call.address(0)),
    // The node ends transactions itself, by `State.endTransaction`.
    "commit()": async () => NOTHING
  }).map(([signature, handler]) => [toFunctionSelector(signature), handler])
)
