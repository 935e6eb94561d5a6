import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import { Inbox, StateCommitmentChain } from "@ovm/contracts"
import { NodeContext } from "@effect/platform-node"
import * as Deploy from "@ovm/l1/Deploy"
import * as DeploymentFile from "@ovm/l1/DeploymentFile"
import type { Address } from "@ovm/protocol/Primitives"
import { Effect, type Either } from "effect"
import { parseEther } from "viem"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { type L1Node, startL1Node } from "../../../contracts/test/support/L1Node.ts"
import { DEVNET_KEY, genesisBlock, makeGenesis } from "../src/DeployCommand.ts"

const ALICE: Address = "0x70997970c51812dc3a010c7d01b50e0d17dc79c8"
let l1: L1Node
let folder: string

beforeAll(async () => {
  l1 = await startL1Node()
  folder = mkdtempSync(path.join(tmpdir(), "ovm-deploy-"))
})
afterAll(() => {
  l1.stop()
  rmSync(folder, { recursive: true })
})

const deploy = (balances: Readonly<Record<Address, bigint>>, onProgress?: (step: string) => void) =>
  Deploy.deploy({
    l1: { url: l1.url, key: DEVNET_KEY },
    parameters: { challengePeriodSeconds: 60 },
    makeGenesis: makeGenesis({ chainId: 420n, balances }),
    genesisBlock,
    onProgress: (step) => Effect.sync(() => onProgress?.(step))
  })
const run = <A, E>(effect: Effect.Effect<A, E, NodeContext.NodeContext>) =>
  Effect.runPromise(Effect.provide(effect, NodeContext.layer))
const outcome = <A, E>(effect: Effect.Effect<A, E, NodeContext.NodeContext>) =>
  run(Effect.either(effect)) as Promise<Either.Either<A, E>>

describe("deploying", () => {
  it("puts contracts on L1 that know each other, and escrows what genesis gives out", async () => {
    const steps: Array<string> = []
    const escrow = parseEther("7")
    const deployment = await run(deploy({ [ALICE]: escrow }, (step) => steps.push(step)))
    const { contracts, genesisHash, parameters } = deployment
    expect(steps).toEqual([
      "transactionDecoder",
      "batchVerifier",
      "inbox",
      "stateCommitmentChain",
      "bridge",
      "messenger",
      "bond"
    ])
    const read = (address: Address, abi: typeof Inbox.abi, functionName: "bridge" | "bond") =>
      l1.client.readContract({ address, abi, functionName })
    const lower = (value: unknown) => String(value).toLowerCase()
    expect(lower(await read(contracts.inbox, Inbox.abi, "bridge"))).toBe(contracts.bridge)
    expect(await read(contracts.inbox, Inbox.abi, "bond")).toBe(parameters.batcherBondWei)
    const claim = await l1.client.readContract({
      address: contracts.stateCommitmentChain,
      abi: StateCommitmentChain.abi,
      functionName: "claim",
      args: [0n]
    })
    expect(claim.proposal.blockHash).toBe(genesisHash)
    expect(await l1.client.getBalance({ address: contracts.bridge })).toBe(escrow)
    for (const address of Object.values(contracts)) {
      expect(await l1.client.getCode({ address })).toBeDefined()
    }
    expect(deployment.genesis.l1Origin.number).toBeLessThan(deployment.deployedAt.number)
  })

  it("refuses blocks that have no room for every queue entry", async () => {
    const small = Deploy.deploy({
      l1: { url: l1.url, key: DEVNET_KEY },
      makeGenesis: (contracts, origin) => ({
        ...makeGenesis({ chainId: 420n, balances: {} })(contracts, origin),
        gasLimit: 13_999_999n
      }),
      genesisBlock
    })
    expect(await outcome(small)).toMatchObject({
      left: { _tag: "BlockGasTooLow", required: 14_000_000n, found: 13_999_999n }
    })
  })

  it("refuses before anything is paid, if the deployer can't pay for it all", async () => {
    const nonce = () => l1.client.getTransactionCount({ address: deployer })
    const before = await nonce()
    const result = await outcome(deploy({ [ALICE]: parseEther("1000000") }))
    expect(result).toMatchObject({ left: { _tag: "DeployerTooPoor" } })
    expect(await nonce()).toBe(before)
  })

  it("says so if L1 is not there", async () => {
    const result = await outcome(Deploy.chainIdOf({ url: "http://127.0.0.1:1", key: DEVNET_KEY }))
    expect(result).toMatchObject({ left: { _tag: "DeployStepFailed", step: "chain id" } })
  })
})

const deployer: Address = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"

describe("the deployment file", () => {
  it("comes back as it was written, and is never written over", async () => {
    const file = path.join(folder, "rollup.json")
    const deployment = await run(deploy({}))
    await run(DeploymentFile.write(file, deployment))
    expect(await run(DeploymentFile.read(file))).toEqual(deployment)
    const kept = readFileSync(file, "utf8")
    const again = await outcome(DeploymentFile.write(file, deployment))
    expect(again).toMatchObject({ left: { _tag: "DeploymentFileExists", path: file } })
    expect(readFileSync(file, "utf8")).toBe(kept)
  })

  it("that is damaged says where", async () => {
    const file = path.join(folder, "damaged.json")
    const issueOf = async (text: string) => {
      writeFileSync(file, text)
      const result = await outcome(DeploymentFile.read(file))
      if (result._tag === "Right") throw new Error("Expected the file to be refused.")
      return result.left.message
    }
    expect(await issueOf("{")).toMatch(/to be a deployment file, but it is wrong: .*JSON/)
    expect(await issueOf("{}")).toMatch(/but l1ChainId is wrong: is missing/)
    const { contracts, ...rest } = JSON.parse(
      readFileSync(path.join(folder, "rollup.json"), "utf8")
    )
    const wrong = { ...rest, contracts: { ...contracts, inbox: "0x12" } }
    expect(await issueOf(JSON.stringify(wrong))).toMatch(/but contracts\.inbox is wrong/)
    const absent = await outcome(DeploymentFile.read(path.join(folder, "absent.json")))
    expect(absent).toMatchObject({ left: { _tag: "DeploymentFileUnusable" } })
  })
})
