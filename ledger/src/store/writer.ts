import { LexoraError } from '@lexora/protocol'
import type { Entry } from '../core/entry.ts'
import type { Refusal } from '../core/refusal.ts'
import { apply, type LedgerState, type Outcome, type Rule } from '../core/state.ts'
import { type Head, sealChunk } from './chunk.ts'
import type { Store } from './store.ts'

/** What a {@link Writer} works on. */
export interface WriterComponents {
  store: Store
  /** The fold of what is in the store. The writer is the only one that changes it. */
  state: LedgerState
  /** Unix ms. */
  clock: () => number
}

/** Options of {@link createWriter}. */
export interface WriterOptions {
  /** Most commands that wait. Beyond it callers are refused at once: 50,000 (default) are seconds of work already. */
  queueLengthMax?: number
  /** Most commands of one group. Default 2,000: about 2 MB, a few ms of work between two event-loop turns. */
  groupLengthMax?: number
  /** Called after every written group, when the state is exactly what is durable. Must not throw and must be quick. */
  onDurable?: (head: Head) => void
  /** Called once, at the first failed write or broken invariant. The process must end: see {@link createWriter}. */
  onFatal?: (error: unknown) => void
}

/** The only way to change the ledger. */
export interface Writer {
  /**
   * Carries out a command and answers once it is durable. Throws what the rule refuses, and `ledger_unavailable`
   * where the queue is full, the writer has stopped, or a write failed; after the last, the outcome is unknown and the
   * caller asks again with the same id.
   */
  submit<C, T>(rule: Rule<C, T>, command: C): Promise<T>
  /** Refuses new commands and resolves when all earlier ones are answered. May be called twice. */
  stop(): Promise<void>
}

interface Job {
  run(nowMs: number): Entry | undefined
  answer(): void
  fail(error: unknown): void
}

/**
 * Group commit by a single writer. Commands queue; whatever has queued is applied in memory as one group, written
 * with one append, and only then answered, refusals and repeats included, since those may rest on what the group
 * wrote. At most one group is in flight; the next one fills meanwhile, so no timer is needed.
 *
 * Fail-stop: after a failed write the disk's content is unknown (LevelDB goes on acknowledging what it has lost), and
 * after a broken invariant the state's is. Nothing is answered any more but `ledger_unavailable`.
 */
export function createWriter(components: WriterComponents, options: WriterOptions = {}): Writer {
  const { store, state, clock } = components
  const { queueLengthMax = 50_000, groupLengthMax = 2_000, onFatal, onDurable } = options
  let queue: Job[] = []
  let isFatal = false
  let isStopped = false
  let pumping: Promise<void> | undefined

  async function pump(): Promise<void> {
    // Everything that is submitted in this turn of the event loop belongs to the first group.
    await Promise.resolve()
    while (queue.length > 0 && !isFatal) {
      const group = queue.slice(0, groupLengthMax)
      queue = queue.slice(groupLengthMax)
      try {
        await commit(group)
      } catch (error) {
        failAll(error, group)
      }
    }
    pumping = undefined
  }

  async function commit(group: Job[]): Promise<void> {
    const nowMs = clock()
    const entries: Entry[] = []
    for (const job of group) {
      const entry = job.run(nowMs)
      if (entry !== undefined) entries.push(entry)
    }
    if (entries.length > 0) {
      await store.append(sealChunk(store.head(), entries))
      onDurable?.(store.head())
    }
    for (const job of group) job.answer()
  }

  function failAll(error: unknown, group: Job[]): void {
    isFatal = true
    const jobs = [...group, ...queue]
    queue = []
    for (const job of jobs) job.fail(unavailable('the ledger could not write', error))
    onFatal?.(error)
  }

  return {
    submit(rule, command) {
      if (isFatal) return Promise.reject(unavailable('the ledger has stopped after a failed write'))
      if (isStopped) return Promise.reject(unavailable('the ledger is stopping'))
      if (queue.length >= queueLengthMax)
        return Promise.reject(unavailable('the ledger is overloaded'))
      return new Promise((resolve, reject) => {
        queue.push(jobOf((nowMs) => apply(state, rule, command, nowMs), resolve, reject))
        pumping ??= pump()
      })
    },
    async stop() {
      isStopped = true
      await pumping
    },
  }
}

function jobOf<T>(
  run: (nowMs: number) => Outcome<T>,
  resolve: (answer: T) => void,
  reject: (error: unknown) => void,
): Job {
  let outcome: Outcome<T> | undefined
  return {
    run(nowMs) {
      outcome = run(nowMs)
      return outcome.ok ? outcome.entry : undefined
    },
    answer() {
      if (outcome?.ok === true) resolve(outcome.answer)
      else reject(refused(outcome?.reason))
    },
    fail: reject,
  }
}

/** A refusal as the error that callers outside the core see. */
export function refused(reason: Refusal | undefined): LexoraError {
  if (reason === undefined) return new LexoraError('internal', 'the command was not carried out')
  const { code, message, facts = {} } = reason
  return new LexoraError(code, message, { facts })
}

function unavailable(message: string, cause?: unknown): LexoraError {
  return new LexoraError('ledger_unavailable', message, { cause })
}
