import { assert } from '@lexora/protocol'
import type { LedgerState } from './state.ts'
import { Table } from './table.ts'

/**
 * Part of a state: some entries of a Map, members of a Set or an array, or one plain value. `path` names the field,
 * with a dot between a field and one inside it.
 */
export type Piece =
  | { kind: 'entries'; path: string; items: [unknown, unknown][] }
  | { kind: 'members'; path: string; items: unknown[] }
  | { kind: 'list'; path: string; items: unknown[] }
  | { kind: 'value'; path: string; items: [unknown] }

/** A state as it was at one moment, to be read while it goes on changing. */
export interface FrozenState {
  /** In an order that {@link restorePiece} accepts; each with at most so many items. */
  pieces(itemsMax: number): Generator<Piece, void, undefined>
  /** Must be called in the end, whether or not all was read: until then changes cost more. */
  thaw(): void
}

/** Is given with every state and is no part of it. */
const OPTION = 'closedHoldsMax'

/**
 * Holds a state fast. Tables are copied as they are read; everything else is copied here and now, so it must stay
 * small. Records are shared, which is right because they are replaced and never changed in place.
 */
export function freezeState(state: LedgerState): FrozenState {
  const tables: Table<unknown, unknown>[] = []
  const readers: ((itemsMax: number) => Iterable<Piece>)[] = []
  for (const { path, value } of fieldsOf(state)) readers.push(readerOf(path, value, tables))
  for (const table of tables) table.freeze()
  return {
    *pieces(itemsMax) {
      for (const read of readers) yield* read(itemsMax)
    },
    thaw() {
      for (const table of tables) table.thaw()
    },
  }
}

/** Puts a piece into a state that was just created. Throws where the state has no such field. */
export function restorePiece(state: LedgerState, { kind, path, items }: Piece): void {
  const { owner, name } = placeOf(state, path)
  const field = owner[name]
  if (kind === 'entries') {
    assert(field instanceof Map, `${path} is a map`)
    for (const [key, value] of items) field.set(key, value)
  } else if (kind === 'members') {
    assert(field instanceof Set, `${path} is a set`)
    for (const item of items) field.add(item)
  } else if (kind === 'list') {
    assert(Array.isArray(field), `${path} is a list`)
    for (const item of items) field.push(item)
  } else {
    assert(field === undefined || typeof field !== 'object', `${path} is a plain value`)
    owner[name] = items[0]
  }
}

/** The names and kinds of all fields: a state of another shape cannot be restored from this one's pieces. */
export function shapeOf(state: LedgerState): string {
  return [...fieldsOf(state)].map(({ path, value }) => `${path} ${kindOf(value)}`).join('\n')
}

function readerOf(
  path: string,
  value: unknown,
  tables: Table<unknown, unknown>[],
): (itemsMax: number) => Iterable<Piece> {
  const kind = kindOf(value)
  if (value instanceof Table) {
    tables.push(value)
    return (itemsMax) => split(value.frozen(), itemsMax, (items) => pieceOf(kind, path, items))
  }
  const copy = kind === 'value' ? [value] : [...(value as Iterable<unknown>)]
  if (value === undefined) return () => []
  return (itemsMax) => split(copy, itemsMax, (items) => pieceOf(kind, path, items))
}

function pieceOf(kind: Piece['kind'], path: string, items: unknown[]): Piece {
  return { kind, path, items } as Piece
}

function* split(
  all: Iterable<unknown>,
  itemsMax: number,
  make: (items: unknown[]) => Piece,
): Generator<Piece, void, undefined> {
  let items: unknown[] = []
  for (const item of all) {
    items.push(item)
    if (items.length < itemsMax) continue
    yield make(items)
    items = []
  }
  if (items.length > 0) yield make(items)
}

function* fieldsOf(
  owner: object,
  prefix = '',
): Generator<{ path: string; value: unknown }, void, undefined> {
  for (const [name, value] of Object.entries(owner) as [string, unknown][]) {
    if (prefix === '' && name === OPTION) continue
    const path = prefix + name
    const isGroup = typeof value === 'object' && value !== null && kindOf(value) === 'value'
    if (isGroup) yield* fieldsOf(value, `${path}.`)
    else yield { path, value }
  }
}

function kindOf(value: unknown): Piece['kind'] {
  if (value instanceof Map) return 'entries'
  if (value instanceof Set) return 'members'
  return Array.isArray(value) ? 'list' : 'value'
}

function placeOf(
  state: LedgerState,
  path: string,
): { owner: Record<string, unknown>; name: string } {
  const names = path.split('.')
  const name = names.pop() ?? ''
  let owner = state as unknown as Record<string, unknown>
  for (const each of names) {
    assert(Object.hasOwn(owner, each), `the state has ${path}`)
    owner = owner[each] as Record<string, unknown>
  }
  assert(Object.hasOwn(owner, name), `the state has ${path}`)
  return { owner, name }
}
