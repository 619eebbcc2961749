import { helloCodec } from '../capability.ts'
import { checkCertificate, type MemberRole } from '../certificate.ts'
import {
  CERTIFICATE_RENEW_BEFORE_MS,
  LEDGER_MESSAGE_BYTES_MAX,
  LEDGER_PROTOCOL,
} from '../constants.ts'
import { errorCodeOf, LexoraError } from '../errors.ts'
import { certificateResponseCodec, enrolRequestCodec, LEDGER_METHODS } from '../ledger-messages.ts'
import type { Codec } from '../wire/codec.ts'
import { type Backoff, backoff } from './backoff.ts'
import type { MeshHost } from './host.ts'
import type { MeshLog } from './log.ts'
import type { Session } from './session.ts'

/** How long one ledger call may take, in ms: a group commit under load plus a slow disk, far below a client's patience. */
const CALL_TIMEOUT_MS = 5_000
/** How long a connection attempt may take, in ms. */
const CONNECT_TIMEOUT_MS = 10_000
/**
 * Bounds of the wait before another attempt, ms. A ledger is back within seconds of a crash, and the leases of running
 * requests end while nobody reaches it; a refused dial costs little.
 */
const RETRY_MS = { minMs: 250, maxMs: 2_000 }
/** How often the certificate's age is looked at, in ms. */
const CERTIFICATE_CHECK_MS = 30_000

/** What the client uses. */
export interface LedgerClientComponents {
  host: MeshHost
  log: MeshLog
  /** Unix time in ms. */
  clock: () => number
}

/** Where the ledger is and how this peer becomes a member. */
export interface LedgerClientOptions {
  ledger: { peerId: string; addresses: string[] }
  role: MemberRole
  software: string
  /** Redeemed once, where the ledger does not know this peer yet. */
  enrolmentToken?: string
  /** Pushed notices by name. */
  notices?: Record<string, (payload: Uint8Array) => void>
}

/** A peer's standing link to the ledger: reconnects by itself, keeps the membership certificate fresh. */
export interface LedgerClient {
  /** Connects in the background; resolves at once. */
  start(): void
  stop(): void
  /** Whether calls can be made now. */
  readonly isConnected: boolean
  /** The certificate in force, or undefined before the first and after an expiry that could not be renewed. */
  certificate(): Uint8Array | undefined
  /** Tells of each new certificate. */
  onCertificate(listener: (certificate: Uint8Array) => void): void
  /** Tells why this peer is not admitted, e.g. a used token: waiting will not help. */
  onRefused(listener: (error: LexoraError) => void): void
  /** One round trip. Throws the ledger's coded error, or `ledger_unavailable` where it cannot be asked. */
  call<Request, Response>(
    method: string,
    codecs: { request: Codec<Request>; response: Codec<Response> },
    value: Request,
  ): Promise<Response>
  /** A call that asks nothing but its method. */
  request<Response>(method: string, codec: Codec<Response>): Promise<Response>
  /** A call whose answer is empty. */
  send<Request>(method: string, codec: Codec<Request>, value: Request): Promise<void>
}

/** Errors by which the ledger says that this peer does not belong: asking again gives the same answer. */
const REFUSALS: ReadonlySet<string> = new Set(['not_a_member', 'enrolment_refused', 'forbidden'])

/** Errors that mean no answer: a later call may get one. `provider_busy` is a session with too many calls open. */
const UNANSWERED: ReadonlySet<string> = new Set(['session_closed', 'timeout', 'provider_busy'])

const NOTHING = new Uint8Array()

/** Makes a ledger client for a started host. */
export function createLedgerClient(
  components: LedgerClientComponents,
  options: LedgerClientOptions,
): LedgerClient {
  return new StandingLedgerClient(components, options)
}

class StandingLedgerClient implements LedgerClient {
  readonly #host: MeshHost
  readonly #log: MeshLog
  readonly #clock: () => number
  readonly #options: LedgerClientOptions
  readonly #certificateListeners: ((certificate: Uint8Array) => void)[] = []
  readonly #refusalListeners: ((error: LexoraError) => void)[] = []
  readonly #retry: Backoff = backoff(RETRY_MS)
  readonly #stopping = new AbortController()
  #session: Session | undefined
  #certificate: { bytes: Uint8Array; notAfterMs: number } | undefined
  #timer: NodeJS.Timeout | undefined

  constructor({ host, log, clock }: LedgerClientComponents, options: LedgerClientOptions) {
    this.#host = host
    this.#log = log
    this.#clock = clock
    this.#options = options
  }

  get isConnected(): boolean {
    return this.#session?.isOpen ?? false
  }

