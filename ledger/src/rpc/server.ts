import {
  CERTIFICATE_LIFETIME_MS,
  CLOCK_SKEW_MS,
  helloCodec,
  LEDGER_PROTOCOL,
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

  function push(notice: string, payload: Uint8Array): void {
    for (const session of sessions) session.notify(notice, payload)
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
        service.onRevocation((notice) =>
          push(REVOCATION_NOTICE, revocationNoticeCodec.encode(notice)),
        ),
        service.onPrices((list) => push(PRICES_NOTICE, priceListCodec.encode(list))),
      )
      await host.serveSessions(LEDGER_PROTOCOL, {
        hello: () =>
          helloCodec.encode({ certificate: new Uint8Array(), software: options.software }),
        accept: (peerId) => ({ requests: ledgerMethods(components, peerId), notices: {} }),
        limits: SESSION_LIMITS,
        onSession(session) {
          sessions.add(session)
          tellRevoked(session)
          session.onClose(() => sessions.delete(session))
        },
      })
    },
    stop() {
      for (const step of undo.splice(0)) step()
    },
  }
}
