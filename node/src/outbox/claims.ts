import { type ClaimState, type ErrorCode, errorCodeOf } from '@lexora/protocol'
import { type Backoff, backoff } from '@lexora/protocol/mesh'
import {
  CLAIM_AFTER_MS,
  CLAIM_RETRY_MAX_MS,
  CLAIM_RETRY_MIN_MS,
  CLAIM_ROUND_MAX_MS,
  CLAIM_ROUND_MS,
  CLAIMS_AT_ONCE_MAX,
  CLAIMS_PER_ROUND_MAX,
} from '../constants.ts'
import type { Outbox, OutboxItem } from './outbox.ts'

/** The log of the claims. */
export interface ClaimsLog {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
}

/** What claims use. */
export interface ClaimsComponents {
  outbox: Outbox
  /** Asks the ledger what became of a receipt. Throws its coded error. */
  claim: (holdId: string, receipt: Uint8Array) => Promise<ClaimState>
  log: ClaimsLog
  /** Unix time in ms. */
  clock: () => number
}

/** Times of the claims, in ms. */
export interface ClaimsOptions {
  /** Age at which a receipt is claimed. Default {@link CLAIM_AFTER_MS}. */
  claimAfterMs?: number
  /** Time between two looks through the outbox. Default {@link CLAIM_ROUND_MS}. */
  roundMs?: number
}

/** Brings receipts to the ledger that no gateway has brought. */
export interface Claims {
  start(): void
  /** Ends the rounds; one that runs ends by the ledger client's deadline. Resolves when none runs. */
  stop(): Promise<void>
  /** One look through the outbox, as the loop does; resolves with the number of claims made. */
  round(): Promise<number>
}

/** Answers by which the ledger says that no claim for this receipt will ever be paid. */
const HOPELESS: ReadonlySet<ErrorCode> = new Set([
  'hold_not_found',
  'hold_closed',
  'receipt_invalid',
  'malformed',
])

/** Answers that have nothing to do with this one receipt: the round ends, its other claims would fare the same. */
const ROUND_ENDS: ReadonlySet<ErrorCode> = new Set([
  'ledger_unavailable',
  'not_a_member',
  'forbidden',
  'rate_limited',
])

/**
 * Makes the claims of an outbox. A receipt that is settled, expired or voided is forgotten; one that is recorded waits
 * for its hold's lease; one that the ledger refuses is set aside; all others are tried again at growing intervals.
 */
export function createClaims(components: ClaimsComponents, options: ClaimsOptions = {}): Claims {
  return new OutboxClaims(components, {
    claimAfterMs: options.claimAfterMs ?? CLAIM_AFTER_MS,
    roundMs: options.roundMs ?? CLAIM_ROUND_MS,
  })
}

class OutboxClaims implements Claims {
  readonly #components: ClaimsComponents
  readonly #options: Required<ClaimsOptions>
  /** Receipts that were claimed and have to wait. Never more than the outbox holds. */
  readonly #waiting = new Map<string, { delays: Backoff; nextAtMs: number }>()
  readonly #roundDelays: Backoff
  #ledgerAnswers = true
  #timer: NodeJS.Timeout | undefined
  #running: Promise<number> | undefined
  #stopped = false

  constructor(components: ClaimsComponents, options: Required<ClaimsOptions>) {
    this.#components = components
    this.#options = options
    this.#roundDelays = backoff({ minMs: options.roundMs, maxMs: CLAIM_ROUND_MAX_MS })
  }

  start(): void {
    if (this.#stopped) return
    const delayMs = this.#ledgerAnswers ? this.#options.roundMs : this.#roundDelays.nextMs()
    this.#timer = setTimeout(() => {
      // The errors of each claim are handled where it is made.
      void this.round().finally(() => {
        this.start()
      })
    }, delayMs)
    this.#timer.unref()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    await this.#running
  }

  round(): Promise<number> {
    this.#running ??= this.#claimDue().finally(() => {
      this.#running = undefined
    })
    return this.#running
  }

  async #claimDue(): Promise<number> {
    const due = this.#dueHoldIds()
    let claims = 0
    this.#ledgerAnswers = true
    for (let start = 0; start < due.length && !this.#stopped; start += CLAIMS_AT_ONCE_MAX) {
      const some = due.slice(start, start + CLAIMS_AT_ONCE_MAX)
      claims += some.length
      const answers = await Promise.all(some.map((holdId) => this.#claim(holdId)))
      this.#ledgerAnswers = !answers.includes(false)
      if (!this.#ledgerAnswers) break
    }
    if (this.#ledgerAnswers) this.#roundDelays.reset()
    return claims
  }

  #dueHoldIds(): string[] {
    const nowMs = this.#components.clock()
    const due: string[] = []
    for (const item of this.#components.outbox.items()) {
      if (due.length >= CLAIMS_PER_ROUND_MAX) break
      if (this.#isDue(item, nowMs)) due.push(item.holdId)
    }
    return due
  }

  #isDue({ holdId, storedAtMs, gatewayLost }: OutboxItem, nowMs: number): boolean {
    const again = this.#waiting.get(holdId)
    if (again !== undefined) return nowMs >= again.nextAtMs
    return gatewayLost || nowMs >= storedAtMs + this.#options.claimAfterMs
  }

  /** Claims one receipt. False says that the ledger cannot be asked now. */
  async #claim(holdId: string): Promise<boolean> {
    const { outbox, claim, log } = this.#components
    try {
      const receipt = await outbox.receipt(holdId)
      const state = receipt === undefined ? 'settled' : await claim(holdId, receipt)
      if (state === 'recorded') this.#postpone(holdId)
      else await this.#forget(holdId, state)
      return true
    } catch (error) {
      const code = errorCodeOf(error)
      if (ROUND_ENDS.has(code)) return false
      if (HOPELESS.has(code)) {
        await this.#setAside(holdId, code)
      } else {
        this.#postpone(holdId)
        log.warn({ holdId, code }, 'claim failed, it is tried again')
      }
      return true
    }
  }

  async #forget(holdId: string, state: ClaimState): Promise<void> {
    await this.#components.outbox.remove(holdId)
    this.#waiting.delete(holdId)
    if (state !== 'settled') this.#components.log.info({ holdId, state }, 'receipt not paid')
  }

  async #setAside(holdId: string, code: ErrorCode): Promise<void> {
    const { outbox, log } = this.#components
    log.warn({ holdId, code }, 'the ledger refuses a receipt, it is set aside')
    try {
      await outbox.setAside(holdId, code)
      this.#waiting.delete(holdId)
    } catch (error) {
      this.#postpone(holdId)
      log.warn({ holdId, code: errorCodeOf(error) }, 'receipt not set aside')
    }
  }

  #postpone(holdId: string): void {
    const delays =
      this.#waiting.get(holdId)?.delays ??
      backoff({ minMs: CLAIM_RETRY_MIN_MS, maxMs: CLAIM_RETRY_MAX_MS })
    this.#waiting.set(holdId, { delays, nextAtMs: this.#components.clock() + delays.nextMs() })
  }
}
