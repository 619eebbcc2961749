import { assert, ERROR_CODES, errorCodeOf, isErrorCode, LexoraError } from '@lexora/protocol'
import { describe, expect, it } from 'vitest'

describe('error codes', () => {
  it('are distinct words that cross a wire unchanged', () => {
    expect(new Set(ERROR_CODES).size).toBe(ERROR_CODES.length)
    for (const code of ERROR_CODES) {
      expect(code).toMatch(/^[a-z]+(_[a-z]+)*$/)
      expect(isErrorCode(code)).toBe(true)
    }
  })

  it.each(['', 'Malformed', 'malformed ', '__proto__', 'constructor', 'toString', 'has'])(
    'do not include %j',
    (text) => {
      expect(isErrorCode(text)).toBe(false)
    },
  )
})

describe('LexoraError', () => {
  it('carries its code, facts and cause', () => {
    const cause = new Error('below')
    const error = new LexoraError('timeout', 'nobody answered', { facts: { timeoutMs: 5 }, cause })
    expect(error).toBeInstanceOf(Error)
    expect(error).toMatchObject({
      name: 'LexoraError',
      code: 'timeout',
      facts: { timeoutMs: 5 },
      cause,
    })
    expect(new LexoraError('timeout', 'x').facts).toEqual({})
    expect('cause' in new LexoraError('timeout', 'x')).toBe(false)
  })

  it('has a code for anything thrown', () => {
    expect(errorCodeOf(new LexoraError('expired', 'x'))).toBe('expired')
    for (const thrown of [new Error('x'), { code: 'expired' }, 'expired', null, undefined]) {
      expect(errorCodeOf(thrown)).toBe('internal')
    }
  })
})

describe('assert()', () => {
  it('crashes with the broken promise, and not as an answer for a peer', () => {
    assert(true, 'holds')
    expect(() => assert(false, 'debits equal credits')).toThrow(
      'assertion failed: debits equal credits',
    )
    expect(() => assert(false, 'x')).not.toThrow(LexoraError)
  })
})
