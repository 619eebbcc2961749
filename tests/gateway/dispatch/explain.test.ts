import { ERROR_CODES, type ErrorFacts, LexoraError } from '@lexora/protocol'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { explain } from '../../../gateway/src/dispatch/explain.ts'
import { decodeError, encodeError } from '../../../protocol/src/mesh/error-payload.ts'

/** An error as it comes over a wire, with whatever the peer wrote. */
function fromPeer(code: (typeof ERROR_CODES)[number], facts: ErrorFacts = {}): LexoraError {
  return decodeError(encodeError(new LexoraError(code, 'CANARY text', { facts })))
}

function messageOf(code: (typeof ERROR_CODES)[number], facts: ErrorFacts = {}): string {
  return explain(fromPeer(code, facts), 'some/model').message
}

describe('explain()', () => {
  it('says which limit of a key is reached and what still fits', () => {
    const facts = { limit: 'day', costNanoUsd: '50000', balanceNanoUsd: '40000' }
    const limited = messageOf('key_limit_reached', { ...facts, maxTokensThatFit: 15 })
    expect(limited).toContain('limit of this day is reached')
    expect(limited).toContain('With max_tokens of 15 or less it fits')
    expect(messageOf('key_limit_reached', { limit: 'CANARY' })).not.toContain('CANARY')
  })

  it('says why there is no free allowance', () => {
    expect(messageOf('insufficient_credit', { freeTier: 'shared' })).toContain('ask support')
    expect(messageOf('insufficient_credit', { freeTier: 'toString' })).not.toContain('function')
  })

  it('keeps the code and never repeats a peer’s text, in message or facts', () => {
    const names = fc.constantFrom(
      'param',
      'promptTokens',
      'contextTokens',
      'retryAfterMs',
      'costNanoUsd',
      'balanceNanoUsd',
      'maxTokensThatFit',
      'anything',
    )
    const values = fc.oneof(
      fc.constantFrom('CANARY', '1CANARY', '<b>CANARY'),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.boolean(),
      fc.integer(),
    )
    fc.assert(
      fc.property(fc.constantFrom(...ERROR_CODES), fc.dictionary(names, values), (code, facts) => {
        const explained = explain(fromPeer(code, facts), 'some/model')
        const isOurs = code === 'not_a_member' || code === 'forbidden'
        expect(explained.code).toBe(isOurs ? 'ledger_unavailable' : code)
        expect(explained.message + JSON.stringify(explained.facts)).not.toContain('CANARY')
        for (const fact of Object.values(explained.facts)) {
          expect(Number.isSafeInteger(fact)).toBe(true)
          expect(fact).toBeGreaterThanOrEqual(0)
        }
      }),
    )
  })

  it('passes on what a client can use: counts and the wait', () => {
    const facts = { promptTokens: 700, contextTokens: 512, retryAfterMs: 250 }
    expect(explain(fromPeer('context_length_exceeded', facts), 'm').facts).toEqual(facts)
  })

  it.each<[string, ErrorFacts, string]>([
    [
      'counts',
      { promptTokens: 700, contextTokens: 512 },
      'The model’s context holds 512 tokens, but the messages alone are 700. Send fewer or shorter messages.',
    ],
    ['no counts', {}, 'The messages are longer than the model’s context.'],
    [
      'counts that are none',
      { promptTokens: 1.5, contextTokens: -1 },
      'The messages are longer than the model’s context.',
    ],
  ])('says what does not fit: %s', (_name, facts, expected) => {
    expect(messageOf('context_length_exceeded', facts)).toBe(expected)
  })

  it.each<[string, ErrorFacts, string]>([
    [
      'what would fit',
      { costNanoUsd: '2500000', balanceNanoUsd: '1200000', maxTokensThatFit: 12 },
      'There is not enough credit for this request. It may cost up to $0.0025; $0.0012 are left. With max_tokens of 12 or less it fits.',
    ],
    [
      'that nothing fits',
      { costNanoUsd: '2500000000', balanceNanoUsd: '0', maxTokensThatFit: 0 },
      'There is not enough credit for this request. It may cost up to $2.50; $0.00 are left. Add credit to the account and try again.',
    ],
    [
      'a balance below zero',
      { costNanoUsd: '1', balanceNanoUsd: '-3500000000' },
      'There is not enough credit for this request. It may cost up to $0.000000001; -$3.50 are left. Add credit to the account and try again.',
    ],
    [
      'no amounts where they are no amounts',
      { costNanoUsd: '1e9', balanceNanoUsd: 'lots' },
      'There is not enough credit for this request. Add credit to the account and try again.',
    ],
  ])('says what it costs, what is left and %s', (_name, facts, expected) => {
    expect(messageOf('insufficient_credit', facts)).toBe(expected)
  })

  it('names the model that does not exist', () => {
    expect(messageOf('model_not_found')).toContain("'some/model'")
  })

  it('keeps the whole story for the log', () => {
    const error = fromPeer('storage_full')
    expect(explain(error, 'm').cause).toBe(error)
  })
})
