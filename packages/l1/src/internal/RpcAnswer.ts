/** The shapes of an L1 node's answers, read strictly: what comes from outside goes through a schema. */
import { Address, Hash32, Hex } from "@ovm/protocol/Primitives"
import { Schema } from "effect"

/** A JSON-RPC quantity. */
export const Quantity = Schema.transform(
  Schema.TemplateLiteral("0x", Schema.String).pipe(Schema.pattern(/^0x[0-9a-fA-F]{1,64}$/)),
  Schema.NonNegativeBigIntFromSelf,
  {
    strict: true,
    decode: (hex) => BigInt(hex),
    encode: (value) => `0x${value.toString(16)}` as const
  }
)

const lowerCase = <A extends `0x${string}`, I extends string>(schema: Schema.Schema<A, I>) =>
  Schema.compose(Schema.Lowercase, Schema.asSchema(schema), { strict: false })

export const AnyAddress: Schema.Schema<Address, string> = lowerCase(Address)
export const AnyHash: Schema.Schema<Hash32, string> = lowerCase(Hash32)
export const AnyHex: Schema.Schema<Hex, string> = lowerCase(Hex)

export const Header = Schema.Struct({
  number: Quantity,
  hash: AnyHash,
  parentHash: AnyHash,
  timestamp: Quantity,
  gasLimit: Quantity,
  baseFeePerGas: Schema.optionalWith(Quantity, { default: () => 0n })
})

export const Log = Schema.Struct({
  address: AnyAddress,
  topics: Schema.Array(AnyHash),
  data: AnyHex,
  blockNumber: Quantity,
  blockHash: AnyHash,
  transactionHash: AnyHash,
  logIndex: Quantity,
  removed: Schema.optionalWith(Schema.Boolean, { default: () => false })
})

export const Transaction = Schema.Struct({
  hash: AnyHash,
  from: AnyAddress,
  to: Schema.NullOr(AnyAddress),
  nonce: Quantity,
  value: Quantity,
  input: AnyHex,
  gas: Quantity,
  blockNumber: Schema.NullishOr(Quantity),
  blockHash: Schema.NullishOr(AnyHash)
})

export const Receipt = Schema.Struct({
  transactionHash: AnyHash,
  blockNumber: Quantity,
  blockHash: AnyHash,
  status: Quantity,
  gasUsed: Quantity,
  effectiveGasPrice: Schema.optionalWith(Quantity, { default: () => 0n }),
  contractAddress: Schema.NullishOr(AnyAddress)
})
