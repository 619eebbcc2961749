import { once } from 'node:events'
import { chmod, rm } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { LexoraError } from '@lexora/protocol'
import type { Logger } from 'pino'
import type { LedgerService } from '../service.ts'
import {
  type AdminAnswer,
  type AdminRequest,
  errorAnswer,
  REQUEST_BYTES_MAX,
  readLine,
  requestSchema,
} from './admin-message.ts'
import { runOperation } from './operations.ts'

/** More than any operator opens at once. */
const CONNECTIONS_MAX = 16
/** A request is one line from the same machine. */
const REQUEST_TIMEOUT_MS = 5_000
/** Longest path of a unix socket on Linux (108) and macOS (104), without its final zero. */
const SOCKET_PATH_BYTES_MAX = 103

/** The door for operators while the ledger runs. */
export interface AdminServer {
  /** Throws `invalid_request` for a path that is too long for a socket. */
  start(): Promise<void>
  stop(): Promise<void>
}

/**
 * Listens on a unix socket that only its owner may open. Start it after the journal was opened: whoever holds the
 * journal owns the socket, so one that is left from before may be removed.
 */
export function createAdminServer(
  components: { service: LedgerService; log: Pick<Logger, 'info' | 'warn'> },
  options: { path: string },
): AdminServer {
  const { service, log } = components
  const { path } = options
  const sockets = new Set<Socket>()
  let server: Server | undefined

  async function answer(socket: Socket): Promise<AdminAnswer> {
    try {
      const line = await readLine(socket, REQUEST_BYTES_MAX)
      // From here on the ledger works: checking the books may take minutes.
      socket.setTimeout(0)
      const { operation, input, note } = readRequest(line)
      log.info({ operation, actor: note?.actor }, 'operator command')
      return { v: 1, ok: true, data: await runOperation(service, operation, input, note) }
    } catch (error) {
      if (!(error instanceof LexoraError)) log.warn({ err: error }, 'operator command failed')
      return errorAnswer(error)
    }
  }

  function serve(socket: Socket): void {
    sockets.add(socket)
    socket.on('error', () => socket.destroy())
    socket.on('close', () => sockets.delete(socket))
    socket.setTimeout(REQUEST_TIMEOUT_MS)
    // A failed write shows as the socket's own error.
    void respond(socket)
  }

  async function respond(socket: Socket): Promise<void> {
    const line = JSON.stringify(await answer(socket))
    socket.setTimeout(REQUEST_TIMEOUT_MS, () => socket.destroy())
    socket.end(`${line}\n`)
  }

  return {
    async start() {
      if (Buffer.byteLength(path) > SOCKET_PATH_BYTES_MAX) {
        throw new LexoraError(
          'invalid_request',
          'the home folder’s path is too long for a socket',
          {
            facts: { path, bytesMax: SOCKET_PATH_BYTES_MAX },
          },
        )
      }
      await rm(path, { force: true })
      server = createServer({ allowHalfOpen: true }, serve)
      server.maxConnections = CONNECTIONS_MAX
      server.listen(path)
      await once(server, 'listening')
      await chmod(path, 0o600)
    },
    async stop() {
      const closing = server
      if (closing === undefined) return
      server = undefined
      const closed = once(closing, 'close')
      closing.close()
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}

function readRequest(line: string): AdminRequest {
  try {
    return requestSchema.parse(JSON.parse(line))
  } catch (cause) {
    throw new LexoraError('malformed', 'the request is not one line of JSON as expected', { cause })
  }
}
