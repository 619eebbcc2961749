import { type ErrorCode, errorCodeOf } from '@lexora/protocol'
import { backoff, type Session } from '@lexora/protocol/mesh'
import {
  GATEWAY_DIAL_FAILURES_MAX,
  GATEWAY_REDIAL_MAX_MS,
  GATEWAY_REDIAL_MIN_MS,
} from '../constants.ts'

/** What a link uses. */
export interface GatewayLinkComponents {
  /** Opens a session. Undefined while too many others are being opened. */
  dial: (addresses: readonly string[]) => Promise<Session> | undefined
  /** The link is of no use any more. */
  forget: () => void
  log: { debug(fields: object, message: string): void }
}

/** One gateway that this provider knows: keeps a session with it. */
export interface GatewayLink {
  readonly peerId: string
  readonly isOpen: boolean
  /** Dials in a row that failed. */
  readonly failures: number
  /** Open sessions: one, or two for a moment when both ends dialled at once. */
  sessions(): Iterable<Session>
  /** The gateway is said to be at these addresses; the newest word counts. `isAlive` means that it says so itself. */
  learn(addresses: readonly string[], isAlive: boolean): void
  /** Takes a session that either end opened. */
  attach(session: Session): void
  /** Ends the link for good. Its sessions are closed by whoever opened the link. */
  stop(): void
}

/** Refusals that the next dial will meet again: the peer is no gateway of this network, or does not want us. */
const LASTING: ReadonlySet<ErrorCode> = new Set([
  'not_a_member',
  'signature_invalid',
  'malformed',
  'unsupported_version',
  'forbidden',
])

/** Makes the link to a gateway; it dials as soon as something is learned of it. */
export function createGatewayLink(components: GatewayLinkComponents, peerId: string): GatewayLink {
  return new DiallingLink(components, peerId)
}

class DiallingLink implements GatewayLink {
  readonly peerId: string
  readonly #components: GatewayLinkComponents
  readonly #open = new Set<Session>()
  readonly #delays = backoff({ minMs: GATEWAY_REDIAL_MIN_MS, maxMs: GATEWAY_REDIAL_MAX_MS })
  #addresses: readonly string[] = []
  #failures = 0
  #dialling = false
  #dialledAtMs = Number.NEGATIVE_INFINITY
  #stopped = false
  #timer: NodeJS.Timeout | undefined

  constructor(components: GatewayLinkComponents, peerId: string) {
    this.#components = components
    this.peerId = peerId
  }

  get isOpen(): boolean {
    return this.#open.size > 0
  }

  get failures(): number {
    return this.#failures
  }

  sessions(): Iterable<Session> {
    return this.#open
  }

  learn(addresses: readonly string[], isAlive: boolean): void {
    const isNews = isAlive || (this.#failures === 0 && this.#addresses.length === 0)
    if (addresses.length > 0) this.#addresses = addresses
    const waitMs = this.#dialledAtMs + GATEWAY_REDIAL_MIN_MS - performance.now()
    if (isNews) this.#schedule(Math.max(0, waitMs))
  }

  attach(session: Session): void {
    if (this.#open.has(session)) return
    this.#open.add(session)
    this.#failures = 0
    clearTimeout(this.#timer)
    const openedAtMs = performance.now()
    session.onClose(() => {
      this.#open.delete(session)
      // A session that stood is dialled again soon; one that breaks at once is not hammered.
      if (performance.now() - openedAtMs > GATEWAY_REDIAL_MAX_MS) this.#delays.reset()
      this.#schedule(this.#delays.nextMs())
    })
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }

  #schedule(delayMs: number): void {
    if (this.#stopped || this.isOpen) return
    clearTimeout(this.#timer)
    // #dial handles its own errors.
    this.#timer = setTimeout(() => void this.#dial(), delayMs)
    this.#timer.unref()
  }

  async #dial(): Promise<void> {
    if (this.#dialling || this.#stopped || this.isOpen) return
    const opening = this.#components.dial(this.#addresses)
    if (opening === undefined) {
      this.#schedule(GATEWAY_REDIAL_MIN_MS)
      return
    }
    this.#dialling = true
    this.#dialledAtMs = performance.now()
    try {
      this.attach(await opening)
    } catch (error) {
      this.#failed(errorCodeOf(error))
    } finally {
      this.#dialling = false
    }
  }

  #failed(code: ErrorCode): void {
    this.#failures += 1
    this.#components.log.debug(
      { peer: this.peerId, code, failures: this.#failures },
      'gateway not reached',
    )
    if (this.#failures >= GATEWAY_DIAL_FAILURES_MAX) this.#components.forget()
    else this.#schedule(LASTING.has(code) ? GATEWAY_REDIAL_MAX_MS : this.#delays.nextMs())
  }
}
