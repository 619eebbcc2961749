import { describe, expect, it } from 'vitest'
import {
  bytesOf,
  bytesUpTo,
  count,
  list,
  present,
  real,
  text,
  timeMs,
  word,
} from '../../protocol/src/wire/check.ts'

const malformed: unknown = expect.objectContaining({ name: 'LexoraError', code: 'malformed' })

describe('real()', () => {
  it.each([
    Number.NaN,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    -0,
    2.000_000_1,
    -2.000_000_1,
    1e308,
  ])('refuses %d', (value) => {
    expect(() => real(value, 'x', -2, 2)).toThrow(malformed)
  })

  it.each([0, -2, 2, Number.MIN_VALUE, -Number.EPSILON])('accepts %d', (value) => {
    expect(real(value, 'x', -2, 2)).toBe(value)
  })
})

describe('count()', () => {
  it.each([-1, 0.5, 11, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53])('refuses %d', (value) => {
    expect(() => count(value, 'x', 10)).toThrow(malformed)
  })

  it('takes its ends', () => {
    expect(count(0, 'x', 10)).toBe(0)
    expect(count(10, 'x', 10)).toBe(10)
    expect(() => count(0, 'x', 10, 1)).toThrow(malformed)
    expect(() => count(2 ** 53, 'x', 2 ** 60)).toThrow(malformed)
  })
})

describe('timeMs()', () => {
  it('takes this century and no other', () => {
    expect(timeMs(Date.UTC(2020, 0, 1), 'at')).toBe(1_577_836_800_000)
    expect(timeMs(Date.UTC(2100, 0, 1), 'at')).toBe(4_102_444_800_000)
    for (const value of [0, 1_750_000_000, 1_577_836_799_999, 4_102_444_800_001]) {
      expect(() => timeMs(value, 'at'), String(value)).toThrow(malformed)
    }
  })
})

describe('the other checks', () => {
  it('hold their bounds', () => {
    expect(text('ab', 'x', 2)).toBe('ab')
    expect(() => text('abc', 'x', 2)).toThrow(malformed)
    expect(() => text('', 'x', 2)).toThrow(malformed)
    expect(text('', 'x', 2, 0)).toBe('')
    expect(bytesOf(new Uint8Array(2), 'x', 2)).toHaveLength(2)
    expect(() => bytesOf(new Uint8Array(3), 'x', 2)).toThrow(malformed)
    expect(() => bytesUpTo(new Uint8Array(0), 'x', 2)).toThrow(malformed)
    expect(() => bytesUpTo(new Uint8Array(3), 'x', 2)).toThrow(malformed)
    expect(list([1], 'x', 1)).toEqual([1])
    expect(() => list([1, 2], 'x', 1)).toThrow(malformed)
    expect(() => list([], 'x', 1, 1)).toThrow(malformed)
    expect(present(0, 'x')).toBe(0)
    expect(() => present(undefined, 'x')).toThrow(malformed)
  })

  it('take only the listed words', () => {
    expect(word('stop', 'x', ['stop', 'length'])).toBe('stop')
    for (const value of ['', 'Stop', 'stop ', '__proto__', 'includes']) {
      expect(() => word(value, 'x', ['stop', 'length']), value).toThrow(malformed)
    }
  })

  it('say the field and the rule, never what a peer wrote', () => {
    const canary = 'canary-canary'
    for (const attempt of [() => text(canary, 'label', 3), () => word(canary, 'label', ['a'])]) {
      expect(attempt).toThrow(
        expect.objectContaining({ message: expect.not.stringContaining(canary) as unknown }),
      )
      expect(attempt).toThrow(/^label /)
    }
  })
})
