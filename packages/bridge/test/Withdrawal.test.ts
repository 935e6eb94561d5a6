/** Withdrawals, their proofs and their status, as values. */
import { describe, expect, it } from "@effect/vitest"
import * as contracts from "@ovm/contracts"
import { MESSAGE_PASSER } from "@ovm/protocol/Predeploys"
import type { Address, Hash32, Hex } from "@ovm/protocol/Primitives"
import { layerMemory, StateManager } from "@ovm/state-manager/StateManager"
import { Effect, Option } from "effect"
import {
  encodeAbiParameters,
  encodeEventTopics,
  keccak256,
  numberToHex,
  parseAbiParameters
} from "viem"
import {
  encodeProof,
  sentMessageSlot,
  withdrawalHash
} from "../../../contracts/test/support/Withdrawals.ts"
import * as Withdrawal from "../src/Withdrawal.ts"
import * as WithdrawalProof from "../src/WithdrawalProof.ts"
import {
  decide,
  type L1Facts,
  type Obstacle,
  type SentWithdrawal
} from "../src/WithdrawalStatus.ts"

const ALICE: Address = "0x00000000000000000000000000000000000a11ce"
const withdrawal: Withdrawal.Withdrawal = {
  ...{ nonce: 3n, sender: ALICE, target: ALICE, value: 7n, gasLimit: 50_000n, data: "0x1234" }
}

const word = (value: number): Hash32 => numberToHex(value, { size: 32 })

/** A state that holds the withdrawal. */
const sentState = Effect.gen(function* () {
  const states = yield* StateManager
  const state = yield* states.open(states.emptyRoot)
  const stateRoot = yield* Effect.promise(async () => {
    for (let n = 1; n < 30; n++) {
      await state.setAccount(numberToHex(n, { size: 20 }), { nonce: 1n, balance: 1n })
    }
    await state.setAccount(MESSAGE_PASSER, { nonce: 1n, balance: 1n })
    for (let n = 0; n < 30; n++) await state.setStorage(MESSAGE_PASSER, word(n), word(n + 2))
    await state.setStorage(MESSAGE_PASSER, sentMessageSlot(withdrawalHash(withdrawal)), word(1))
    state.endTransaction()
    return state.flush()
  })
  return { states, stateRoot, proof: yield* WithdrawalProof.fromState({ withdrawal, stateRoot }) }
})

describe("a withdrawal", () => {
  it("has the hash and the slot that L1 computes", () => {
    expect(Withdrawal.hash(withdrawal)).toBe(withdrawalHash(withdrawal))
    expect(Withdrawal.storageSlot(withdrawalHash(withdrawal))).toBe(
      sentMessageSlot(withdrawalHash(withdrawal))
    )
  })

  it("is read out of the passer's log, and out of no other", () => {
    const { abi } = contracts.L2ToL1MessagePasser
    const args = { nonce: 3n, sender: ALICE, target: ALICE }
    const topics = encodeEventTopics({ abi, eventName: "WithdrawalInitiated", args })
    const log = {
      address: MESSAGE_PASSER,
      topics: topics.map((topic): Hex => (typeof topic === "string" ? topic : "0x")),
      data: encodeAbiParameters(parseAbiParameters("uint256, uint256, bytes, bytes32"), [
        ...([7n, 50_000n, "0x1234", withdrawalHash(withdrawal)] as const)
      ])
    }
    expect(Withdrawal.fromLog(log)).toEqual(Option.some(withdrawal))
    expect(Withdrawal.fromLogs([{ ...log, address: ALICE }, { ...log, topics: [] }, log])).toEqual([
      withdrawal
    ])
  })
})

