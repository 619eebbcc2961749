import {
  CERTIFICATE_LIFETIME_MS,
  CLOCK_SKEW_MS,
  helloCodec,
  LEDGER_PROTOCOL,
  LexoraError,
  type MemberRole,
  PRICES_NOTICE,
  priceListCodec,
  REVOCATION_NOTICE,
  revocationNoticeCodec,
} from '@lexora/protocol'
import type { MeshHost, Session } from '@lexora/protocol/mesh'
import { type LedgerMethodsComponents, ledgerMethods } from './methods.ts'

/**
 * Calls of one session at once: a gateway runs up to 4,096 requests, settles up to 64 and renews leases beside them.
 */
const SESSION_LIMITS = { inboundRequestsMax: 8_192 }

/** How long a peer may hold a session without being a member, ms: enrolling takes one call. */
const STRANGER_MS = 30_000

/** Serials in one notice: below the codec's limit. */
const SERIALS_PER_NOTICE = 512

/** What the server uses. */
export interface LedgerServerComponents extends LedgerMethodsComponents {
  host: MeshHost
}

/** Answers peers over the mesh: calls, and pushes of revocations and prices to every open session. */
export interface LedgerServer {
  start(): Promise<void>
  stop(): void
}

/** Makes the server. `software` is told to peers. */
export function createLedgerServer(
  components: LedgerServerComponents,
  options: { software: string },
): LedgerServer {
  const { host, service } = components
  const sessions = new Set<Session>()
  const undo: (() => void)[] = []

  /** Keys are the gateways' matter alone; serials concern every member; a stranger is told nothing. */
  function push(notice: string, payload: (role: MemberRole) => Uint8Array | undefined): void {
    for (const session of sessions) {
      const role = roleOf(session.remotePeer)
      const bytes = role === undefined ? undefined : payload(role)
      if (bytes !== undefined) session.notify(notice, bytes)
    }
  }

  function roleOf(peerId: string): MemberRole | undefined {
    try {
      return service.member(peerId).role
    } catch {
      return undefined
    }
  }

  /** A peer gets some time to enrol; strangers that only sit there would fill the ledger's sessions. */
  function closeStranger(session: Session): void {
    if (session.isOpen && roleOf(session.remotePeer) === undefined) {
      session.close(new LexoraError('not_a_member', 'this peer did not become a member in time'))
    }
  }

  /** A peer that was away, or is new, learns whose certificates it must not believe although they are in force. */
  function tellRevoked(session: Session): void {
    const lifetimeMs = CERTIFICATE_LIFETIME_MS + 2 * CLOCK_SKEW_MS
    const serials = service.serialsRevokedSince(components.clock() - lifetimeMs)
    for (let start = 0; start < serials.length; start += SERIALS_PER_NOTICE) {
      const part = serials.slice(start, start + SERIALS_PER_NOTICE)
      const notice = revocationNoticeCodec.encode({ keyHashes: [], serials: part })
      session.notify(REVOCATION_NOTICE, notice)
    }
  }

  return {
    async start() {
      undo.push(
        service.onRevocation(({ keyHashes, serials }) =>
          push(REVOCATION_NOTICE, (role) => {
            const told = { keyHashes: role === 'gateway' ? keyHashes : [], serials }
            const isEmpty = told.keyHashes.length + serials.length === 0
            return isEmpty ? undefined : revocationNoticeCodec.encode(told)
          }),
        ),
        service.onPrices((list) => push(PRICES_NOTICE, () => priceListCodec.encode(list))),
      )
      await host.serveSessions(LEDGER_PROTOCOL, {
        hello: () =>
          helloCodec.encode({ certificate: new Uint8Array(), software: options.software }),
        accept: (peerId) => ({ requests: ledgerMethods(components, peerId), notices: {} }),
        limits: SESSION_LIMITS,
        onSession(session) {
          sessions.add(session)
          tellRevoked(session)
          const timer = setTimeout(() => closeStranger(session), STRANGER_MS)
          session.onClose(() => {
            clearTimeout(timer)
            sessions.delete(session)
          })
        },
      })
    },
    stop() {
      for (const step of undo.splice(0)) step()
    },
  }
}
