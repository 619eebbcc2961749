import { statfsSync } from 'node:fs'
import type { Logger } from 'pino'
import { connectAdmin } from './admin/admin-client.ts'
import { createAdminServer } from './admin/admin-server.ts'
import { type OperatorNote, plain, runOperation, VERIFY_OPTIONS } from './admin/operations.ts'
import {
  type PaymentConfig,
  readAdminAddress,
  readMailConfig,
  readPaymentConfig,
} from './config.ts'
import { initHome, keptFiles, type LedgerHome, openHome, restoreHome } from './home.ts'
import { createAdminEdge } from './http/admin/admin-edge.ts'
import { openPayments, openWebhooks } from './open-payments.ts'
import { openPeople } from './open-people.ts'
import { createRandom } from './random.ts'
import { createLedgerService, type LedgerService } from './service.ts'
import type { BackupManifest } from './store/backup.ts'
import { startScrub } from './store/scrub.ts'
import { createSnapshotShelf } from './store/snapshot-shelf.ts'
import type { Store } from './store/store.ts'
import { verifyBooks } from './verify.ts'

/** How often leases and prices are looked at: a lease of 60 s needs no better. */
const TICK_MS = 1_000
/** How often the payment company is asked about what is open, and earnings mature: webhooks are faster. */
const PAYMENT_TICKS = 60

/** What a ledger process is made of. */
export interface LedgerComponents {
  home: LedgerHome
  log: Logger
}

/** Options of {@link startLedger}. */
export interface LedgerOptions {
  /** Called once when the ledger can no longer write. The process must end. */
  onFatal: (error: unknown) => void
  /** Multiaddresses to listen on for peers, and to tell others instead. */
  listen: readonly string[]
  announce: readonly string[]
  /** How long a hold lives unrenewed, ms. Default 60,000. */
  leaseMs?: number
}

/** A running ledger. */
export interface Ledger {
  service: LedgerService
  /** For network files: everybody pins it. */
  peerId: string
  addresses(): string[]
  /** Ends all of it, edges first. May be called twice. */
  stop(): Promise<void>
}

/** A part that talks to the outside. */
interface Edge {
  start(): Promise<void>
  stop(): Promise<void>
}

const clock = (): number => Date.now()

/**
 * Opens the ledger of a folder and starts it: journal, service, timer, then the edges. Throws what
 * {@link openHome} throws.
 */
export async function startLedger(
  components: LedgerComponents,
  options: LedgerOptions,
): Promise<Ledger> {
  const { home, log } = components
  const { listen, announce } = options
  const adminAddress = readAdminAddress()
  const store = await openHome(home, { check: 'ends' })
  const payments = readPaymentConfig()
  const service = await openService(home, store, { log, payments, ...options })
  const scrub = startScrub(store, { onDamage: options.onFatal })
  const { createMeshEdge } = await import('./rpc/mesh-edge.ts')
  const mesh = createMeshEdge({ service, log, clock }, { keyFile: home.key, listen, announce })
  // Everything that talks to the outside, in the order of starting.
  const edges: Edge[] = [createAdminServer({ service, log }, { path: home.adminSocket }), mesh]
  if (adminAddress !== undefined) edges.push(createAdminEdge({ service, log }, adminAddress))
  edges.push(...(await openWebhooks(payments, { service, log })))
  const timer = startTimer(service, log)
  const started: Edge[] = []
  let stopping: Promise<void> | undefined

  async function stop(): Promise<void> {
    clearInterval(timer)
    for (const edge of started.reverse()) await edge.stop()
    await scrub.stop()
    await service.stop()
  }

  try {
    for (const edge of edges) {
      await edge.start()
      started.push(edge)
    }
  } catch (error) {
    await stop()
    throw error
  }
  const { nextSeq, hash } = service.head()
  log.info({ ledgerId: service.ledgerId(), nextSeq, hash }, 'ledger is open')
  return {
    service,
    peerId: mesh.peerId,
    addresses: () => mesh.addresses(),
    stop: () => (stopping ??= stop()),
  }
}

