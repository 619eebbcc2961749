import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ModelPrice, NanoUsd } from '@lexora/protocol'
import { afterAll, afterEach, vi } from 'vitest'
import { connectAdmin } from '../../ledger/src/admin/admin-client.ts'
import type { OperationName } from '../../ledger/src/admin/operations.ts'
import type { Hold } from '../../ledger/src/core/records.ts'
import { createState, type LedgerState, replay } from '../../ledger/src/core/state.ts'
import { entriesOf } from '../../ledger/src/store/chunk.ts'
import { openLevelStore } from '../../ledger/src/store/level-store.ts'
import type { Daemon } from '../../scripts/mesh/daemon.ts'
import { type Mesh, type MeshOptions, startMesh } from '../../scripts/mesh/mesh.ts'

/** How long a mesh may take to start, in ms: 2 s on two idle cores, and test files run beside each other. */
export const START_MS = 120_000

/** A developer account with one key. */
export interface Developer {
  accountId: string
  keyId: string
  apiKey: string
}

/** What `lexora-ledger verify` says. */
export interface Books {
  problems: string[]
  holds: { open: number; captured: number; voided: number; expired: number }
  captures: number
  sumCaptured: NanoUsd
  sumReceipts: NanoUsd
  sumFees: NanoUsd
  sumProviderShares: NanoUsd
  customersPaid: NanoUsd
  customersPromo: NanoUsd
  customersHeld: NanoUsd
  providersMaturing: NanoUsd
}

/** A mesh of real processes on loopback, and what tests ask of it. */
export interface RealMesh extends Mesh {
  /** Milliseconds from nothing to serving. */
  readonly startedInMs: number
  /** Asks the running ledger, without a process for each question. */
  operate<Answer>(operation: OperationName, input: object): Promise<Answer>
  /** Opens an account with a key and so much bought credit. */
  developer(credit: NanoUsd): Promise<Developer>
  /** Another key of an account. */
  newKey(accountId: string): Promise<Developer>
  /** What is held and left of an account's credit, by the ledger. */
  balance(accountId: string): Promise<{ held: NanoUsd; available: NanoUsd }>
  /** The price of the model. */
  price(): Promise<ModelPrice>
  /** `lexora-ledger verify`, as a command of its own. */
  verify(): Promise<Books>
  /** The journal, read from a copy of what is on the disk now. */
  journal(): Promise<LedgerState>
  /** Holds placed with a key, as the journal has them. */
  holdsOf(keyId: string): Promise<Hold[]>
  /** Starts what does not run, all at once, and waits until every gateway lists every provider. */
  repair(): Promise<void>
  /** Ends all and removes the folder. */
  end(options: { keep: boolean }): Promise<void>
}

/** Starts a mesh in a folder of its own. Processes that die stay dead until a test starts them again. */
export async function startRealMesh(options: Omit<MeshOptions, 'home'> = {}): Promise<RealMesh> {
  const home = await mkdtemp(join(tmpdir(), 'lexora-mesh-'))
  const startMs = performance.now()
  const mesh = await startMesh({ home, ports: 'free', restart: false, ...options })
  const startedInMs = performance.now() - startMs

  async function operate<Answer>(operation: OperationName, input: object): Promise<Answer> {
    const client = await connectAdmin(join(home, 'ledger', 'admin.sock'))
    if (client === undefined) throw new Error('no ledger runs')
    return (await client.ask(operation, input)) as Answer
  }

  async function newKey(accountId: string): Promise<Developer> {
    const input = { accountId, name: 'test', mode: 'test' }
    const { text, key } = await operate<{ text: string; key: { keyId: string } }>(
      'key.create',
      input,
    )
    return { accountId, keyId: key.keyId, apiKey: text }
  }

  /** What the journal says. A command is answered once all before it are on the disk, so what was seen is in it. */
  async function journal(): Promise<LedgerState> {
    const client = await connectAdmin(join(home, 'ledger', 'admin.sock'))
    await client?.ask('account.create', { kind: 'operator', label: 'marker' })
    const copy = await mkdtemp(join(tmpdir(), 'lexora-journal-'))
    try {
      await cp(join(home, 'ledger', 'journal'), copy, { recursive: true })
      return await readJournal(copy)
    } finally {
      await rm(copy, { recursive: true, force: true })
    }
  }

  return {
    ...mesh,
    startedInMs,
    operate,
    newKey,
    journal,
    async developer(credit) {
      const account = { kind: 'developer', label: 'test' }
      const { accountId } = await operate<{ accountId: string }>('account.create', account)
      if (credit > 0n) {
        const amount = credit.toString()
        await operate('account.deposit', { accountId, amount, id: `first-${accountId}` })
      }
      return newKey(accountId)
    },
    async balance(accountId) {
      const rows = await operate<
        { accountId: string; heldNanoUsd: string; availableNanoUsd: string }[]
      >('account.list', { limit: 10_000 })
      const row = rows.find((each) => each.accountId === accountId)
      if (row === undefined) throw new Error('no such account')
      return { held: BigInt(row.heldNanoUsd), available: BigInt(row.availableNanoUsd) }
    },
    async price() {
      const { models } = await operate<{ models: Record<string, string>[] }>('prices.show', {})
      const row = models.find((each) => each['model'] === mesh.model)
      return {
        model: mesh.model,
        inputNanoUsd: BigInt(row?.['inputNanoUsd'] ?? ''),
        cachedInputNanoUsd: BigInt(row?.['cachedInputNanoUsd'] ?? ''),
        outputNanoUsd: BigInt(row?.['outputNanoUsd'] ?? ''),
      }
    },
    async verify() {
      const report = (await mesh.admin(['verify'])) as Record<string, unknown>
      const entries = Object.entries(report).map(([name, value]) => [
        name,
        typeof value === 'string' && /^-?\d+$/.test(value) ? BigInt(value) : value,
      ])
      return Object.fromEntries(entries) as Books
    },
    async holdsOf(keyId) {
      const { holds } = await journal()
      return [...holds.values()].filter((hold) => hold.keyId === keyId)
    },
    async repair() {
      await Promise.all(mesh.daemons.map((daemon) => daemon.start()))
      await mesh.settled()
    },
    async end({ keep }) {
      await mesh.stop()
      if (keep) console.error(`logs and books are kept in ${home}`)
      else await rm(home, { recursive: true, force: true })
    },
  }
}

/** Ends the file's mesh when its tests are over; keeps its folder where one has failed. */
export function endAfterAll(mesh: () => RealMesh | undefined): void {
  let hasFailed = false
  afterEach(({ task }) => {
    hasFailed ||= task.result?.state === 'fail'
  })
  afterAll(async () => {
    await mesh()?.end({ keep: hasFailed })
  }, START_MS)
}

/** Waits for a condition; the error names it. */
export async function until(
  what: string,
  condition: () => Promise<boolean> | boolean,
  ms = 20_000,
): Promise<void> {
  await vi.waitUntil(condition, { timeout: ms, interval: 20 }).catch((cause: unknown) => {
    throw new Error(`${what}: not within ${ms} ms`, { cause })
  })
}

/** A process that hears nothing but is not gone, until it is killed or continued. */
export function freeze(daemon: Daemon): void {
  daemon.child?.kill('SIGSTOP')
}

async function readJournal(folder: string): Promise<LedgerState> {
  const store = await openLevelStore(folder)
  try {
    const state = createState()
    for await (const chunk of store.readFrom(0)) {
      for (const entry of entriesOf(chunk)) replay(state, entry)
    }
    return state
  } finally {
    await store.close()
  }
}
