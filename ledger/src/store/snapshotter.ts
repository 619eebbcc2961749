import { createHash } from 'node:crypto'
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'
import type { Logger } from 'pino'
import { freezeState, shapeOf } from '../core/image.ts'
import { createState, type LedgerState, STATE_FORMAT } from '../core/state.ts'
import type { Head } from './chunk.ts'
import type { SnapshotShelf } from './snapshot-shelf.ts'

/** What a {@link Snapshotter} works on. */
export interface SnapshotterComponents {
  shelf: SnapshotShelf
  state: LedgerState
  log: Pick<Logger, 'info' | 'warn'>
}

/** Options of {@link createSnapshotter}. */
export interface SnapshotterOptions {
  /**
   * Entries between two snapshots, and so most that a start replays; also at least an eighth of the records of the last
   * snapshot, so that large books are not written over and over. Default 300,000: some seconds of replay.
   */
  everyEntries?: number
  /** The snapshot that the state was opened from. */
  opened?: { head: Head; records: number }
}

/** Takes a snapshot now and then. */
export interface Snapshotter {
  /** Told after every written group; begins a snapshot where one is due. */
  onDurable(head: Head): void
  /** No more snapshots: the state is no longer what is on the disk. */
  abandon(): void
  /** Waits for the snapshot that is being written and takes a last one where the start would gain by it. */
  finish(head: Head): Promise<void>
}

const EVERY_ENTRIES = 300_000
/** Entries between two snapshots for each record of one. */
const RECORDS_SHARE = 1 / 8
/** Time at rest for each time of work. */
const RESTS_PER_WORK = 4
/** A replay of fewer takes milliseconds: a command that opens the ledger for a moment writes no snapshot. */
const LAST_ENTRIES_MIN = 1_000

/** What kind of state this program has: see {@link SnapshotShelf.restore}. */
export function stateKind(): string {
  const shape = createHash('sha256').update(shapeOf(createState())).digest('hex')
  return `${STATE_FORMAT}/${shape}`
}

/** Creates a {@link Snapshotter}. */
export function createSnapshotter(
  components: SnapshotterComponents,
  options: SnapshotterOptions = {},
): Snapshotter {
  const { shelf, state, log } = components
  const everyEntries = options.everyEntries ?? EVERY_ENTRIES
  const kind = stateKind()
  let takenSeq = options.opened?.head.nextSeq ?? 0
  let records = options.opened?.records ?? 0
  let isAbandoned = false
  let isFinishing = false
  let running: Promise<void> | undefined

  /** A snapshot takes a small share of the time, unless the ledger waits for it to stop. */
  async function rest(tookMs: number): Promise<void> {
    if (isAbandoned) throw new Error('the snapshot was abandoned')
    if (isFinishing) await turn()
    else await sleep(Math.max(1, tookMs * RESTS_PER_WORK))
  }

  async function take(head: Head): Promise<void> {
    const startMs = performance.now()
    const frozen = freezeState(state)
    takenSeq = head.nextSeq
    try {
      const saved = await shelf.save({ head, kind }, frozen, rest)
      records = saved.records
      const ms = Math.round(performance.now() - startMs)
      log.info({ nextSeq: head.nextSeq, ms, ...saved }, 'snapshot taken')
    } catch (error) {
      // It only saves time at the next start; whether the journal can be written shows by itself.
      log.warn({ err: error, nextSeq: head.nextSeq }, 'snapshot failed')
    } finally {
      frozen.thaw()
      running = undefined
    }
  }

  return {
    onDurable(head) {
      if (isAbandoned || running !== undefined) return
      if (head.nextSeq - takenSeq < Math.max(everyEntries, records * RECORDS_SHARE)) return
      running = take(head)
    },
    abandon() {
      isAbandoned = true
    },
    async finish(head) {
      isFinishing = true
      await running
      if (isAbandoned || head.nextSeq - takenSeq < Math.min(LAST_ENTRIES_MIN, everyEntries)) return
      running = take(head)
      await running
    },
  }
}
