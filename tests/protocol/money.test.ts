import {
  formatUsd,
  LexoraError,
  NANO_USD_PER_CENT,
  NANO_USD_PER_USD,
  parseUsd,
} from '@lexora/protocol'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { amount } from '../../protocol/src/wire/check.ts'

describe('formatUsd()', () => {
  it.each([
    [0n, '$0.00'],
    [1n, '$0.000000001'],
    [NANO_USD_PER_CENT, '$0.01'],
    [1_200_000n, '$0.0012'],
    [-3_500_000_000n, '-$3.50'],
    [NANO_USD_PER_USD, '$1.00'],
    [2n ** 63n - 1n, '$9223372036.854775807'],
  ])('writes %d as %s', (value, text) => {
    expect(formatUsd(value)).toBe(text)
  })
})

describe('parseUsd()', () => {
  it('reads what formatUsd() wrote', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 10n ** 21n - 1n }), (value) => {
        expect(parseUsd(formatUsd(value))).toBe(value)
      }),
    )
  })

  it.each([
    ['5', 5_000_000_000n],
    ['5.00', 5_000_000_000n],
    ['$0.0012', 1_200_000n],
    [' 007.5 ', 7_500_000_000n],
    ['0.000000001', 1n],
    ['999999999999.999999999', 10n ** 21n - 1n],
  ])('reads %s', (text, value) => {
    expect(parseUsd(text)).toBe(value)
  })

  it.each([
    '',
    ' ',
    '$',
    '.',
    '5.',
    '.5',
    '-5',
    '+5',
    '--5',
    '5,00',
    '1,000.00',
    '1e9',
    '0x10',
    '1_000',
    '5 000',
    '$$5',
    '5$',
    '€5',
    '0.0000000001',
    '1000000000000',
    'NaN',
    'Infinity',
    '٥',
    '５',
    '5\n6',
    '5.0.0',
    '$ 5',
    '5n',
  ])('refuses %j', (text) => {
    expect(parseUsd(text)).toBeUndefined()
  })
})

describe('amount()', () => {
  const int64 = { min: -(2n ** 63n), max: 2n ** 63n - 1n }

  it('reads the text of every 64-bit amount', () => {
    fc.assert(
      fc.property(fc.bigInt(int64), (value) => {
        expect(amount(value.toString(), 'money', int64.min)).toBe(value)
      }),
    )
  })

  it('refuses what is below its least', () => {
    expect(amount('0', 'money')).toBe(0n)
    expect(() => amount('-1', 'money')).toThrow(LexoraError)
    expect(amount('-1', 'money', -1n)).toBe(-1n)
  })

  it.each([
    '',
    '-',
    '-0',
    '+1',
    '01',
    '00',
    ' 1',
    '1 ',
    '1.0',
    '1e3',
    '0x1',
    '1n',
    '--1',
    '1_0',
    '９',
    '1\n',
    '9223372036854775808',
    '-9223372036854775809',
    '18446744073709551615',
    '1'.repeat(60_000),
  ])('refuses %j', (text) => {
    expect(() => amount(text, 'money', int64.min)).toThrow(
      expect.objectContaining({ code: 'malformed' }),
    )
  })
})
