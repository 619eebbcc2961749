import type { Socket } from 'node:net'
import { isErrorCode, LexoraError } from '@lexora/protocol'
import { z } from 'zod'

/** Longest request line. A price list of 512 models is about 100 KB. */
export const REQUEST_BYTES_MAX: number = 256 * 1024
/** Longest answer line. A list of 10,000 accounts is about 4 MB. */
export const ANSWER_BYTES_MAX: number = 16 * 1024 * 1024

const noteText = z.string().min(1).max(128)

/** What a command line asks of a running ledger: one line of JSON. */
export const requestSchema: z.ZodType<AdminRequest> = z.strictObject({
  v: z.literal(1),
  operation: z.string().max(64),
  input: z.unknown(),
  note: z.strictObject({ actor: noteText, reason: noteText }).optional(),
})

/** See {@link requestSchema}. */
export interface AdminRequest {
  v: 1
  operation: string
  input: unknown
  /** Who is at the command line, and why, for the audit log. */
  note?: { actor: string; reason: string } | undefined
}

/** What it gets: one line of JSON. */
export const answerSchema: z.ZodType<AdminAnswer> = z.discriminatedUnion('ok', [
  z.strictObject({ v: z.literal(1), ok: z.literal(true), data: z.unknown() }),
  z.strictObject({
    v: z.literal(1),
    ok: z.literal(false),
    error: z.strictObject({
      code: z.string().max(64),
      message: z.string().max(4_096),
      facts: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
    }),
  }),
])

/** See {@link answerSchema}. */
export type AdminAnswer =
  | { v: 1; ok: true; data: unknown }
  | {
      v: 1
      ok: false
      error: { code: string; message: string; facts: Record<string, string | number | boolean> }
    }

/** An error as an answer. Anything but a LexoraError is our fault and says no more than that. */
export function errorAnswer(error: unknown): AdminAnswer {
  const known =
    error instanceof LexoraError
      ? error
      : new LexoraError('internal', 'the ledger failed: see its log')
  const { code, message, facts } = known
  return { v: 1, ok: false, error: { code, message, facts } }
}

/** The data of an answer. Throws the error that it carries. */
export function dataOf(answer: AdminAnswer): unknown {
  if (answer.ok) return answer.data
  const { code, message, facts } = answer.error
  throw new LexoraError(isErrorCode(code) ? code : 'malformed', message, { facts })
}

/**
 * Reads one line. Throws `frame_too_large` beyond the cap, `session_closed` where the line does not end, and
 * `timeout` where the socket's idle time passes.
 */
export async function readLine(socket: Socket, bytesMax: number): Promise<string> {
  const isIdle = { yes: false }
  socket.once('timeout', () => {
    isIdle.yes = true
    socket.destroy()
  })
  try {
    const line = await firstLine(socket, bytesMax)
    if (line !== undefined) return line
  } catch (error) {
    // A socket that is destroyed under its reader ends with an error of Node's own.
    if (error instanceof LexoraError) throw error
  }
  if (isIdle.yes) throw new LexoraError('timeout', 'no answer in time')
  throw new LexoraError('session_closed', 'the line broke off')
}

async function firstLine(socket: Socket, bytesMax: number): Promise<string | undefined> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const data of socket.iterator({ destroyOnReturn: false })) {
    const chunk = data as Buffer
    const end = chunk.indexOf(0x0a)
    const part = end === -1 ? chunk : chunk.subarray(0, end)
    length += part.byteLength
    if (length > bytesMax) throw new LexoraError('frame_too_large', 'the line is too long')
    chunks.push(part)
    if (end !== -1) return Buffer.concat(chunks).toString('utf8')
  }
  return undefined
}
