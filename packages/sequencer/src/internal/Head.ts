/** The end of the chain: what is known of it, and what follows from it for the next block. */
import type { BlockContext, L1Origin } from "@ovm/protocol/BlockContext"
import type { Genesis } from "@ovm/protocol/Genesis"
import type { Address } from "@ovm/protocol/Primitives"
import type { ChainRolledBack } from "@ovm/protocol/RollupEvent"
import { attempt, EMPTY_CODE_HASH, type State, type StateError } from "@ovm/state-manager/State"
import { Clock, Effect } from "effect"
import type { SenderAccount } from "../Admission.ts"
import type { ChainBlock, ChainIndex } from "../ChainIndex.ts"
import type { BlockRecord } from "../ChainLog.ts"
import { nextBaseFee } from "../FeeMarket.ts"
import { laterOrigin, nextContext } from "../NextBlock.ts"
import type { ChainHead } from "./StartChain.ts"

export class Head {
  readonly genesis: Genesis
  readonly index: ChainIndex
  #state: State

  constructor(genesis: Genesis, { index, state }: ChainHead) {
    this.genesis = genesis
    this.index = index
    this.#state = state
  }

  /** Behind the last block. Fork it before writing. */
  get state(): State {
    return this.#state
  }

  /** Wei per gas in the next block. */
  get baseFeePerGas(): bigint {
    return nextBaseFee(this.index.head.header)
  }

  account(address: Address): Effect.Effect<SenderAccount, StateError> {
    return Effect.map(
      attempt(() => this.#state.fork().getAccount(address)),
      (account) => ({
        nonce: account?.nonce ?? 0n,
        balance: account?.balance ?? 0n,
        hasCode: account !== undefined && account.codeHash !== EMPTY_CODE_HASH
      })
    )
  }

  /** The context of a block that asks for this time and L1 origin. */
  contextFor(asked: { readonly nowMs: number; readonly l1Origin: L1Origin }): BlockContext {
    const { context, header } = this.index.head
    return nextContext({
      genesis: this.genesis,
      parent: header,
      l1Origin: laterOrigin(context.l1Origin, asked.l1Origin),
      nowMs: asked.nowMs
    })
  }

  /** The context of a block that is opened now, on the parent's L1 origin if none is asked for. */
  contextNow(l1Origin?: L1Origin): Effect.Effect<BlockContext> {
    return Effect.map(Clock.currentTimeMillis, (nowMs) =>
      this.contextFor({ nowMs, l1Origin: l1Origin ?? this.index.head.context.l1Origin })
    )
  }

  /** Moves behind a block that is durable. */
  advance(record: BlockRecord, state: State): ChainBlock {
    this.#state = state
    return this.index.add(record)
  }

  /** Moves back, once that is durable; answers the blocks that are the chain's no more. */
  rollBack(event: ChainRolledBack, state: State): ReadonlyArray<ChainBlock> {
    this.#state = state
    return this.index.rollBack(event) ?? []
  }
}
