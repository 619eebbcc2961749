import type { Connection, Stream } from '@libp2p/interface'
import { LexoraError } from '../errors.ts'
import { dialableAddresses, parsePeerId } from './addresses.ts'
import { startDeadline } from './deadline.ts'
import type { MeshNode } from './libp2p-node.ts'
import { HOST_LIMITS, type SessionLimits } from './limits.ts'
import type { MeshLog } from './log.ts'
import type { SessionHandlers } from './serve.ts'
import { establishSession, type Session, type SessionOptions } from './session.ts'
import { fromLibp2pStream } from './session-stream.ts'

/** How to answer peers that open a session. */
export interface ServeOptions {
  /** This end's hello, made anew for each session. */
  hello(): Uint8Array
  /** Judges the peer's hello: returns what it may ask, or throws a LexoraError that the peer is told. */
  accept(remotePeer: string, hello: Uint8Array): SessionHandlers
  /** Called for each accepted session, before any of its requests is read. */
  onSession?(session: Session): void
  readonly limits?: Partial<SessionLimits>
}

/** How to open a session. */
export interface OpenOptions extends ServeOptions {
  readonly signal?: AbortSignal
  /** Time for connection and hellos together. Default 8 s. */
  readonly timeoutMs?: number
}

/** Whom to open a session with. */
export interface SessionTarget {
  readonly peerId: string
  /** Where it may be, when no connection is open. Default: what the peer store and the DHT know. */
  readonly addresses?: readonly string[]
}

/** What the hub uses. */
export interface SessionHubComponents {
  readonly node: MeshNode
  readonly log: MeshLog
}

/** The sessions of one host. */
export interface SessionHub {
  /** Answers sessions of a protocol, once started. */
  readonly serve: (protocol: string, options: ServeOptions) => Promise<void>
  /**
   * Opens a session over an open connection to the peer, whoever dialled it, or a new one. Throws LexoraError
   * `session_closed` when the peer cannot be reached, `unsupported_version` when it does not speak the protocol,
   * `timeout`, `cancelled`, `malformed` for a bad peer id, or what the peer or `accept` answered.
   */
  readonly open: (target: SessionTarget, protocol: string, options: OpenOptions) => Promise<Session>
  /** Closes all sessions. */
  stop(): void
}

/** Makes the sessions of a libp2p node. */
export function createSessionHub(components: SessionHubComponents): SessionHub {
  const { node, log } = components
  const pool: SessionPool = { sessions: new Set(), held: 0, log }
  const stopping = new AbortController()

  async function serve(protocol: string, options: ServeOptions): Promise<void> {
    const onStream = (stream: Stream, connection: Connection): void => {
      const remotePeer = connection.remotePeer.toString()
      establish(pool, stream, {
        ...options,
        remotePeer,
        direction: 'inbound',
        signal: stopping.signal,
      }).catch((error: unknown) => {
        log.debug({ err: error, peer: remotePeer, protocol }, 'inbound session refused')
      })
    }
    const streams = HOST_LIMITS.sessionStreamsMax
    await node.handle(protocol, onStream, {
      maxInboundStreams: streams,
      maxOutboundStreams: streams,
    })
  }

  async function open(
    target: SessionTarget,
    protocol: string,
    options: OpenOptions,
  ): Promise<Session> {
    const deadline = startDeadline(options.timeoutMs ?? HOST_LIMITS.dialMs, [
      stopping.signal,
      options.signal,
    ])
    const { signal } = deadline
    try {
      const stream = await openStream(node, { target, protocol, signal })
      return await establish(pool, stream, {
        ...options,
        remotePeer: target.peerId,
        direction: 'outbound',
        signal,
      })
    } catch (error) {
      throw openError(error, {
        timedOut: deadline.expired,
        cancelled: options.signal?.aborted ?? false,
      })
    } finally {
      deadline.clear()
    }
  }

  return {
    serve,
    open,
    stop: () => {
      stopping.abort()
      for (const session of pool.sessions) session.close()
    },
  }
}

interface SessionPool {
  readonly sessions: Set<Session>
  /** Sessions that have not ended, with those whose hello is awaited. */
  held: number
  readonly log: MeshLog
}

async function establish(
  pool: SessionPool,
  stream: Stream,
  options: SessionOptions,
): Promise<Session> {
  if (pool.held >= HOST_LIMITS.sessionsMax) {
    const facts = { sessions: pool.held }
    const error = new LexoraError('provider_busy', 'too many sessions are open', { facts })
    stream.abort(error)
    throw error
  }
  pool.held += 1
  try {
    const components = { stream: fromLibp2pStream(stream), log: pool.log }
    const session = await establishSession(components, options)
    pool.sessions.add(session)
    session.onClose(() => {
      pool.sessions.delete(session)
      pool.held -= 1
    })
    return session
  } catch (error) {
    pool.held -= 1
    throw error
  }
}

interface StreamRequest {
  readonly target: SessionTarget
  readonly protocol: string
  readonly signal: AbortSignal
}

/** A stream over an open connection; where that turns out to be dead, over a new one. */
async function openStream(node: MeshNode, request: StreamRequest): Promise<Stream> {
  const { target, protocol, signal } = request
  const peerId = parsePeerId(target.peerId)
  const options = { signal, maxOutboundStreams: HOST_LIMITS.sessionStreamsMax }
  const existing = node
    .getConnections(peerId)
    .find((connection) => connection.status === 'open' && connection.limits === undefined)
  if (existing !== undefined) {
    try {
      return await existing.newStream(protocol, options)
    } catch (error) {
      if (existing.status === 'open' || signal.aborted) throw error
    }
  }
  const addresses = dialableAddresses(
    target.peerId,
    target.addresses ?? [],
    HOST_LIMITS.dialAddressesMax,
  )
  const connection = await node.dial(addresses.length > 0 ? addresses : peerId, { signal })
  return connection.newStream(protocol, options)
}

function openError(error: unknown, why: { timedOut: boolean; cancelled: boolean }): LexoraError {
  if (why.cancelled)
    return new LexoraError('cancelled', 'the session was given up before it opened')
  if (why.timedOut)
    return new LexoraError('timeout', 'the peer did not open a session in time', { cause: error })
  if (error instanceof LexoraError) return error
  if (error instanceof Error && error.name === 'UnsupportedProtocolError') {
    return new LexoraError('unsupported_version', 'the peer does not speak this protocol', {
      cause: error,
    })
  }
  return new LexoraError('session_closed', 'the peer cannot be reached', { cause: error })
}
