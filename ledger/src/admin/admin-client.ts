import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { LexoraError } from '@lexora/protocol'
import {
  type AdminAnswer,
  type AdminRequest,
  ANSWER_BYTES_MAX,
  answerSchema,
  dataOf,
  readLine,
} from './admin-message.ts'
import type { OperatorNote } from './operations.ts'

/** A moment's work, behind at most some seconds of a busy disk. */
const ANSWER_TIMEOUT_MS = 30_000
/** Operations that read the whole journal, and how long they may take. */
const LONG_OPERATIONS: ReadonlySet<string> = new Set(['verify', 'backup'])
const LONG_TIMEOUT_MS = 10 * 60_000

/** A line to a running ledger. */
export interface AdminClient {
  /** One request; the line is used up after it. Throws what the operation throws, `timeout` and `session_closed`. */
  ask(operation: string, input: unknown, note?: OperatorNote): Promise<unknown>
  close(): void
}

/**
 * Connects to the ledger that runs on this socket; undefined where none does. `answerMs` is how long a usual operation
 * may take, 30 s by default.
 */
export async function connectAdmin(
  path: string,
  { answerMs = ANSWER_TIMEOUT_MS }: { answerMs?: number } = {},
): Promise<AdminClient | undefined> {
  const socket = connect({ path, allowHalfOpen: true })
  try {
    await once(socket, 'connect')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'ENOENT' || code === 'ECONNREFUSED') return undefined
    throw error
  }
  return {
    ask(operation, input, note) {
      socket.setTimeout(LONG_OPERATIONS.has(operation) ? LONG_TIMEOUT_MS : answerMs)
      return ask(socket, { v: 1, operation, input, note })
    },
    close: () => socket.destroy(),
  }
}

async function ask(socket: Socket, request: AdminRequest): Promise<unknown> {
  socket.write(`${JSON.stringify(request)}\n`)
  try {
    return dataOf(readAnswer(await readLine(socket, ANSWER_BYTES_MAX)))
  } finally {
    socket.destroy()
  }
}

function readAnswer(line: string): AdminAnswer {
  try {
    return answerSchema.parse(JSON.parse(line))
  } catch (cause) {
    throw new LexoraError('malformed', 'the ledger’s answer cannot be read', { cause })
  }
}
