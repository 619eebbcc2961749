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
}

/** Makes the provider sessions. `software` is told to peers. */
export function createProviders(
  components: ProvidersComponents,
  options: { ledgerPeerId: string; software: string },
): Providers {
  const { host, directory, log, certificate } = components
  const read = helloReader(components, options.ledgerPeerId)

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
    const { record, load } = read.hello(session.remotePeer, session.remoteHello)
    try {
      directory.add(session, record, load)
    } catch (error) {
      session.close(error instanceof LexoraError ? error : undefined)
      return
    }
    session.onClose(() => {
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
  }
}

/** Checks what a provider says of itself. Each throws the codes of {@link checkCapability}. */
interface HelloReader {
  record(remotePeer: string, capability: Uint8Array): CapabilityRecord
  hello(
    remotePeer: string,
    bytes: Uint8Array,
  ): { record: CapabilityRecord; load: LoadHeartbeat | undefined }
}

function helloReader({ clock }: ProvidersComponents, ledgerPeerId: string): HelloReader {
  function record(peerId: string, capability: Uint8Array): CapabilityRecord {
    return checkCapability(capability, { ledgerPeerId, nowMs: clock(), peerId }).record
  }
  return {
    record,
    hello(remotePeer, bytes) {
      const { capability, load } = helloCodec.decode(bytes)
      if (capability === undefined) {
        throw new LexoraError('not_a_member', 'a provider must show its capability record')
      }
      const ownLoad = load?.peerId === remotePeer ? load : undefined
      return { record: record(remotePeer, capability), load: ownLoad }
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
      directory.updateRecord(remotePeer, read.record(remotePeer, payload))
    },
    [GOODBYE_NOTICE]: (_payload, { remotePeer }) => {
      directory.forget(remotePeer)
    },
  }
}
