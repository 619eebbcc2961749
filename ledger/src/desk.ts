import { LexoraError, SHORT_TEXT_LENGTH_MAX } from '@lexora/protocol'
import type { Logger } from 'pino'
import { base62, toBigInt } from './accounts/secret.ts'
import type { LedgerState } from './core/state.ts'
import type { Writer } from './store/writer.ts'

/** What every part of the service works with. Reads look at the state; only the writer changes it. */
export interface Desk {
  writer: Writer
  state: LedgerState
  /** Unix ms. */
  clock: () => number
  random: (length: number) => Uint8Array
  /** Whether there is too little disk for new promises. */
  isStorageLow: () => boolean
  log: Pick<Logger, 'info' | 'warn' | 'error'>
}

/** A new id such as `acc_2u…`: 128 random bits in base62. */
export function newId(desk: Desk, prefix: string): string {
  return `${prefix}_${base62(toBigInt(desk.random(16)), 22)}`
}

/** Throws `invalid_request` for a text that is empty, too long or holds control characters. */
export function checkText(value: string, field: string): void {
  if (value.length === 0 || value.length > SHORT_TEXT_LENGTH_MAX || /\p{Cc}/u.test(value)) {
    const rule = `1 to ${SHORT_TEXT_LENGTH_MAX} characters without control characters`
    throw new LexoraError('invalid_request', `${field} must be ${rule}`, { facts: { field } })
  }
}

/** Throws `invalid_request` for anything but a whole number in the range. */
export function checkCount(
  value: number,
  field: string,
  range: { min: number; max: number },
): void {
  if (!Number.isSafeInteger(value) || value < range.min || value > range.max) {
    const rule = `a whole number from ${range.min} to ${range.max}`
    throw new LexoraError('invalid_request', `${field} must be ${rule}`, { facts: { field } })
  }
}

/** Throws `invalid_request` for bytes of another length. */
export function checkBytes(value: Uint8Array, field: string, length: number): void {
  if (value.byteLength !== length) {
    throw new LexoraError('invalid_request', `${field} must be ${length} bytes`, {
      facts: { field },
    })
  }
}

/** Bytes as lower-case hex, the form of the records. */
export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
}
