/** Where and with what a benchmark ran. */
import { readFileSync } from "node:fs"
import { arch, cpus, loadavg, platform, release, totalmem } from "node:os"
import { Schema } from "effect"

export interface Environment {
  /** ISO 8601, UTC. */
  readonly date: string
  readonly machine: string
  readonly versions: Readonly<Record<string, string>>
  readonly load: { readonly before: number; readonly after: number }
}

const GIGABYTE = 2 ** 30

const Manifest = Schema.parseJson(Schema.Struct({ version: Schema.String }))

const versionOf = (name: string): string => {
  const manifest = new URL(`../node_modules/${name}/package.json`, import.meta.url)
  return Schema.decodeUnknownSync(Manifest)(readFileSync(manifest, "utf8")).version
}

const PACKAGES = [
  "@ethereumjs/vm",
  "@ethereumjs/mpt",
  "better-sqlite3",
  "secp256k1",
  "@noble/curves",
  "effect",
  "viem"
] as const

export const load = (): number => loadavg()[0] ?? Number.NaN

export const environment = (options: {
  readonly date: Date
  readonly loadBefore: number
}): Environment => {
  const processors = cpus()
  const memory = Math.round(totalmem() / GIGABYTE)
  return {
    date: options.date.toISOString().slice(0, 16).concat("Z"),
    machine: `${processors[0]?.model ?? "unknown processor"}, ${processors.length} cores, ${memory} GB, ${platform()} ${release()} ${arch()}`,
    versions: {
      Node: process.versions.node,
      ...Object.fromEntries(PACKAGES.map((name) => [name, versionOf(name)]))
    },
    load: { before: options.loadBefore, after: load() }
  }
}
