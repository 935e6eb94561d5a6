/** The end of the chain: what is known of it, and what follows from it for the next block. */
import type { BlockContext } from "@ovm/protocol/BlockContext"
import type { Address } from "@ovm/protocol/Primitives"
import { attempt, EMPTY_CODE_HASH, type State, type StateError } from "@ovm/state-manager/State"
import { Clock, Effect } from "effect"
import type { AdmissionRules, SenderAccount } from "../Admission.ts"
import type { ChainBlock, ChainIndex } from "../ChainIndex.ts"
import type { BlockRecord } from "../ChainLog.ts"
import { nextBaseFee } from "../FeeMarket.ts"
import { nextContext } from "../NextBlock.ts"
import type { SequencerOptions } from "../Sequencer.ts"

/** What one L1 transaction can re-run, with overhead, under EIP-7825's 2^24. */
const DEFAULT_MAX_TRANSACTION_GAS = 14_000_000n

export class Head {
  readonly index: ChainIndex
  readonly #options: SequencerOptions
  #state: State

  constructor(options: SequencerOptions, index: ChainIndex, state: State) {
    this.#options = options
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

  get rules(): AdmissionRules {
    const { genesis, maxTransactionGas, minTipPerGas } = this.#options
    return {
      chainId: genesis.chainId,
      blockGasLimit: genesis.gasLimit,
      maxTransactionGas: maxTransactionGas ?? DEFAULT_MAX_TRANSACTION_GAS,
      baseFeePerGas: this.baseFeePerGas,
      minTipPerGas: minTipPerGas ?? 0n
    }
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

  /** The context of a block that is opened now. */
  get nextContext(): Effect.Effect<BlockContext> {
    return Effect.map(Clock.currentTimeMillis, (nowMs) => {
      const { context, header } = this.index.head
      const { genesis } = this.#options
      return nextContext({ genesis, parent: header, l1Origin: context.l1Origin, nowMs })
    })
  }

  /** Moves behind a block that is durable. */
  advance(record: BlockRecord, state: State): ChainBlock {
    this.#state = state
    return this.index.add(record)
  }
}
