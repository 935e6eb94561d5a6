/** L2 states that hold withdrawals, and the bytes that prove them: computed here once more, apart from the packages. */
import type { Address, Hash32, Hex } from "@ovm/protocol/Primitives"
import { layerMemory, StateManager } from "@ovm/state-manager/StateManager"
import { Effect } from "effect"
import { encodeAbiParameters, keccak256, numberToHex, parseAbiParameters, toBytes } from "viem"

const PASSER: Address = "0x4200000000000000000000000000000000000016"

export interface Withdrawal {
  readonly nonce: bigint
  readonly sender: Address
  readonly target: Address
  readonly value: bigint
  readonly gasLimit: bigint
  readonly data: Hex
}

export const withdrawalHash = (w: Withdrawal): Hash32 =>
  keccak256(
    encodeAbiParameters(parseAbiParameters("uint256, address, address, uint256, uint256, bytes"), [
      w.nonce,
      w.sender,
      w.target,
      w.value,
      w.gasLimit,
      w.data
    ])
  )

export const sentMessageSlot = (hash: Hash32): Hash32 =>
  keccak256(encodeAbiParameters(parseAbiParameters("bytes32, uint256"), [hash, 0n]))

export interface ProofParts {
  readonly withdrawal: Withdrawal
  readonly claimIndex: bigint
  readonly accountProof: ReadonlyArray<Hex>
  readonly storageProof: ReadonlyArray<Hex>
}

export const encodeProof = ({
  accountProof,
  claimIndex,
  storageProof,
  withdrawal
}: ProofParts): Hex =>
  encodeAbiParameters(
    parseAbiParameters([
      "Withdrawal withdrawal, uint256 claimIndex, bytes[] accountProof, bytes[] storageProof",
      "struct Withdrawal { uint256 nonce; address sender; address target; uint256 value; uint256 gasLimit; bytes data; }"
    ]),
    [withdrawal, claimIndex, accountProof, storageProof]
  )

/** An L2 state in which these were sent, among other accounts and slots. */
export const stateWith = (withdrawals: ReadonlyArray<Withdrawal>, neighbours = 40) =>
  Effect.gen(function* () {
    const states = yield* StateManager
    const state = yield* states.open(states.emptyRoot)
    const root = yield* Effect.promise(async () => {
      for (let n = 1; n <= neighbours; n++) {
        await state.setAccount(numberToHex(n, { size: 20 }), { nonce: 0n, balance: BigInt(n) })
      }
      await state.setAccount(PASSER, { nonce: 1n, balance: 10n ** 20n })
      await state.setCode(PASSER, toBytes("0x60"))
      await state.setStorage(PASSER, numberToHex(1, { size: 32 }), numberToHex(99, { size: 32 }))
      for (let n = 0; n < neighbours; n++) {
        const hash = keccak256(numberToHex(n, { size: 32 }))
        await state.setStorage(PASSER, sentMessageSlot(hash), numberToHex(1, { size: 32 }))
      }
      for (const withdrawal of withdrawals) {
        const slot = sentMessageSlot(withdrawalHash(withdrawal))
        await state.setStorage(PASSER, slot, numberToHex(1, { size: 32 }))
      }
      state.endTransaction()
      return state.flush()
    })
    const prove = (address: Address, slot: Hash32) =>
      Effect.runPromise(states.prove({ root, address, slots: [slot] }))
    const proofOf = async (withdrawal: Withdrawal, claimIndex: bigint): Promise<ProofParts> => {
      const proof = await prove(PASSER, sentMessageSlot(withdrawalHash(withdrawal)))
      return {
        withdrawal,
        claimIndex,
        accountProof: proof.accountProof,
        storageProof: proof.storageProof[0]?.proof ?? []
      }
    }
    return { root, prove, proofOf }
  }).pipe(Effect.provide(layerMemory), Effect.runPromise)
