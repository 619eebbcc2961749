import { LexoraError } from '../errors.ts'
import type { NanoUsd } from '../money.ts'

/** Throws `malformed` naming the message and field; peers' own text never enters the message. */
export function refuse(field: string, rule: string): never {
  throw new LexoraError('malformed', `${field} ${rule}`, { facts: { field } })
}

/** A text of at most `max` UTF-16 units, and at least `min` (default 1). */
export function text(value: string, field: string, max: number, min = 1): string {
  if (value.length < min || value.length > max)
    refuse(field, `must have ${min} to ${max} characters`)
  return value
}

/** One of a fixed set of words. */
export function word<T extends string>(value: string, field: string, allowed: readonly T[]): T {
  const found = allowed.find((candidate) => candidate === value)
  return found ?? refuse(field, `must be one of ${allowed.join(', ')}`)
}

/** Bytes of exactly `length`. */
export function bytesOf(value: Uint8Array, field: string, length: number): Uint8Array {
  if (value.byteLength !== length) refuse(field, `must have ${length} bytes`)
  return value
}

/** Bytes between `min` and `max` long. */
export function bytesUpTo(value: Uint8Array, field: string, max: number, min = 1): Uint8Array {
  if (value.byteLength < min || value.byteLength > max)
    refuse(field, `must have ${min} to ${max} bytes`)
  return value
}

/** A whole number from `min` to `max`. */
export function count(value: number, field: string, max: number, min = 0): number {
  if (!Number.isSafeInteger(value) || value < min || value > max) {
    refuse(field, `must be a whole number from ${min} to ${max}`)
  }
  return value
}

/** A finite number from `min` to `max`. Minus zero is refused: no encoder of ours writes it, and it prints as another. */
export function real(value: number, field: string, min: number, max: number): number {
  if (!Number.isFinite(value) || value < min || value > max || Object.is(value, -0)) {
    refuse(field, `must be a number from ${min} to ${max}`)
  }
  return value
}

/** Most nano-USD in one amount: a signed 64-bit integer, $9.2 billion, so that any store or language can keep it. */
const AMOUNT_MAX = 2n ** 63n - 1n
const AMOUNT = /^(?:0|-?[1-9]\d{0,18})$/

/**
 * An amount out of its decimal text, from `min` (default 0) up. One amount has one text, as on JSON wires.
 * Text rather than a protobuf integer, because protons-runtime 7.1.2 writes a uint64 from 2^31 to 2^32 - 1 as garbage
 * ($2.15 to $4.29), misplaces carries below -2^53, and wraps what is out of range.
 */
export function amount(value: string, field: string, min: NanoUsd = 0n): NanoUsd {
  if (!AMOUNT.test(value)) refuse(field, 'must be an amount in decimal digits')
  const parsed = BigInt(value)
  if (parsed < min || parsed > AMOUNT_MAX) refuse(field, 'is out of range')
  return parsed
}

/** A time in Unix ms: after 2020, before 2100. */
export function timeMs(value: number, field: string): number {
  return count(value, field, 4_102_444_800_000, 1_577_836_800_000)
}

/** A list of at most `max` items, at least `min`. */
export function list<T>(value: T[], field: string, max: number, min = 0): T[] {
  if (value.length < min || value.length > max) refuse(field, `must have ${min} to ${max} items`)
  return value
}

/** A nested message that must be present. */
export function present<T>(value: T | undefined | null, field: string): T {
  return value ?? refuse(field, 'is missing')
}
