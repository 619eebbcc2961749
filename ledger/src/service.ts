import { type AccountDesk, createAccountDesk } from './accounts/account-desk.ts'
import { createInviteDesk, type InviteDesk } from './accounts/invite-desk.ts'
import { createKeyDesk, type KeyDesk } from './accounts/key-desk.ts'
import { createMemberDesk, type MemberDesk } from './accounts/member-desk.ts'
import {
  createPeopleDesk,
  type PeopleDesk,
  type PeopleDeskComponents,
  type PeopleDeskOptions,
} from './accounts/people-desk.ts'
import { createRevocations, type Revocations } from './accounts/revocations.ts'
import { type AuditDesk, createAuditDesk } from './admin/audit-desk.ts'
import { createFreeTierDesk, type FreeTierDesk } from './billing/free-tier-desk.ts'
import { createHoldDesk, type HoldDesk } from './billing/hold-desk.ts'
import { createLeases } from './billing/leases.ts'
import { createPriceDesk, type PriceDesk } from './billing/price-desk.ts'
import { createState, type LedgerState, replay, type StateOptions } from './core/state.ts'
import type { Desk } from './desk.ts'
import { createPaymentDesk, type PaymentDesk } from './payments/payment-desk.ts'
import type { PaymentProvider } from './payments/payment-provider.ts'
import { createPayoutDesk, type PayoutDesk, type PayoutOptions } from './payments/payout-desk.ts'
import { type BackupManifest, writeBackup } from './store/backup.ts'
import { entriesOf, type Head, journalDamaged } from './store/chunk.ts'
import type { RestoredState, SnapshotShelf } from './store/snapshot-shelf.ts'
import { createSnapshotter, type Snapshotter, stateKind } from './store/snapshotter.ts'
import type { Store } from './store/store.ts'
import { createWriter } from './store/writer.ts'
import { type BooksReport, type VerifyOptions, verifyBooks } from './verify.ts'

/** New promises need this much free disk; captures of those that were made go on below it (design: Ledger). */
const FREE_DISK_BYTES_MIN = 1024 ** 3
/** How long a look at the disk is good for. */
const FREE_DISK_AGE_MS = 1_000
/** A lease outlives a restart of a gateway or a ledger, and is short enough for a customer to wait out. */
const LEASE_MS = 60_000

/** What the service is made of. */
export interface LedgerServiceComponents {
  /** Opened; the service is its only writer and closes it. */
  store: Store
  /** Unix ms. */
  clock: () => number
  random: Desk['random']
  /** Free bytes where the journal lies. Throwing counts as none. */
  freeDiskBytes: () => number
  log: Desk['log']
  /** Who takes payments. Absent: no credit is sold. */
  payments?: PaymentProvider
  /** Where snapshots of the state are kept. Absent: every start replays the whole journal. */
  snapshots?: SnapshotShelf
  /** Paths of the files that belong into a backup beside the journal. */
  keptFiles?: () => string[]
  /** The records about people; the service closes their store. */
  people?: PeopleDeskComponents & PeopleDeskOptions
  /** Ms of a clock that nobody sets, for the leases. Default: `clock`. */
  steadyClock?: () => number
}

/** Options of {@link createLedgerService}. */
export interface LedgerServiceOptions extends StateOptions, PayoutOptions {
  /** See {@link SnapshotterOptions.everyEntries}. */
  snapshotEveryEntries?: number
  /** How long a hold lives unrenewed. Default 60,000 ms. */
  leaseMs?: number
  /** Most commands that wait for the disk. Default 50,000. */
  queueLengthMax?: number
  /** Called once when the ledger can no longer write: the process must end and verify at its next start. */
  onFatal?: (error: unknown) => void
}

/** Everything that the ledger does, whatever the edge that asks: RPC, admin socket, command line. */
export interface LedgerService
  extends AccountDesk,
    KeyDesk,
    MemberDesk,
    InviteDesk,
    PriceDesk,
    FreeTierDesk,
    AuditDesk,
    HoldDesk,
    PaymentDesk,
    PayoutDesk,
    Revocations {
  /** People's accounts and log-ins; absent where the ledger was opened without their records. */
  readonly people: PeopleDesk | undefined
  /** Random id of this ledger, from its first entry. */
  ledgerId(): string
  /** Where the journal ends; gateways remember it and refuse a ledger that went back. */
  head(): Head
  /** Checks the whole journal, as it is on the disk. */
  verify(options?: VerifyOptions): Promise<BooksReport>
  /** Copies the ledger into a new folder while it works. Throws what {@link writeBackup} throws. */
  backUp(directory: string): Promise<BackupManifest>
  /** Answers what has been asked, refuses the rest and closes the store. May be called twice. */
  stop(): Promise<void>
}

/**
 * Reads the newest snapshot, replays the journal from there and opens for business. Throws `journalDamaged` and, for
 * entries that do not follow from each other, an assertion: both mean that the books cannot be trusted.
 */