/** The peer id of a folder's ledger; makes its key where there is none. Throws what the key file throws. */
export async function readLedgerId(home: LedgerHome): Promise<string> {
  // libp2p takes half a second to load: commands that need no mesh do without.
  const { loadOrCreateKey, peerIdOfKey } = await import('@lexora/protocol/mesh')
  return peerIdOfKey(await loadOrCreateKey(home.key))
}

/** Makes a new ledger in a folder, or leaves the one that is there alone. */
export function initLedger(home: LedgerHome): Promise<{ ledgerId: string; created: boolean }> {
  return initHome(home, { clock, random: createRandom() })
}

/**
 * Carries out an operator's command: by the running ledger where there is one, since LevelDB lets one process in, and
 * else with the journal opened for the moment.
 */
export async function operate(
  components: LedgerComponents,
  operation: string,
  input: unknown,
  note?: OperatorNote,
): Promise<unknown> {
  const { home, log } = components
  const running = await connectAdmin(home.adminSocket)
  if (running !== undefined) return running.ask(operation, input, note)
  const onFatal = (error: unknown): void => log.error({ err: error }, 'the journal failed')
  const service = await openService(home, await openHome(home, { check: 'ends' }), {
    log,
    onFatal,
    payments: readPaymentConfig(),
  })
  try {
    return await runOperation(service, operation, input, note)
  } finally {
    await service.stop()
  }
}

/** Checks the books of a folder, also those that no service would open. */
export async function verifyLedger(home: LedgerHome): Promise<unknown> {
  const running = await connectAdmin(home.adminSocket)
  if (running !== undefined) return running.ask('verify', {})
  const store = await openHome(home)
  try {
    return plain(await verifyBooks(store, VERIFY_OPTIONS))
  } finally {
    await store.close()
  }
}

/**
 * Makes the ledger of a backup in an empty folder; with `verify` its books are added up from nothing too. Throws what
 * {@link restoreHome} throws.
 */
export async function restoreLedger(
  home: LedgerHome,
  from: string,
  { verify }: { verify: boolean },
): Promise<{ manifest: BackupManifest; report: unknown }> {
  const manifest = await restoreHome(home, from)
  return { manifest, report: verify ? await verifyLedger(home) : undefined }
}

async function openService(
  home: LedgerHome,
  store: Store,
  {
    log,
    onFatal,
    leaseMs,
    payments,
  }: {
    log: Logger
    onFatal: (error: unknown) => void
    leaseMs?: number | undefined
    payments: PaymentConfig | undefined
  },
): Promise<LedgerService> {
  const freeDiskBytes = (): number => {
    const { bavail, bsize } = statfsSync(home.directory)
    return bavail * bsize
  }
  try {
    const snapshots = createSnapshotShelf(home.snapshots)
    const random = createRandom()
    const files = { snapshots, keptFiles: () => keptFiles(home) }
    const people = await openPeople(home, readMailConfig(), random)
    const clocks = { clock, steadyClock: () => performance.now() }
    const parts = { store, ...clocks, random, freeDiskBytes, log, people, ...files }
    const company = await openPayments(payments)
    const options = leaseMs === undefined ? { onFatal } : { onFatal, leaseMs }
    return await createLedgerService({ ...parts, ...company }, options)
  } catch (error) {
    await store.close()
    throw error
  }
}

function startTimer(service: LedgerService, log: Logger): NodeJS.Timeout {
  let ticks = 0
  return setInterval(() => {
    if (ticks % PAYMENT_TICKS === 0) keepPayments(service, log)
    ticks += 1
    service.announcePrices()
    // Failures of single holds are handled inside; what is left is a ledger that has stopped.
    service.expireDue().catch((error: unknown) => log.error({ err: error }, 'leases not closed'))
  }, TICK_MS)
}

function keepPayments(service: LedgerService, log: Logger): void {
  const done = Promise.all([service.reconcilePayments(), service.matureDue()])
  done.catch((error: unknown) => log.error({ err: error }, 'payments were not looked into'))
}
