import { assert } from '@lexora/protocol'
import type { Change, Entry } from './entry.ts'
import { toJson } from './json.ts'

/**
 * Fields that hold money, at any depth. They are written as decimal strings and read back as bigints; every other
 * string stays one. A new money field that is missing here fails the round-trip test.
 */
const MONEY_FIELDS: ReadonlySet<string> = new Set([
  'amount',
  'ceiling',
  'cost',
  'fee',
  'providerShare',
  'inputNanoUsd',
  'cachedInputNanoUsd',
  'outputNanoUsd',
  'dayNanoUsd',
  'weekNanoUsd',
  'monthNanoUsd',
  'dailyNanoUsd',
  'globalDailyNanoUsd',
  'creditedNanoUsd',
  'repaidNanoUsd',
  'refundedNanoUsd',
  'disputedNanoUsd',
  'heldNanoUsd',
  'takenNanoUsd',
  'owedNanoUsd',
  'thresholdNanoUsd',
])

/**
 * Encodes a chunk's entries as UTF-8 JSON `[[atMs, changes], …]`. Sequence numbers are the chunk's first one and up.
 * JSON, because a bookkeeper must be able to read the journal with ordinary tools in ten years; the keys need no
 * canonical order, since the chunk's hash covers the bytes as they were written.
 */
export function encodeEntries(entries: readonly Entry[]): Uint8Array {
  const rows = entries.map((entry) => [entry.atMs, entry.changes])
  return new TextEncoder().encode(toJson(rows))
}

/** Decodes what {@link encodeEntries} wrote. Throws where it is not that. */
export function decodeEntries(bytes: Uint8Array, firstSeq: number): Entry[] {
  const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  const rows: unknown = JSON.parse(text)
  readMoney(rows)
  assert(Array.isArray(rows), 'a chunk holds a list of entries')
  return rows.map((row: unknown, index) => {
    assert(Array.isArray(row) && row.length === 2, 'an entry is a time and its changes')
    const [atMs, changes] = row as [unknown, unknown]
    assert(
      Number.isSafeInteger(atMs) && Array.isArray(changes),
      'an entry is a time and its changes',
    )
    return { seq: firstSeq + index, atMs: atMs as number, changes: changes as Change[] }
  })
}

/** Turns the money fields below a value into bigints, in place: three times faster than a JSON reviver. */
function readMoney(value: unknown): void {
  if (Array.isArray(value)) return value.forEach(readMoney)
  if (typeof value !== 'object' || value === null) return
  const fields = value as Record<string, unknown>
  for (const [name, field] of Object.entries(fields)) {
    if (typeof field === 'object') readMoney(field)
    else if (typeof field === 'string' && MONEY_FIELDS.has(name)) fields[name] = BigInt(field)
  }
}