  start(): void {
    this.#schedule(0)
  }

  stop(): void {
    this.#stopping.abort()
    clearTimeout(this.#timer)
    this.#session?.close()
  }

  certificate(): Uint8Array | undefined {
    const held = this.#certificate
    return held !== undefined && held.notAfterMs > this.#clock() ? held.bytes : undefined
  }

  onCertificate(listener: (certificate: Uint8Array) => void): void {
    this.#certificateListeners.push(listener)
  }

  onRefused(listener: (error: LexoraError) => void): void {
    this.#refusalListeners.push(listener)
  }

  async call<Request, Response>(
    method: string,
    codecs: { request: Codec<Request>; response: Codec<Response> },
    value: Request,
  ): Promise<Response> {
    return codecs.response.decode(await this.#exchange(method, codecs.request.encode(value)))
  }

  async request<Response>(method: string, codec: Codec<Response>): Promise<Response> {
    return codec.decode(await this.#exchange(method, NOTHING))
  }

  async send<Request>(method: string, codec: Codec<Request>, value: Request): Promise<void> {
    await this.#exchange(method, codec.encode(value))
  }

  async #exchange(method: string, payload: Uint8Array): Promise<Uint8Array> {
    if (this.#session === undefined || !this.#session.isOpen) {
      throw new LexoraError('ledger_unavailable', 'the ledger cannot be reached now')
    }
    try {
      return await this.#session.request(method, payload, {
        timeoutMs: CALL_TIMEOUT_MS,
        maxResponseBytes: LEDGER_MESSAGE_BYTES_MAX,
      })
    } catch (cause) {
      if (!UNANSWERED.has(errorCodeOf(cause))) throw cause
      throw new LexoraError('ledger_unavailable', 'the ledger did not answer', { cause })
    }
  }

  /** Connects where there is no session, renews the certificate where it is due, and comes back later. */
  async #tend(): Promise<void> {
    try {
      if (!this.isConnected) await this.#connect()
      else if (this.#isRenewalDue()) await this.#obtainCertificate()
      // The session may have ended in the same turn as the answer came, and what it scheduled must stand.
      if (!this.isConnected) return
      this.#retry.reset()
      this.#schedule(CERTIFICATE_CHECK_MS)
    } catch (error) {
      this.#log.warn({ code: errorCodeOf(error) }, 'ledger not reached or membership not renewed')
      if (error instanceof LexoraError && REFUSALS.has(error.code)) {
        for (const listener of this.#refusalListeners) listener(error)
      }
      this.#schedule(this.#retry.nextMs())
    }
  }

  async #connect(): Promise<void> {
    const { ledger, software, notices = {} } = this.#options
    const session = await this.#host.openSession(ledger, LEDGER_PROTOCOL, {
      hello: () => helloCodec.encode({ certificate: NOTHING, software }),
      accept: () => ({ requests: {}, notices }),
      timeoutMs: CONNECT_TIMEOUT_MS,
      signal: this.#stopping.signal,
    })
    this.#session = session
    session.onClose(() => {
      if (this.#session === session) this.#session = undefined
      this.#log.warn({ peer: ledger.peerId }, 'ledger session closed')
      this.#schedule(this.#retry.nextMs())
    })
    await this.#obtainCertificate()
    this.#log.info({ peer: ledger.peerId }, 'ledger session open')
  }

  async #obtainCertificate(): Promise<void> {
    const { certificate: bytes } = certificateResponseCodec.decode(await this.#membership())
    const { notAfterMs } = checkCertificate(bytes, {
      ledgerPeerId: this.#options.ledger.peerId,
      nowMs: this.#clock(),
      peerId: this.#host.peerId,
      role: this.#options.role,
    })
    this.#certificate = { bytes, notAfterMs }
    for (const listener of this.#certificateListeners) listener(bytes)
  }

  /** A member asks for a fresh certificate; a stranger with a token redeems it. */
  async #membership(): Promise<Uint8Array> {
    try {
      return await this.#exchange(LEDGER_METHODS.renewCertificate, NOTHING)
    } catch (error) {
      const { enrolmentToken: token } = this.#options
      if (errorCodeOf(error) !== 'not_a_member' || token === undefined) throw error
      return this.#exchange(LEDGER_METHODS.enrol, enrolRequestCodec.encode({ token }))
    }
  }

  #isRenewalDue(): boolean {
    const held = this.#certificate
    return held === undefined || held.notAfterMs - this.#clock() < CERTIFICATE_RENEW_BEFORE_MS
  }

  #schedule(delayMs: number): void {
    if (this.#stopping.signal.aborted) return
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void this.#tend(), delayMs) // #tend() handles its own errors
  }
}
