import {
  errorCodeOf,
  GATEWAY_TOPIC,
  GOODBYE_NOTICE,
  INFER_METHOD,
  LexoraError,
  SERVE_FRAME_BYTES_MAX,
  SERVE_PROTOCOL,
} from '@lexora/protocol'
import type {
  MeshHost,
  OpenOptions,
  RequestHandler,
  Session,
  SessionHandlers,
} from '@lexora/protocol/mesh'
import { GATEWAY_DIAL_TIMEOUT_MS, GATEWAY_DIALS_MAX, GATEWAYS_MAX } from '../constants.ts'
import { type Announcements, readGatewayAnnouncement } from './announcements.ts'
import { createGatewayLink, type GatewayLink } from './gateway-link.ts'
import { createGatewayMembers, type GatewayMembers, revokedError } from './gateway-members.ts'

/** The log of the gateway sessions. */
export interface GatewaysLog {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
}

/** What the gateway sessions use. */
export interface GatewaysComponents {
  host: Pick<MeshHost, 'openSession' | 'serveSessions' | 'subscribe'>
  /** This node's hello. Throws `not_a_member` without a certificate. */
  hello: () => Uint8Array
  /** Answers inference requests. */
  serve: RequestHandler
  announcements: Announcements
  log: GatewaysLog
  /** Unix time in ms. */
  clock: () => number
}

/** Whom to believe and how many to keep. */
export interface GatewaysOptions {
  /** The pinned ledger, whose certificates make a gateway. */
  ledgerPeerId: string
  /** Default {@link GATEWAYS_MAX}. */
  gatewaysMax?: number
}

/** This provider's sessions with gateways: one with each that it knows. */
export interface Gateways {
  /** Begins to answer gateways that dial and to listen to those that announce themselves. */
  start(): Promise<void>
  /** Says goodbye and closes all sessions. */
  stop(): void
  /** A gateway is said to be there: a hint that is checked by dialling it. */
  learn(peerId: string, addresses: readonly string[]): void
  /** Sends a notice on every session. */
  broadcast(method: string, payload: Uint8Array): void
  /** Closes sessions with members whose certificates are revoked, and refuses these from now on. */
  revoke(serials: readonly number[]): void
  /** Gateways with an open session. */
  readonly connected: number
  /** Tells of each new session. */
  onSession(listener: (session: Session) => void): void
}

/** Both ends of a serving session must take a whole inference request in one frame. */
const LIMITS = { frameBytesMax: SERVE_FRAME_BYTES_MAX } as const

/** Makes the sessions with gateways. */
export function createGateways(components: GatewaysComponents, options: GatewaysOptions): Gateways {
  return new GatewaySessions(components, options)
}

