import { type ErrorCode, errorCodeOf, formatUsd, LexoraError } from '@lexora/protocol'
import { isJournalDamaged } from './store/chunk.ts'

/** What a failed command tells: the process's exit code and what to do. */
export interface Failure {
  exitCode: number
  code: string
  message: string
  hint: string
  retryable: boolean
}

/** Exit codes that every Lexora command line shares. */
export const EXIT_CODES = {
  failure: 1,
  usage: 2,
  configuration: 3,
  locked: 8,
  integrity: 9,
  temporary: 75,
} as const

/** Failures after which nobody knows what became of the command: promising that nothing changed would invite a repeat. */
const UNTOLD: Partial<Record<ErrorCode, [exitCode: number, hint: string]>> = {
  timeout: [EXIT_CODES.temporary, 'it may be done yet: look before you repeat the command'],
  session_closed: [EXIT_CODES.temporary, 'it may be done: look before you repeat the command'],
  internal: [EXIT_CODES.failure, 'look before you repeat the command'],
}

/** An error for the person at the terminal. */
export function failureOf(error: unknown, home: string): Failure {
  const code = errorCodeOf(error)
  const message = error instanceof Error ? error.message : String(error)
  const facts = error instanceof LexoraError ? error.facts : {}
  const failure = (exitCode: number, hint: string, retryable = false): Failure => ({
    exitCode,
    code,
    message,
    hint,
    retryable,
  })
  if (isJournalDamaged(error)) {
    const hint = `keep ${home} as it is and restore a backup elsewhere`
    return { ...failure(EXIT_CODES.integrity, hint), code: 'journal_damaged' }
  }
  if (facts['noLedger'] === true) {
    return failure(EXIT_CODES.configuration, `run: lexora-ledger init --home ${home}`)
  }
  if (facts['locked'] === true) {
    const hint = 'wait until the other process has started or ended, then try again'
    return failure(EXIT_CODES.locked, hint, true)
  }
  switch (code) {
    case 'invalid_request':
      return failure(EXIT_CODES.usage, 'correct the value; --help shows examples')
    case 'not_found':
      return failure(EXIT_CODES.failure, 'list what there is with the list command')
    case 'storage_full':
      return failure(EXIT_CODES.temporary, 'free disk space, at least 1 GiB', true)
    case 'ledger_unavailable':
      return failure(EXIT_CODES.temporary, 'look at the ledger’s log, then try again', true)
    default:
      return failure(
        ...(UNTOLD[code] ?? [EXIT_CODES.failure, 'nothing was changed by this command']),
      )
  }
}

/** Data as `--json` shows it: times as ISO 8601, `createdAtMs` becoming `createdAt`. */
export function publicData(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(publicData)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, field]) =>
      name.endsWith('AtMs') && typeof field === 'number'
        ? [name.slice(0, -2), new Date(field).toISOString()]
        : [name, publicData(field)],
    ),
  )
}

/** One line per record, columns aligned, for eyes and awk. Money in dollars, times in ISO 8601. */
export function table(
  rows: readonly Record<string, unknown>[],
  columns: readonly string[],
): string {
  const lines = [
    columns.map((name) => name.replace(/NanoUsd$|Ms$/, '').toUpperCase()),
    ...rows.map((row) => columns.map((name) => cell(name, row[name]))),
  ]
  const widths = columns.map((_, index) =>
    Math.max(...lines.map((line) => (line[index] ?? '').length)),
  )
  return lines
    .map((line) =>
      line
        .map((text, index) => text.padEnd(widths[index] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** `name value` lines of one record. */
export function sheet(record: Record<string, unknown>, names: readonly string[]): string {
  const width = Math.max(...names.map((name) => name.length))
  return names.map((name) => `${name.padEnd(width)}  ${cell(name, record[name])}`).join('\n')
}

function cell(name: string, value: unknown): string {
  if (value === undefined || value === null) return '-'
  if (/NanoUsd$|^sum|^customers|^providers/.test(name) && typeof value === 'string') {
    return formatUsd(BigInt(value))
  }
  if (name.endsWith('AtMs') && typeof value === 'number') return new Date(value).toISOString()
  // Labels are somebody else's text: one word per column, so that columns can be cut.
  return typeof value === 'string' ? value.replace(/\s+/g, '_') : JSON.stringify(value)
}

/** A price list and what its columns are in. */
export function priceTable(list: Record<string, unknown>): { text: string; hint: string } {
  const columns = ['model', 'inputNanoUsd', 'cachedInputNanoUsd', 'outputNanoUsd']
  const hint = `version ${cell('', list['version'])}, fee ${cell('', list['feeBasisPoints'])} basis points, prices per million tokens`
  return { text: table(list['models'] as Record<string, unknown>[], columns), hint }
}
