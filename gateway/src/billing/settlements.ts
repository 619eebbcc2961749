import { errorCodeOf, LexoraError, type SettleResponse } from '@lexora/protocol'
import { backoff } from '@lexora/protocol/mesh'
import { Level } from 'level'
import type { Logger } from 'pino'
import type { Ledger } from './ledger.ts'

/** Most unsettled receipts kept: hours of full load while the ledger is away, about 100 MB on disk. */
const PENDING_MAX = 200_000
/** Most settlements under way at once: enough to fill the ledger's group commit, few enough to stay fair. */
const CONCURRENCY_MAX = 64

/** Answers after which asking again changes nothing. The receipt is dropped from the outbox and logged. */
const FINAL_CODES: ReadonlySet<string> = new Set(['hold_closed', 'hold_not_found', 'receipt_invalid', 'conflict'])

/** Receipts on their way to the ledger: on disk until it confirms. */
export interface Settlements {
  /** Opens the outbox and takes up what an earlier run left. Throws `conflict` where another process has it. */
  start(): Promise<void>
  /** Waits for settlements under way (they time out by themselves) and closes the store. */
  stop(): Promise<void>
  /** Keeps a countersigned receipt on disk, then settles it in the background. Throws `storage_full` at the bound. */
  put(holdId: string, receipt: Uint8Array): Promise<void>
  readonly pendingCount: number
  /** Resolves once nothing is pending; for tests and draining. */
  idle(): Promise<void>
}

/** What settlements use. */
export interface SettlementsComponents {
  ledger: Ledger
  log: Logger
}

/** Makes the outbox in a folder of its own. */
export function createSettlements(components: SettlementsComponents, options: { path: string }): Settlements {
  const { ledger, log } = components
  const store = new Level<string, Uint8Array>(options.path, { valueEncoding: 'view' })
  const waiting = new Map<string, Uint8Array>()
  const running = new Set<Promise<void>>()
  const idleWaiters: (() => void)[] = []
  const retry = backoff({ minMs: 200, maxMs: 10_000 })
  let pendingCount = 0
  let timer: NodeJS.Timeout | undefined
  let stopped = false

  function pump(): void {
    for (const [holdId, receipt] of waiting) {
      if (stopped || timer !== undefined || running.size >= CONCURRENCY_MAX) return
      waiting.delete(holdId)
      const task = settle(holdId, receipt).finally(() => {
        running.delete(task)
        pump()
      })
      running.add(task)
    }
    if (pendingCount === 0) for (const wake of idleWaiters.splice(0)) wake()
  }

  async function settle(holdId: string, receipt: Uint8Array): Promise<void> {
    const outcome = await attempt(holdId, receipt)
    if (outcome === 'again') {
      waiting.set(holdId, receipt)
      pause()
      return
    }
    try {
      await store.del(holdId)
    } catch (error) {
      if (!stopped) log.error({ code: errorCodeOf(error) }, 'a settled receipt could not leave the outbox')
    }
    pendingCount--
  }

  async function attempt(holdId: string, receipt: Uint8Array): Promise<'done' | 'again'> {
    try {
      const answer: SettleResponse = await ledger.settle({ holdId, receipt })
      retry.reset()
      log.debug({ holdId, capturedNanoUsd: answer.capturedNanoUsd.toString() }, 'hold settled')
      return 'done'
    } catch (error) {
      const code = errorCodeOf(error)
      if (!FINAL_CODES.has(code)) return 'again'
      log.warn({ holdId, code }, 'the ledger refused a receipt for good')
      return 'done'
    }
  }

  /** The ledger is away: everything waits for one timer instead of one each. */
  function pause(): void {
    if (timer !== undefined || stopped) return
    timer = setTimeout(() => {
      timer = undefined
      pump()
    }, retry.nextMs())
  }

  return {
    async start() {
      await openStore(store, options.path)
      for await (const [holdId, receipt] of store.iterator({ limit: PENDING_MAX })) {
        waiting.set(holdId, receipt)
        pendingCount++
      }
      pump()
    },
    async stop() {
      if (stopped) return
      stopped = true
      clearTimeout(timer)
      await Promise.allSettled(running)
      await store.close()
    },
    async put(holdId, receipt) {
      if (pendingCount >= PENDING_MAX) {
        throw new LexoraError('storage_full', 'too many receipts wait for the ledger')
      }
      pendingCount++
      try {
        await store.put(holdId, receipt)
      } catch (cause) {
        pendingCount--
        throw new LexoraError('storage_full', 'a receipt could not be kept on disk', { cause })
      }
      waiting.set(holdId, receipt)
      pump()
    },
    get pendingCount() {
      return pendingCount
    },
    idle: () =>
      pendingCount === 0 ? Promise.resolve() : new Promise((resolve) => void idleWaiters.push(resolve)),
  }
}

async function openStore(store: Level<string, Uint8Array>, path: string): Promise<void> {
  try {
    await store.open()
  } catch (cause) {
    throw new LexoraError('conflict', `the outbox ${path} cannot be opened: is another gateway running on it?`, { cause })
  }
}
