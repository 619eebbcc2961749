import { type ErrorCode, errorCodeOf, LexoraError } from '@lexora/protocol'
import { type Backoff, backoff } from '@lexora/protocol/mesh'
import { Level } from 'level'
import type { Logger } from 'pino'
import type { Ledger } from './ledger.ts'

/** Most unsettled receipts kept: hours of full load while the ledger is away, about 100 MB on disk. */
const PENDING_MAX = 200_000
/** Most settlements under way at once: enough to fill the ledger's group commit, few enough to stay fair. */
const CONCURRENCY_MAX = 64

/**
 * Answers after which asking again changes nothing. The receipt is dropped from the outbox and logged: kept, it would
 * hold back all others at every turn.
 */
const FINAL_CODES: ReadonlySet<ErrorCode> = new Set([
  'hold_closed',
  'hold_not_found',
  'receipt_invalid',
  'conflict',
  'forbidden',
  'invalid_request',
  'malformed',
  'frame_too_large',
  'signature_invalid',
])

/** Receipts on their way to the ledger: on disk until it confirms. */
export interface Settlements {
  /** Opens the outbox and takes up what an earlier run left. Throws `conflict` where another process has it. */
  start(): Promise<void>
  /** Waits for settlements under way (they time out by themselves) and closes the store. */
  stop(): Promise<void>
  /** Keeps a countersigned receipt on disk, then settles it in the background. Throws `storage_full` at the bound. */
  put(holdId: string, receipt: Uint8Array): Promise<void>
  readonly pendingCount: number
  /** The ledger is back: what waits is tried at once, before the leases of its holds run out. */
  wake(): void
  /** Resolves once nothing is pending; for tests and draining. */
  idle(): Promise<void>
}

/** What settlements use. */
export interface SettlementsComponents {
  ledger: Ledger
  log: Logger
}

/** Makes the outbox in a folder of its own. */
export function createSettlements(
  components: SettlementsComponents,
  options: { path: string },
): Settlements {
  return new SettlementOutbox(components, options.path)
}

class SettlementOutbox implements Settlements {
  readonly #ledger: Ledger
  readonly #log: Logger
  readonly #path: string
  readonly #store: Level<string, Uint8Array>
  /** Receipts whose turn has not come; those under way are in `#running`. */
  readonly #waiting = new Map<string, Uint8Array>()
  readonly #running = new Set<Promise<void>>()
  readonly #retry: Backoff = backoff({ minMs: 200, maxMs: 10_000 })
  #idleWaiters: (() => void)[] = []
  #pendingCount = 0
  #timer: NodeJS.Timeout | undefined
  #stopped = false

  constructor({ ledger, log }: SettlementsComponents, path: string) {
    this.#ledger = ledger
    this.#log = log
    this.#path = path
    this.#store = new Level<string, Uint8Array>(path, { valueEncoding: 'view' })
  }

  get pendingCount(): number {
    return this.#pendingCount
  }

  async start(): Promise<void> {
    await openStore(this.#store, this.#path)
    for await (const [holdId, receipt] of this.#store.iterator({ limit: PENDING_MAX })) {
      this.#waiting.set(holdId, receipt)
      this.#pendingCount++
    }
    this.#pump()
  }

  async stop(): Promise<void> {
    if (this.#stopped) return
    this.#stopped = true
    clearTimeout(this.#timer)
    await Promise.allSettled(this.#running)
    await this.#store.close()
  }

  async put(holdId: string, receipt: Uint8Array): Promise<void> {
    if (this.#pendingCount >= PENDING_MAX) {
      throw new LexoraError('storage_full', 'too many receipts wait for the ledger')
    }
    this.#pendingCount++
    try {
      await this.#store.put(holdId, receipt)
    } catch (cause) {
      this.#pendingCount--
      throw new LexoraError('storage_full', 'a receipt could not be kept on disk', { cause })
    }
    this.#waiting.set(holdId, receipt)
    this.#pump()
  }

  wake(): void {
    if (this.#timer === undefined || this.#stopped) return
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#retry.reset()
    this.#pump()
  }

  idle(): Promise<void> {
    if (this.#pendingCount === 0) return Promise.resolve()
    return new Promise((resolve) => this.#idleWaiters.push(resolve))
  }

  /** Starts as many settlements as may run. While the ledger is away nothing starts. */
  #pump(): void {
    for (const [holdId, receipt] of this.#waiting) {
      const isHeldBack = this.#stopped || this.#timer !== undefined
      if (isHeldBack || this.#running.size >= CONCURRENCY_MAX) return
      this.#waiting.delete(holdId)
      const task = this.#settle(holdId, receipt).finally(() => {
        this.#running.delete(task)
        this.#pump()
      })
      this.#running.add(task)
    }
    if (this.#pendingCount > 0) return
    const waiters = this.#idleWaiters
    this.#idleWaiters = []
    for (const wake of waiters) wake()
  }

  async #settle(holdId: string, receipt: Uint8Array): Promise<void> {
    if ((await this.#attempt(holdId, receipt)) === 'again') {
      this.#waiting.set(holdId, receipt)
      this.#pause()
      return
    }
    try {
      await this.#store.del(holdId)
    } catch (error) {
      // It is settled once more after the next start, and the ledger answers as before.
      this.#log.error({ err: error, holdId }, 'a settled receipt could not leave the outbox')
    }
    this.#pendingCount--
  }

  async #attempt(holdId: string, receipt: Uint8Array): Promise<'done' | 'again'> {
    try {
      const answer = await this.#ledger.settle({ holdId, receipt })
      this.#retry.reset()
      const capturedNanoUsd = answer.capturedNanoUsd.toString()
      this.#log.debug({ holdId, capturedNanoUsd }, 'hold settled')
      return 'done'
    } catch (error) {
      const code = errorCodeOf(error)
      if (!FINAL_CODES.has(code)) return 'again'
      this.#log.warn({ holdId, code }, 'the ledger refused a receipt for good')
      return 'done'
    }
  }

  /** The ledger is away: everything waits for one timer instead of one each. */
  #pause(): void {
    if (this.#timer !== undefined || this.#stopped) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#pump()
    }, this.#retry.nextMs())
  }
}

async function openStore(store: Level<string, Uint8Array>, path: string): Promise<void> {
  try {
    await store.open()
  } catch (cause) {
    throw new LexoraError(
      'conflict',
      `the outbox ${path} cannot be opened: is another gateway running on it?`,
      { cause },
    )
  }
}