class GatewaySessions implements Gateways {
  readonly #components: GatewaysComponents
  readonly #gatewaysMax: number
  readonly #members: GatewayMembers
  readonly #handlers: SessionHandlers
  readonly #links = new Map<string, GatewayLink>()
  /** Open sessions, each with the serial of the certificate that the gateway showed. */
  readonly #sessions = new Map<Session, number>()
  readonly #listeners: ((session: Session) => void)[] = []
  readonly #stopping = new AbortController()
  #dials = 0
  #unsubscribe: (() => void) | undefined
  readonly #accept = (remotePeer: string, hello: Uint8Array): SessionHandlers => {
    this.#members.admit(remotePeer, hello)
    if (this.#linkTo(remotePeer) !== undefined) return this.#handlers
    throw new LexoraError('provider_busy', 'this provider has as many gateways as it can keep')
  }
  readonly #onSession = (session: Session): void => {
    this.#opened(session)
  }

  constructor(components: GatewaysComponents, options: GatewaysOptions) {
    this.#components = components
    this.#gatewaysMax = options.gatewaysMax ?? GATEWAYS_MAX
    this.#members = createGatewayMembers(components.clock, options.ledgerPeerId)
    this.#handlers = {
      requests: { [INFER_METHOD]: components.serve },
      notices: {
        [GOODBYE_NOTICE]: (_payload, session) => {
          components.log.info({ peer: session.remotePeer }, 'gateway says goodbye')
          this.#forget(session.remotePeer)
        },
      },
    }
  }

  get connected(): number {
    let count = 0
    for (const link of this.#links.values()) if (link.isOpen) count += 1
    return count
  }

  async start(): Promise<void> {
    const { host, announcements } = this.#components
    this.#unsubscribe = host.subscribe(GATEWAY_TOPIC, {
      validate: (from, bytes) => announcements.gateway(from, bytes),
      handle: (from, bytes) => {
        const addresses = readGatewayAnnouncement(bytes)?.addresses ?? []
        this.#linkTo(from)?.learn(addresses, true)
      },
    })
    await host.serveSessions(SERVE_PROTOCOL, this.#sessionOptions())
  }

  stop(): void {
    this.#unsubscribe?.()
    this.broadcast(GOODBYE_NOTICE, new Uint8Array(0))
    this.#stopping.abort()
    for (const peerId of this.#links.keys()) this.#forget(peerId)
  }

  learn(peerId: string, addresses: readonly string[]): void {
    this.#linkTo(peerId)?.learn(addresses, false)
  }

  broadcast(method: string, payload: Uint8Array): void {
    for (const session of this.#sessions.keys()) session.notify(method, payload)
  }

  revoke(serials: readonly number[]): void {
    this.#members.revoke(serials)
    for (const [session, serial] of this.#sessions) {
      if (serials.includes(serial)) session.close(revokedError())
    }
  }

  onSession(listener: (session: Session) => void): void {
    this.#listeners.push(listener)
  }

  #sessionOptions(): Pick<OpenOptions, 'hello' | 'accept' | 'onSession' | 'limits'> {
    return {
      hello: this.#components.hello,
      accept: this.#accept,
      onSession: this.#onSession,
      limits: LIMITS,
    }
  }

  #opened(session: Session): void {
    const { log } = this.#components
    const peer = session.remotePeer
    this.#linkTo(peer)?.attach(session)
    this.#sessions.set(session, this.#members.serial(peer, session.remoteHello))
    session.onClose((error) => {
      this.#sessions.delete(session)
      const code = error === undefined ? 'closed_here' : errorCodeOf(error)
      log.info({ peer, code, gateways: this.connected }, 'gateway session closed')
    })
    log.info(
      { peer, direction: session.direction, gateways: this.connected },
      'gateway session open',
    )
    for (const listener of this.#listeners) listener(session)
  }

  /** The link to a peer, made where there is none; undefined where there is no room for one more. */
  #linkTo(peerId: string): GatewayLink | undefined {
    const known = this.#links.get(peerId)
    if (known !== undefined) return known
    if (this.#stopping.signal.aborted) return undefined
    if (this.#links.size >= this.#gatewaysMax && !this.#makeRoom()) return undefined
    const link = createGatewayLink(
      {
        dial: (addresses) => this.#dial(peerId, addresses),
        forget: () => {
          this.#forget(peerId)
        },
        log: this.#components.log,
      },
      peerId,
    )
    this.#links.set(peerId, link)
    return link
  }

  /** Forgets the link that failed most often; one that never failed stays. */
  #makeRoom(): boolean {
    let worst: GatewayLink | undefined
    for (const link of this.#links.values()) {
      if (!link.isOpen && link.failures > (worst?.failures ?? 0)) worst = link
    }
    if (worst !== undefined) this.#forget(worst.peerId)
    return worst !== undefined
  }

  #forget(peerId: string): void {
    const link = this.#links.get(peerId)
    if (link === undefined) return
    this.#links.delete(peerId)
    link.stop()
    for (const session of link.sessions()) session.close()
  }

  #dial(peerId: string, addresses: readonly string[]): Promise<Session> | undefined {
    if (this.#dials >= GATEWAY_DIALS_MAX) return undefined
    this.#dials += 1
    const options: OpenOptions = {
      ...this.#sessionOptions(),
      signal: this.#stopping.signal,
      timeoutMs: GATEWAY_DIAL_TIMEOUT_MS,
    }
    return this.#components.host
      .openSession({ peerId, addresses }, SERVE_PROTOCOL, options)
      .finally(() => {
        this.#dials -= 1
      })
  }
}