export async function createLedgerService(
  components: LedgerServiceComponents,
  options: LedgerServiceOptions = {},
): Promise<LedgerService> {
  const { store, clock, random, log } = components
  const opened = await openState(components, options)
  const { state } = opened
  const snapshotter = snapshotterOf(components, opened, options)
  const writer = createWriter(
    { store, state, clock },
    {
      ...options,
      onDurable: (head) => snapshotter?.onDurable(head),
      onFatal(error) {
        snapshotter?.abandon()
        options.onFatal?.(error)
      },
    },
  )
  const isStorageLow = watchDisk(components)
  const desk: Desk = { writer, state, clock, random, isStorageLow, log }
  const { announce, ...revocations } = createRevocations(state)
  const people =
    components.people === undefined
      ? undefined
      : createPeopleDesk(desk, components.people, components.people)
  const { steadyClock = clock } = components
  const leases = createLeases({ clock, steadyClock }, { leaseMs: options.leaseMs ?? LEASE_MS })
  return {
    ...createAccountDesk(desk, announce),
    ...createKeyDesk(desk, announce),
    ...createMemberDesk(desk, announce),
    ...createInviteDesk(desk),
    ...createPriceDesk(desk),
    ...createFreeTierDesk(desk),
    ...createAuditDesk(desk),
    ...createHoldDesk(desk, leases),
    ...createPaymentDesk(desk, components.payments),
    ...createPayoutDesk(desk, options),
    ...revocations,
    ledgerId: () => state.ledgerId,
    head: () => store.head(),
    verify: (verifyOptions) => verifyBooks(store, verifyOptions),
    people,
    async backUp(directory) {
      const files = components.keptFiles?.() ?? []
      const dump = await components.people?.store.dump()
      const texts: Record<string, string> = dump === undefined ? {} : { 'people.jsonl': dump }
      const source = { store, ledgerId: state.ledgerId, nowMs: clock(), files, texts }
      return writeBackup(source, directory)
    },
    async stop() {
      await writer.stop()
      await snapshotter?.finish(store.head())
      await store.close()
      await components.people?.store.close()
    },
  }
}

interface OpenedState {
  state: LedgerState
  snapshot: RestoredState | undefined
}

async function openState(
  { store, snapshots, log }: LedgerServiceComponents,
  options: LedgerServiceOptions,
): Promise<OpenedState> {
  const startMs = performance.now()
  const snapshot = await snapshots?.restore(stateKind(), () => createState(options))
  const readMs = Math.round(performance.now() - startMs)
  const state = snapshot?.state ?? createState(options)
  if (snapshot === undefined) await replayFrom(store, 0, state)
  else await replayAfter(store, snapshot)
  if (state.ledgerId === '') throw journalDamaged(0, 'it does not begin with its genesis')
  const replayMs = Math.round(performance.now() - startMs) - readMs
  const replayed = state.nextSeq - (snapshot?.head.nextSeq ?? 0)
  log.info({ snapshotSeq: snapshot?.head.nextSeq, readMs, replayed, replayMs }, 'state is read')
  return { state, snapshot }
}

async function replayFrom(store: Store, seq: number, state: LedgerState): Promise<void> {
  for await (const chunk of store.readFrom(seq)) {
    for (const entry of entriesOf(chunk)) replay(state, entry)
  }
}

/** A whole snapshot whose head is not in the journal means that the journal has lost what was acknowledged. */
async function replayAfter(store: Store, { state, head }: RestoredState): Promise<void> {
  const { nextSeq, hash } = head
  if (nextSeq > store.head().nextSeq) {
    throw journalDamaged(
      store.head().nextSeq,
      `it ends before the snapshot of entry ${nextSeq - 1}`,
    )
  }
  for await (const chunk of store.readFrom(nextSeq - 1)) {
    const isLast = chunk.firstSeq < nextSeq
    if (!isLast) for (const entry of entriesOf(chunk)) replay(state, entry)
    else if (chunk.hash !== hash || chunk.firstSeq + chunk.count !== nextSeq) {
      throw journalDamaged(chunk.firstSeq, 'it is not the one that the snapshot was taken of')
    }
  }
}

function snapshotterOf(
  { snapshots: shelf, log }: LedgerServiceComponents,
  { state, snapshot: opened }: OpenedState,
  { snapshotEveryEntries: everyEntries }: LedgerServiceOptions,
): Snapshotter | undefined {
  if (shelf === undefined) return undefined
  return createSnapshotter(
    { shelf, state, log },
    {
      ...(opened === undefined ? {} : { opened }),
      ...(everyEntries === undefined ? {} : { everyEntries }),
    },
  )
}

/** Looks at the disk at most once a second. */
function watchDisk(components: LedgerServiceComponents): () => boolean {
  const { clock, freeDiskBytes, log } = components
  let lookedAtMs = Number.NEGATIVE_INFINITY
  let isLow = false
  return () => {
    const nowMs = clock()
    if (Math.abs(nowMs - lookedAtMs) < FREE_DISK_AGE_MS) return isLow
    lookedAtMs = nowMs
    const before = isLow
    try {
      isLow = freeDiskBytes() < FREE_DISK_BYTES_MIN
    } catch (error) {
      log.error({ err: error }, 'free disk space cannot be read')
      isLow = true
    }
    if (isLow !== before) log.warn({ isLow }, 'free disk space changed sides of its limit')
    return isLow
  }
}
