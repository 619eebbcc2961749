import { LexoraError } from '@lexora/protocol'
import { describe, expect, it } from 'vitest'
import { parseAmount, parseDuration, parsePriceFile } from '../../ledger/src/operator-input.ts'
import { failureOf, publicData, table } from '../../ledger/src/presentation.ts'
import { journalDamaged } from '../../ledger/src/store/chunk.ts'

describe('parsePriceFile()', () => {
  const model = { model: 'm', inputUsd: '0.15', outputUsd: '0.60' }

  it('reads dollars per million tokens', () => {
    const file = {
      version: 3,
      effectiveAt: '2026-12-01T00:00:00Z',
      feeBasisPoints: 2_000,
      models: [model, { ...model, model: 'n', cachedInputUsd: '0.0000001' }],
    }
    const prices = { inputNanoUsd: '150000000', outputNanoUsd: '600000000' }
    expect(parsePriceFile(JSON.stringify(file))).toEqual({
      version: 3,
      effectiveAtMs: Date.UTC(2026, 11, 1),
      feeBasisPoints: 2_000,
      models: [
        { ...prices, model: 'm', cachedInputNanoUsd: '150000000' },
        { ...prices, model: 'n', cachedInputNanoUsd: '100' },
      ],
    })
  })

  it.each([
    ['not JSON', 'models:', /not JSON/],
    ['money as a number', { models: [{ ...model, inputUsd: 0.15 }] }, /models\.0\.inputUsd/],
    ['too many decimals', { models: [{ ...model, inputUsd: '0.1234567891' }] }, /dollars/],
    ['a field that is not known', { models: [{ ...model, price: '1' }] }, /price/],
    ['no fee', { feeBasisPoints: undefined, models: [] }, /feeBasisPoints/],
  ])('refuses %s', (_, change, message) => {
    const file = typeof change === 'string' ? change : { feeBasisPoints: 0, ...change }
    const text = typeof file === 'string' ? file : JSON.stringify(file)
    expect(() => parsePriceFile(text)).toThrow(message)
  })
})

describe('parseAmount()', () => {
  it.each([
    ['5', '5000000000'],
    ['$0.0012', '1200000'],
    ['0.000000001', '1'],
  ])('reads %s', (text, digits) => {
    expect(parseAmount(text)).toBe(digits)
  })

  it.each(['-5', '1e3', '1,000', '', '5 USD'])('refuses %j', (text) => {
    expect(() => parseAmount(text)).toThrow(/dollars/)
  })
})

describe('parseDuration()', () => {
  it.each([
    ['30s', 30_000],
    ['15m', 900_000],
    ['24h', 86_400_000],
    ['7d', 604_800_000],
  ])('reads %s', (text, ms) => {
    expect(parseDuration(text)).toBe(ms)
  })

  it.each(['', '5', '-5m', '1w', '1.5h'])('refuses %j', (text) => {
    expect(() => parseDuration(text)).toThrow(/time span/)
  })
})

describe('failureOf()', () => {
  it.each([
    [new LexoraError('invalid_request', 'x'), 2],
    [new LexoraError('not_found', 'x', { facts: { noLedger: true } }), 3],
    [new LexoraError('not_found', 'x'), 1],
    [new LexoraError('conflict', 'x', { facts: { locked: true } }), 8],
    [new LexoraError('conflict', 'x'), 1],
    [journalDamaged(7, 'x'), 9],
    [new LexoraError('ledger_unavailable', 'x'), 75],
    [new LexoraError('timeout', 'x'), 75],
    [new LexoraError('storage_full', 'x'), 75],
    [new Error('x'), 1],
    ['x', 1],
  ])('%s exits with %d', (error, exitCode) => {
    expect(failureOf(error, '/home').exitCode).toBe(exitCode)
  })

  it.each([
    new LexoraError('timeout', 'x'),
    new LexoraError('session_closed', 'x'),
    new Error('x'),
  ])('promises nothing where nobody knows what became of a command: %s', (error) => {
    const { hint, retryable } = failureOf(error, '/home')
    expect(hint).toContain('before you repeat the command')
    expect(retryable).toBe(false)
  })
})

describe('what is printed', () => {
  it('shows times as ISO 8601 and leaves the rest', () => {
    const data = { a: [{ createdAtMs: 0, amountNanoUsd: '5' }], leaseMs: 5, none: null }
    expect(publicData(data)).toEqual({
      a: [{ createdAt: '1970-01-01T00:00:00.000Z', amountNanoUsd: '5' }],
      leaseMs: 5,
      none: null,
    })
  })

  it('keeps a label in its column', () => {
    const rows = [{ label: 'Ada\nLovelace', paidNanoUsd: '5000000000' }, { label: 'Bob' }]
    expect(table(rows, ['label', 'paidNanoUsd'])).toBe(
      ['LABEL         PAID', 'Ada_Lovelace  $5.00', 'Bob           -'].join('\n'),
    )
  })
})
