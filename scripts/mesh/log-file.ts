import { closeSync, fstatSync, mkdirSync, openSync, readSync, renameSync, statSync } from 'node:fs'
import { dirname } from 'node:path'

/** A log that has grown beyond this many bytes is put aside, over the one before it, when its process starts. */
const LOG_BYTES_MAX = 16 * 1024 * 1024
/** How much of a log's end is looked through for the last error, in bytes. */
const TAIL_BYTES = 16 * 1024
/** Longest error that is repeated on the terminal, in characters. */
const ERROR_CHARS_MAX = 300
/** pino's number for the level `error`. */
const ERROR_LEVEL = 50

/** Opens a log for appending, 0600. Whoever opens it closes the descriptor. */
export function openLog(path: string): number {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0
  if (size > LOG_BYTES_MAX) renameSync(path, `${path}.1`)
  return openSync(path, 'a', 0o600)
}

/** How long a log is now, in bytes: where the next lines begin. */
export function logLength(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}

/** The last error in a log behind a position, in one line; undefined where there is none. */
export function lastError(path: string, from: number): string | undefined {
  const errors = tail(path, from).flatMap((line) => errorIn(line) ?? [])
  return errors.at(-1)?.slice(0, ERROR_CHARS_MAX)
}

function tail(path: string, from: number): string[] {
  let file: number
  try {
    file = openSync(path, 'r')
  } catch {
    return []
  }
  try {
    const { size } = fstatSync(file)
    const start = Math.max(from, size - TAIL_BYTES)
    const bytes = Buffer.alloc(Math.max(0, size - start))
    const length = readSync(file, bytes, 0, bytes.length, start)
    return (
      bytes
        .toString('utf8', 0, length)
        .split('\n')
        // Where the tail begins in the middle of a line, its rest is no line of JSON and looks like a crash's words.
        .slice(start > from ? 1 : 0)
        .filter((line) => line.trim() !== '')
    )
  } finally {
    closeSync(file)
  }
}

/** A line of JSON is pino's; any other is what a command line or a crash had to say. */
function errorIn(line: string): string | undefined {
  try {
    const entry = JSON.parse(line) as { level?: number; msg?: string; err?: { message?: string } }
    if ((entry.level ?? 0) < ERROR_LEVEL) return undefined
    return [entry.msg, entry.err?.message].filter((part) => part !== undefined).join(': ')
  } catch {
    // Of a crash, the line that names the error; of a usage error, not the advice in brackets.
    return /^\s+at |^Node\.js v|^\s*[\^}(]/.test(line) ? undefined : line.trim()
  }
}
