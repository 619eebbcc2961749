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
import { backoff } from './backoff.ts'
import type { MeshHost } from './host.ts'
import type { MeshLog } from './log.ts'
import type { Session } from './session.ts'

/** How long one ledger call may take, in ms: a group commit under load plus a slow disk, far below a client's patience. */
const CALL_TIMEOUT_MS = 5_000
/** How long a connection attempt may take, in ms. */
const CONNECT_TIMEOUT_MS = 10_000
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

/** Makes a ledger client for a started host. */
export function createLedgerClient(
  components: LedgerClientComponents,
  options: LedgerClientOptions,
): LedgerClient {
  const { host, log, clock } = components
  const certificateListeners: ((certificate: Uint8Array) => void)[] = []
  const refusalListeners: ((error: LexoraError) => void)[] = []
  const retry = backoff({ minMs: 250, maxMs: 10_000 })
  const stopping = new AbortController()
  let session: Session | undefined
  let certificate: { bytes: Uint8Array; notAfterMs: number } | undefined
  let timer: NodeJS.Timeout | undefined

  async function exchange(method: string, payload: Uint8Array): Promise<Uint8Array> {
    if (session === undefined || !session.isOpen) {
      throw new LexoraError('ledger_unavailable', 'the ledger cannot be reached now')
    }
    try {
      return await session.request(method, payload, {
        timeoutMs: CALL_TIMEOUT_MS,
        maxResponseBytes: LEDGER_MESSAGE_BYTES_MAX,
      })
    } catch (cause) {
      const code = errorCodeOf(cause)
      if (code !== 'session_closed' && code !== 'timeout') throw cause
      throw new LexoraError('ledger_unavailable', 'the ledger did not answer', { cause })
    }
  }

  async function obtainCertificate(): Promise<void> {
    const { certificate: bytes } = certificateResponseCodec.decode(await membership())
    const { notAfterMs } = checkCertificate(bytes, {
      ledgerPeerId: options.ledger.peerId,
      nowMs: clock(),
      peerId: host.peerId,
      role: options.role,
    })
    certificate = { bytes, notAfterMs }
    for (const listener of certificateListeners) listener(bytes)
  }

  async function membership(): Promise<Uint8Array> {
    try {
      return await exchange(LEDGER_METHODS.renewCertificate, new Uint8Array())
    } catch (error) {
      if (errorCodeOf(error) !== 'not_a_member' || options.enrolmentToken === undefined) throw error
      return exchange(
        LEDGER_METHODS.enrol,
        enrolRequestCodec.encode({ token: options.enrolmentToken }),
      )
    }
  }

  async function connect(): Promise<void> {
    const opened = await host.openSession(options.ledger, LEDGER_PROTOCOL, {
      hello: () => helloCodec.encode({ certificate: new Uint8Array(), software: options.software }),
      accept: () => ({ requests: {}, notices: options.notices ?? {} }),
      timeoutMs: CONNECT_TIMEOUT_MS,
    })
    session = opened
    opened.onClose(() => {
      if (session === opened) session = undefined
      log.warn({ peer: options.ledger.peerId }, 'ledger session closed')
      schedule(retry.nextMs())
    })
    await obtainCertificate()
    retry.reset()
    log.info({ peer: options.ledger.peerId }, 'ledger session open')
  }

  async function tend(): Promise<void> {
    try {
      if (session === undefined || !session.isOpen) await connect()
      else if (dueForRenewal()) await obtainCertificate()
      schedule(CERTIFICATE_CHECK_MS)
    } catch (error) {
      log.warn({ code: errorCodeOf(error) }, 'ledger not reached or membership not renewed')
      if (error instanceof LexoraError && REFUSALS.has(error.code)) {
        for (const listener of refusalListeners) listener(error)
      }
      schedule(retry.nextMs())
    }
  }

  function dueForRenewal(): boolean {
    return (
      certificate === undefined || certificate.notAfterMs - clock() < CERTIFICATE_RENEW_BEFORE_MS
    )
  }

  function schedule(delayMs: number): void {
    if (stopping.signal.aborted) return
    clearTimeout(timer)
    timer = setTimeout(() => void tend(), delayMs) // tend() handles its own errors
  }

  return {
    start: () => schedule(0),
    stop() {
      stopping.abort()
      clearTimeout(timer)
      session?.close()
    },
    get isConnected() {
      return session?.isOpen ?? false
    },
    certificate: () =>
      certificate !== undefined && certificate.notAfterMs > clock() ? certificate.bytes : undefined,
    onCertificate: (listener) => void certificateListeners.push(listener),
    onRefused: (listener) => void refusalListeners.push(listener),
    async call(method, codecs, value) {
      return codecs.response.decode(await exchange(method, codecs.request.encode(value)))
    },
    async request(method, codec) {
      return codec.decode(await exchange(method, new Uint8Array()))
    },
    async send(method, codec, value) {
      await exchange(method, codec.encode(value))
    },
  }
}