describe("a proof", () => {
  it.effect("is encoded as L1 reads it, from any answer to the right question", () =>
    Effect.gen(function* () {
      const { proof } = yield* sentState
      const encoded = yield* WithdrawalProof.encode({ withdrawal, claimIndex: 4n, proof })
      expect(encoded).toBe(
        encodeProof({
          ...{ withdrawal, claimIndex: 4n, accountProof: proof.accountProof },
          storageProof: proof.storageProof[0]?.proof ?? []
        })
      )
      const other = { ...withdrawal, nonce: 4n }
      const wrong = yield* Effect.flip(
        WithdrawalProof.encode({ withdrawal: other, claimIndex: 4n, proof })
      )
      expect(wrong).toMatchObject({
        _tag: "ProofOfSomethingElse",
        expectedSlot: sentMessageSlot(withdrawalHash(other))
      })
    }).pipe(Effect.provide(layerMemory))
  )

  it.effect(
    "is checked here as L1 will: right, tampered with, incomplete, of what was not sent",
    () =>
      Effect.gen(function* () {
        const { proof, stateRoot, states } = yield* sentState
        yield* WithdrawalProof.verify({ withdrawal, stateRoot, proof })
        const refused = (changed: Partial<Parameters<typeof WithdrawalProof.verify>[0]>) =>
          Effect.map(
            Effect.flip(WithdrawalProof.verify({ withdrawal, stateRoot, proof, ...changed })),
            ({ _tag }) => _tag
          )
        expect(yield* refused({ stateRoot: keccak256("0x") })).toBe("WithdrawalNotProven")
        for (const [i, node] of proof.accountProof.entries()) {
          const flipped = `${node.slice(0, -1)}${node.endsWith("0") ? "1" : "0"}` as Hex
          const accountProof = proof.accountProof.map((old, j) => (j === i ? flipped : old))
          expect(yield* refused({ proof: { ...proof, accountProof } })).toBe("WithdrawalNotProven")
        }
        expect(yield* refused({ proof: { ...proof, accountProof: [] } })).toBe(
          "WithdrawalNotProven"
        )
        const unsent = { ...withdrawal, value: 8n }
        const absence = yield* states.prove({
          ...{ root: stateRoot, address: MESSAGE_PASSER },
          slots: [sentMessageSlot(withdrawalHash(unsent))]
        })
        expect(yield* refused({ withdrawal: unsent, proof: absence })).toBe("WithdrawalNotProven")
        expect(yield* refused({ proof: { ...proof, address: ALICE } })).toBe("ProofOfSomethingElse")
      }).pipe(Effect.provide(layerMemory))
  )
})

describe("the status", () => {
  const sent: SentWithdrawal = {
    ...{ withdrawal, withdrawalHash: withdrawalHash(withdrawal), l2BlockNumber: 10n }
  }
  const l1: L1Facts = {
    ...{ now: 1_000n, challengePeriodSeconds: 600n, pausedUntil: 0n },
    ...{ finalized: Option.none(), claim: Option.none() }
  }
  const claim = {
    index: 2n,
    blockNumber: 12n,
    disputed: false,
    obstacle: { _tag: "None" } as const,
    finalAt: 1_100n
  }
  const of = (facts: Partial<L1Facts>, lastBatchedBlock = 20n) =>
    decide({ sent, l1: { ...l1, ...facts }, lastBatchedBlock })

  it("follows the withdrawal's way", () => {
    expect(of({}, 9n)).toMatchObject({ _tag: "InL2Block", secondsLeftMin: 600n })
    expect(of({}, 10n)).toMatchObject({ _tag: "Batched", secondsLeftMin: 600n })
    expect(of({ claim: Option.some(claim) })).toMatchObject({
      ...{ _tag: "Claimed", claimIndex: 2n, finalAt: 1_100n, secondsLeft: 100n }
    })
    const ripe = { ...claim, finalAt: 1_000n }
    expect(of({ claim: Option.some(ripe) })).toMatchObject({
      ...{ _tag: "ReadyToFinalize", claimIndex: 2n, proofBlockNumber: 12n }
    })
    expect(of({ finalized: Option.some({ success: true }) })).toMatchObject({
      _tag: "Finalized",
      value: 7n
    })
    expect(of({ finalized: Option.some({ success: false }) })).toMatchObject({
      _tag: "Failed",
      value: 7n
    })
  })

  it("tells what holds it up", () => {
    expect(of({ claim: Option.some({ ...claim, disputed: true }) })._tag).toBe("Disputed")
    const behind = (obstacle: Obstacle) =>
      of({ claim: Option.some({ ...claim, finalAt: 900n, obstacle }) })
    // Its own clock ran out, but an earlier claim is disputed, or was for so long that it ends later.
    expect(behind({ _tag: "Disputed" })._tag).toBe("Disputed")
    expect(behind({ _tag: "Clock", finalAt: 1_200n })).toMatchObject({
      ...{ _tag: "Claimed", finalAt: 1_200n, secondsLeft: 200n }
    })
    expect(behind({ _tag: "TooManyClaims" })).toMatchObject({
      ...{ _tag: "Claimed", secondsLeft: 0n, nextStep: expect.stringContaining("finalizeUpTo") }
    })
    const ripe = Option.some({ ...claim, finalAt: 900n })
    expect(of({ claim: ripe, pausedUntil: 1_030n })).toMatchObject({
      ...{ _tag: "Paused", until: 1_030n, secondsLeft: 30n }
    })
  })
})
