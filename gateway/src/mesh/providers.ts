import {
  CAPABILITY_NOTICE,
  type CapabilityRecord,
  checkCapability,
  GOODBYE_NOTICE,
  helloCodec,
  LexoraError,
  LOAD_NOTICE,
  type LoadHeartbeat,
  loadCodec,
  SERVE_FRAME_BYTES_MAX,
  SERVE_PROTOCOL,
} from '@lexora/protocol'
import type {
  MeshHost,
  OpenOptions,
  Session,
  SessionHandlers,
  SessionTarget,
} from '@lexora/protocol/mesh'
import type { Logger } from 'pino'
import type { Directory } from '../routing/directory.ts'

/** A request frame must hold a whole inference request. */
const SESSION_LIMITS = { frameBytesMax: SERVE_FRAME_BYTES_MAX }

/** Revoked serials remembered: each matters for the hour that its certificate still lives, and costs 40 bytes. */
const REVOKED_SERIALS_MAX = 16_384

/** How long opening a session may take, ms. */
const OPEN_TIMEOUT_MS = 8_000

/** What the provider sessions use. */
export interface ProvidersComponents {
  host: MeshHost
  directory: Directory
  log: Logger
  /** Unix time in ms. */
  clock: () => number
  /** This gateway's certificate in force, or undefined while it has none. */
  certificate: () => Uint8Array | undefined
}

/** Sessions with providers, whoever opened them: each one keeps the directory's entry alive. */
export interface Providers {
  /** Answers providers that dial in. */
  serve(): Promise<void>
  /** Opens a session with a provider found elsewhere; does nothing where one is open. Throws what the opening throws. */
  meet(target: SessionTarget): Promise<void>
  /** Ends the sessions of members with these serials, and refuses them from now on. */
  revoke(serials: readonly number[]): void
}

/** Makes the provider sessions. `software` is told to peers. */
export function createProviders(
  components: ProvidersComponents,
  options: { ledgerPeerId: string; software: string },
): Providers {
  const { host, directory, log, certificate } = components
  const revoked = new Set<number>()
  const read = helloReader(components, options.ledgerPeerId, revoked)
  /** Open sessions, each with the serial of its provider's certificate. */
  const sessions = new Map<Session, number>()

  function hello(): Uint8Array {
    const held = certificate()
    if (held === undefined) {
      throw new LexoraError('not_a_member', 'this gateway has no certificate yet')
    }
    return helloCodec.encode({ certificate: held, software: options.software })
  }

  /** A provider's hello carries its record and load; both are checked before anything is kept. */
  function accept(remotePeer: string, bytes: Uint8Array): SessionHandlers {
    read.hello(remotePeer, bytes)
    return { requests: {}, notices: noticeHandlers(directory, read) }
  }

  function onSession(session: Session): void {
    const { record, load, serial } = read.hello(session.remotePeer, session.remoteHello)
    try {
      directory.add(session, record, load)
    } catch (error) {
      session.close(error instanceof LexoraError ? error : undefined)
      return
    }
    sessions.set(session, serial)
    session.onClose(() => {
      sessions.delete(session)
      directory.remove(session)
      log.info({ peer: session.remotePeer, providers: directory.size }, 'provider left')
    })
    log.info({ peer: session.remotePeer, providers: directory.size }, 'provider joined')
  }

  const sessionOptions: OpenOptions = {
    hello,
    accept,
    onSession,
    limits: SESSION_LIMITS,
    timeoutMs: OPEN_TIMEOUT_MS,
  }

  return {
    serve: () => host.serveSessions(SERVE_PROTOCOL, sessionOptions),
    async meet(target) {
      if (directory.get(target.peerId) !== undefined) return
      await host.openSession(target, SERVE_PROTOCOL, sessionOptions)
    },
    revoke(serials) {
      for (const serial of serials) {
        // The oldest goes first: its certificate has died by itself before so many more were revoked.
        if (revoked.size >= REVOKED_SERIALS_MAX) revoked.delete(first(revoked))
        revoked.add(serial)
      }
      for (const [session, serial] of sessions)
        if (revoked.has(serial)) session.close(revokedError())
    },
  }
}

function first(serials: ReadonlySet<number>): number {
  for (const serial of serials) return serial
  return 0
}

function revokedError(): LexoraError {
  return new LexoraError('not_a_member', 'the provider’s membership was revoked')
}

/** Checks what a provider says of itself. Each throws the codes of {@link checkCapability}, `not_a_member` for a revoked one too. */
interface HelloReader {
  record(remotePeer: string, capability: Uint8Array): Claimed
  hello(remotePeer: string, bytes: Uint8Array): Claimed & { load: LoadHeartbeat | undefined }
}

/** A checked record and the serial of the membership behind it. */
interface Claimed {
  record: CapabilityRecord
  serial: number
}

function helloReader(
  { clock }: ProvidersComponents,
  ledgerPeerId: string,
  revoked: ReadonlySet<number>,
): HelloReader {
  function record(peerId: string, capability: Uint8Array): Claimed {
    const checked = checkCapability(capability, { ledgerPeerId, nowMs: clock(), peerId })
    const { serial } = checked.certificate
    if (revoked.has(serial)) throw revokedError()
    return { record: checked.record, serial }
  }
  return {
    record,
    hello(remotePeer, bytes) {
      const { capability, load } = helloCodec.decode(bytes)
      if (capability === undefined) {
        throw new LexoraError('not_a_member', 'a provider must show its capability record')
      }
      const ownLoad = load?.peerId === remotePeer ? load : undefined
      return { ...record(remotePeer, capability), load: ownLoad }
    },
  }
}

function noticeHandlers(directory: Directory, read: HelloReader): SessionHandlers['notices'] {
  return {
    [LOAD_NOTICE]: (payload, { remotePeer }) => {
      const load = loadCodec.decode(payload)
      if (load.peerId === remotePeer) directory.updateLoad(remotePeer, load)
    },
    [CAPABILITY_NOTICE]: (payload, { remotePeer }) => {
      directory.updateRecord(remotePeer, read.record(remotePeer, payload).record)
    },
    [GOODBYE_NOTICE]: (_payload, { remotePeer }) => {
      directory.forget(remotePeer)
    },
  }
}
