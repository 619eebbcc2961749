import type { SessionLimits } from '../../../protocol/src/mesh/limits.ts'
import type { SessionHandlers } from '../../../protocol/src/mesh/serve.ts'
import { establishSession, type Session } from '../../../protocol/src/mesh/session.ts'
import { type MemoryStream, memoryPair } from './memory-pair.ts'

export const NOTHING: Uint8Array = new Uint8Array(0)

/** What each end of a test session answers. */
export interface PairOptions {
  client?: Partial<SessionHandlers>
  server?: Partial<SessionHandlers>
  limits?: Partial<SessionLimits>
  chunkBytes?: number
}

export interface SessionPair {
  client: Session
  server: Session
  clientStream: MemoryStream
  serverStream: MemoryStream
}

/** An open session over memory: the client opened it. */
export async function sessionPair(options: PairOptions = {}): Promise<SessionPair> {
  const [clientStream, serverStream] = memoryPair(options.chunkBytes)
  const limits = options.limits ?? {}
  const [client, server] = await Promise.all([
    establishSession(
      { stream: clientStream },
      {
        remotePeer: 'server',
        direction: 'outbound',
        hello: () => bytes('client hello'),
        accept: () => ({ requests: {}, notices: {}, ...options.client }),
        limits,
      },
    ),
    establishSession(
      { stream: serverStream },
      {
        remotePeer: 'client',
        direction: 'inbound',
        hello: () => bytes('server hello'),
        accept: () => ({ requests: {}, notices: {}, ...options.server }),
        limits,
      },
    ),
  ])
  return { client, server, clientStream, serverStream }
}

export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

export function text(payload: Uint8Array): string {
  return new TextDecoder().decode(payload)
}

/** Resolves with the reason of a session's end. */
export function closed(session: Session): Promise<unknown> {
  return new Promise((resolve) => {
    session.onClose(resolve)
  })
}
