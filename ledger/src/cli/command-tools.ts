import { LexoraError } from '@lexora/protocol'
import type { OperationName } from '../admin/operations.ts'
import { parseAmount, parseDuration } from '../operator-input.ts'

/** One record of an answer. */
export type Row = Record<string, unknown>
/** Options of a command, as commander gives them. */
export type Flags = Record<string, string | undefined>

/** What the command line gives its commands. */
export interface CommandTools {
  /** Runs one operation and prints what it says. */
  ask: <D>(
    name: OperationName,
    input: object | (() => Promise<object>),
    show: (data: D) => { text: string; hint?: string },
  ) => Promise<void>
  /** Runs an operation that lists, and prints these columns. */
  askList: (name: OperationName, flags: Flags, columns: string[]) => Promise<void>
  /** What `--reason` says. */
  reason: () => string | undefined
}

/** The input of a suspension. Throws `invalid_request`. */
export function suspension(accountId: string, flags: Flags, reason: string | undefined): object {
  const span = flags['for']
  const until = span === undefined ? {} : { resumesAtMs: Date.now() + parseDuration(span) }
  return { accountId, reason: wantedReason(reason), ...until }
}

/** The reason of a change that its owner will ask about. Throws `invalid_request` where none was given. */
export function wantedReason(reason: string | undefined): string {
  if (reason !== undefined) return reason
  throw new LexoraError('invalid_request', 'say why, with --reason "…"')
}

/** What a key may do, from the options that say so; undefined where none does. Throws `invalid_request`. */
export function limitsOf(flags: Flags): object | undefined {
  const limits = {
    ...amountOf('dayNanoUsd', flags['day']),
    ...amountOf('weekNanoUsd', flags['week']),
    ...amountOf('monthNanoUsd', flags['month']),
    ...countOf('requestsPerMinute', flags['rpm']),
    ...countOf('tokensPerMinute', flags['tpm']),
    ...(flags['models'] === undefined ? {} : { models: flags['models'].split(',') }),
  }
  return Object.keys(limits).length === 0 ? undefined : limits
}

/** A whole number. Throws `invalid_request`. */
export function parseCount(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text)
  throw new LexoraError('invalid_request', `"${text}" is not a whole number`)
}

function amountOf(name: string, usd: string | undefined): object {
  return usd === undefined ? {} : { [name]: parseAmount(usd) }
}

function countOf(name: string, text: string | undefined): object {
  return text === undefined ? {} : { [name]: parseCount(text) }
}
