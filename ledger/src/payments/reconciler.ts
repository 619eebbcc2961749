import { finishEvent } from '../core/rules/topups.ts'
import type { Desk } from '../desk.ts'
import type { Convergence } from './convergence.ts'
import type { PaymentProvider } from './payment-provider.ts'

/** Looked into in one turn of the timer, of each sort. */
const PER_TURN_MAX = 100

/** What one turn did. */
export interface Reconciled {
  looked: number
  failed: number
}

/** Looks into what is open, one thing at a time: what was read must be entered before it is read again. */
export interface Reconciler {
  /** Looks into received events soon; failures wait for the next turn of the timer. */
  eventsCame(): void
  /** Sends a refund on its way; a failure waits for the next turn of the timer. */
  refund(refundId: string): Promise<void>
  /** Asks about everything that is open. */
  everything(): Promise<Reconciled>
  /** Resolves when nothing is being looked into. */
  settled(): Promise<void>
}

/** Without a payment company there is nobody to ask. */
export function createReconciler(
  { writer, state, log }: Desk,
  convergence: Convergence,
  provider: PaymentProvider | undefined,
): Reconciler {
  const { bought } = state
  let running: Promise<unknown> | undefined
  let offset = 0

  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const before = running ?? Promise.resolve()
    const next = before.then(work, work)
    running = next
    const free = (): void => {
      if (running === next) running = undefined
    }
    next.then(free, free)
    return next
  }

  async function lookInto(
    ids: Iterable<string>,
    look: (provider: PaymentProvider, id: string) => Promise<void>,
  ): Promise<Reconciled> {
    const done = { looked: 0, failed: 0 }
    if (provider === undefined) return done
    for (const id of window([...ids], offset)) {
      done.looked += 1
      try {
        await look(provider, id)
      } catch (error) {
        done.failed += 1
        log.warn({ err: error, id }, 'the payment company could not be asked')
      }
    }
    return done
  }

  const events = (): Promise<Reconciled> =>
    lookInto(bought.openEvents, async (company, eventId) => {
      const event = bought.events.get(eventId)
      if (event !== undefined) await convergence.event(company, event)
      await writer.submit(finishEvent, { eventId })
    })

  async function everything(): Promise<Reconciled> {
    const turns = [
      await events(),
      await lookInto(bought.openTopUps, convergence.topUp),
      await lookInto(bought.openRefunds, convergence.refund),
      await lookInto(bought.openDisputes, convergence.dispute),
    ]
    offset += PER_TURN_MAX
    return {
      looked: turns.reduce((sum, turn) => sum + turn.looked, 0),
      failed: turns.reduce((sum, turn) => sum + turn.failed, 0),
    }
  }

  return {
    eventsCame() {
      inTurn(events).catch((error: unknown) => log.warn({ err: error }, 'events wait'))
    },
    async refund(refundId) {
      await inTurn(() => lookInto([refundId], convergence.refund))
    },
    everything: () => inTurn(everything),
    async settled() {
      while (running !== undefined) await running.catch(() => undefined)
    },
  }
}

/** So many from a place that moves on with every turn: nothing that fails for ever keeps others waiting. */
function window(ids: string[], offset: number): string[] {
  if (ids.length <= PER_TURN_MAX) return ids
  const start = offset % ids.length
  return [...ids.slice(start), ...ids.slice(0, start)].slice(0, PER_TURN_MAX)
}
