import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { textDecoder } from '../../../node/src/engines/text-decoder.ts'

/** A tokenizer of bytes: every id is a list of them. */
function byteDecoder(tokens: readonly (readonly number[])[]): (ids: readonly number[]) => string {
  return (ids) => Buffer.from(ids.flatMap((id) => tokens[id] ?? [])).toString()
}

const bytesOf = (text: string): number[] => [...Buffer.from(text)]

describe('textDecoder()', () => {
  it('hands a character out when its last byte has come', () => {
    const tokens = bytesOf('a🐌b').map((byte) => [byte])
    const decoder = textDecoder(byteDecoder(tokens))
    const pieces = tokens.map((_, id) => decoder.push(id))
    expect(pieces).toEqual([
      { ids: [0], text: 'a' },
      undefined,
      undefined,
      undefined,
      { ids: [1, 2, 3, 4], text: '🐌' },
      { ids: [5], text: 'b' },
    ])
    expect(decoder.flush()).toBeUndefined()
  })

  it('shows an unfinished character at the end as U+FFFD', () => {
    const decoder = textDecoder(byteDecoder([[0xf0, 0x9f]]))
    expect(decoder.push(0)).toBeUndefined()
    expect(decoder.flush()).toEqual({ ids: [0], text: '\uFFFD' })
  })

  it('does not wait for bytes that can become nothing', () => {
    const decoder = textDecoder(byteDecoder([[0x80]]))
    let held = 0
    for (let count = 1; count <= 100; count++) {
      held++
      held -= decoder.push(0)?.ids.length ?? 0
      expect(held).toBeLessThanOrEqual(3)
    }
  })

  it('hands tokens without text out with their ids', () => {
    const decoder = textDecoder(byteDecoder([[], bytesOf('x')]))
    expect(decoder.push(0)).toEqual({ ids: [0], text: '' })
    expect(decoder.push(1)).toEqual({ ids: [1], text: 'x' })
  })

  it('tells the tokenizer what stands before', () => {
    const seen: (readonly number[])[] = []
    const decoder = textDecoder((ids, before) => {
      seen.push(before)
      return ids.join()
    })
    for (const id of [1, 2, 3, 4, 5, 6]) decoder.push(id)
    expect(seen).toEqual([[], [1], [1, 2], [1, 2, 3], [1, 2, 3, 4], [2, 3, 4, 5]])
  })

  it('adds up to the decoding of all ids, whatever the bytes', () => {
    const byte = fc.oneof(
      fc.integer({ min: 0x20, max: 0x7e }),
      fc.constantFrom(
        0xf0,
        0x9f,
        0x90,
        0x8c,
        0xe2,
        0x82,
        0xac,
        0xc3,
        0xa9,
        0x80,
        0xff,
        0xef,
        0xbf,
        0xbd,
      ),
    )
    const tokens = fc.array(fc.array(byte, { maxLength: 4 }), { maxLength: 40 })
    fc.assert(
      fc.property(tokens, (table) => {
        const decode = byteDecoder(table)
        const decoder = textDecoder(decode)
        const pieces = table.map((_, id) => decoder.push(id))
        const all = [...pieces, decoder.flush()].filter((piece) => piece !== undefined)
        expect(all.flatMap(({ ids }) => ids)).toEqual(table.map((_, id) => id))
        expect(all.map(({ text }) => text).join('')).toBe(decode(table.map((_, id) => id)))
        // The text so far is always what the ids so far mean, but for a last character that was never finished.
        for (let count = 1; count < all.length; count++) {
          const so = all.slice(0, count)
          expect(so.map(({ text }) => text).join('')).toBe(decode(so.flatMap(({ ids }) => ids)))
        }
      }),
      { numRuns: 1_000 },
    )
  })
})
