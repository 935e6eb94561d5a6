/** What convinces L1 that a withdrawal was sent: made of any `eth_getProof` answer, and checked before it costs gas. */
import { MESSAGE_PASSER } from "@ovm/protocol/Predeploys"
import type { Address, Hash32, Hex } from "@ovm/protocol/Primitives"
import { attempt } from "@ovm/state-manager/State"
import * as EthereumJsTrie from "@ovm/state-manager/EthereumJsTrie"
import * as NodeStore from "@ovm/state-manager/NodeStore"
import * as StateManager from "@ovm/state-manager/StateManager"
import { Effect, Layer, Schema } from "effect"
import { encodeAbiParameters, hexToBytes, parseAbiParameters } from "viem"
import * as Withdrawal from "./Withdrawal.ts"

/** The part of an EIP-1186 answer that is needed: viem's `getProof`, a node's, or our StateManager's. */
export interface EthProof {
  readonly address: Address
  readonly accountProof: ReadonlyArray<Hex>
  readonly storageProof: ReadonlyArray<{
    readonly key: Hex
    readonly value: bigint
    readonly proof: ReadonlyArray<Hex>
  }>
}

/** The answer is for another account, or lacks the withdrawal's slot. Recover by asking with `question`. */
export class ProofOfSomethingElse extends Schema.TaggedError<ProofOfSomethingElse>()(
  "ProofOfSomethingElse",
  { expectedSlot: Schema.String, address: Schema.String, slots: Schema.Array(Schema.String) }
) {
  override get message() {
    return (
      `Expected a proof of slot ${this.expectedSlot} of ${MESSAGE_PASSER}, ` +
      `found slots [${this.slots.join(", ")}] of ${this.address}. Ask eth_getProof with \`question\`.`
    )
  }
}

/** The nodes don't lead from the state root to the withdrawal. Recover by asking for a proof at the claim's block. */
export class WithdrawalNotProven extends Schema.TaggedError<WithdrawalNotProven>()(
  "WithdrawalNotProven",
  { withdrawalHash: Schema.String, stateRoot: Schema.String, reason: Schema.String }
) {
  override get message() {
    return (
      `Expected the state ${this.stateRoot} to hold withdrawal ${this.withdrawalHash}: ` +
      `${this.reason}. Ask for a proof at the block of the claim, which must not be older.`
    )
  }
}

/** What to ask `eth_getProof` for, at the block of the claim. */
export const question = (withdrawal: Withdrawal.Withdrawal) => ({
  address: MESSAGE_PASSER,
  storageKeys: [Withdrawal.storageSlot(Withdrawal.hash(withdrawal))]
})

/** The bytes that `L1Bridge.finalizeWithdrawal` takes. */
export const encode = Effect.fn("WithdrawalProof.encode")(function* (options: {
  readonly withdrawal: Withdrawal.Withdrawal
  readonly claimIndex: bigint
  readonly proof: EthProof
}) {
  const { accountProof, storageProof } = yield* relevant(options.withdrawal, options.proof)
  return encodeAbiParameters(
    parseAbiParameters([
      "Withdrawal withdrawal, uint256 claimIndex, bytes[] accountProof, bytes[] storageProof",
      "struct Withdrawal { uint256 nonce; address sender; address target; uint256 value; uint256 gasLimit; bytes data; }"
    ]),
    [options.withdrawal, options.claimIndex, accountProof, storageProof]
  )
})

/** Reads the proof as L1 will: succeeds if it shows, from `stateRoot` down, that the withdrawal was sent. */
export const verify = Effect.fn("WithdrawalProof.verify")(function* (options: {
  readonly withdrawal: Withdrawal.Withdrawal
  readonly stateRoot: Hash32
  readonly proof: EthProof
}) {
  const { stateRoot, withdrawal } = options
  const withdrawalHash = Withdrawal.hash(withdrawal)
  const { accountProof, storageProof } = yield* relevant(withdrawal, options.proof)
  const refused = (reason: string) => new WithdrawalNotProven({ withdrawalHash, stateRoot, reason })
  // A state that holds nothing but the proof's nodes: each is found by its hash only.
  const nodes = [...accountProof, ...storageProof].map((node) => hexToBytes(node))
  const states = StateManager.layer.pipe(
    Layer.provide([
      Layer.succeed(NodeStore.NodeStore, NodeStore.makeMemory(nodes)),
      EthereumJsTrie.layer
    ])
  )
  const word = yield* Effect.gen(function* () {
    const state = yield* (yield* StateManager.StateManager).open(stateRoot)
    const slot = Withdrawal.storageSlot(withdrawalHash)
    return yield* attempt(() => state.getStorage(MESSAGE_PASSER, slot))
  }).pipe(
    Effect.provide(states),
    Effect.mapError((error) => refused(error.message))
  )
  if (BigInt(word) !== 1n) return yield* refused(`its slot holds ${BigInt(word)}, not 1`)
})

/** Proof from our own state: the one that the claim's block left. */
export const fromState = Effect.fn("WithdrawalProof.fromState")(function* (options: {
  readonly withdrawal: Withdrawal.Withdrawal
  readonly stateRoot: Hash32
}) {
  const states = yield* StateManager.StateManager
  const { address, storageKeys } = question(options.withdrawal)
  return yield* states.prove({ root: options.stateRoot, address, slots: storageKeys })
})

const relevant = (withdrawal: Withdrawal.Withdrawal, proof: EthProof) => {
  const slot = Withdrawal.storageSlot(Withdrawal.hash(withdrawal))
  // Some clients answer keys without leading zeros.
  const entry = proof.storageProof.find(({ key }) => BigInt(key) === BigInt(slot))
  if (proof.address.toLowerCase() !== MESSAGE_PASSER || entry === undefined) {
    return Effect.fail(
      new ProofOfSomethingElse({
        expectedSlot: slot,
        address: proof.address,
        slots: proof.storageProof.map(({ key }) => key)
      })
    )
  }
  return Effect.succeed({ accountProof: proof.accountProof, storageProof: entry.proof })
}
