import { ERROR_CODES, LexoraError } from '@lexora/protocol'
import { describe, expect, it } from 'vitest'
import {
  errorObject,
  HttpRefusal,
  isOurFault,
  toApiError,
} from '../../../gateway/src/http/errors.ts'

const SECRET = 'inner text with a canary'
const of = (code: (typeof ERROR_CODES)[number], facts = {}) =>
  toApiError(new LexoraError(code, 'said to the client', { facts, cause: new Error(SECRET) }))

describe('toApiError()', () => {
  it.each([
    ['invalid_request', 400, {}],
    ['unsupported_parameter', 400, {}],
    ['context_length_exceeded', 400, {}],
    ['model_not_found', 404, {}],
    ['request_too_large', 413, {}],
    ['invalid_api_key', 401, { 'www-authenticate': 'Bearer' }],
    ['api_key_revoked', 401, { 'www-authenticate': 'Bearer' }],
    ['api_key_expired', 401, { 'www-authenticate': 'Bearer' }],
    ['account_suspended', 403, {}],
    ['forbidden', 403, {}],
    ['insufficient_credit', 402, { 'x-should-retry': 'false' }],
    [
      'credit_reserved',
      402,
      { 'x-should-retry': 'true', 'retry-after': '1', 'retry-after-ms': '1000' },
    ],
    ['rate_limited', 429, { 'retry-after': '1', 'retry-after-ms': '1000' }],
    ['no_provider', 503, { 'retry-after': '5', 'retry-after-ms': '5000' }],
    ['provider_busy', 503, { 'retry-after': '1', 'retry-after-ms': '1000' }],
    ['provider_draining', 503, { 'retry-after': '1', 'retry-after-ms': '1000' }],
    ['ledger_unavailable', 503, { 'retry-after': '2', 'retry-after-ms': '2000' }],
    ['provider_lost', 502, {}],
    ['provider_fault', 502, {}],
    ['timeout', 504, {}],
    ['internal', 500, {}],
  ] as const)('answers %s with %d', (code, status, headers) => {
    expect(of(code)).toMatchObject({ status, headers, code })
  })

  it('gives every code a status, four fields, and no inner text', () => {
    for (const code of ERROR_CODES) {
      const error = of(code)
      expect(error.status, code).toBeGreaterThanOrEqual(400)
      expect(Object.keys(errorObject(error)), code).toEqual(['message', 'type', 'param', 'code'])
      expect(JSON.stringify(error), code).not.toContain(SECRET)
    }
  })

  it('tells nothing of what goes on between peers', () => {
    for (const code of ['hold_closed', 'signature_invalid', 'not_a_member', 'malformed'] as const) {
      const error = of(code)
      expect([error.status, error.code], code).toEqual([500, 'internal'])
      expect(error.message, code).not.toContain('said to the client')
    }
  })

  it('takes the advised wait and the field from the facts', () => {
    expect(of('rate_limited', { retryAfterMs: 1_500.2 }).headers).toEqual({
      'retry-after': '2',
      'retry-after-ms': '1501',
    })
    expect(of('rate_limited', { retryAfterMs: -5 }).headers['retry-after']).toBe('1')
    expect(of('invalid_request', { param: 'top_p' }).param).toBe('top_p')
    expect(of('model_not_found').param).toBe('model')
  })

  it('puts the two counts beside context_length_exceeded, and facts beside nothing else', () => {
    const facts = { promptTokens: 900, contextTokens: 512, secret: 'x' }
    expect(errorObject(of('context_length_exceeded', facts))).toEqual({
      message: 'said to the client',
      type: 'invalid_request_error',
      param: 'messages',
      code: 'context_length_exceeded',
      n_prompt_tokens: 900,
      n_ctx: 512,
    })
    expect(of('provider_busy', facts).counts).toEqual({})
  })

  it.each([
    new Error(SECRET),
    new TypeError(SECRET),
    Object.assign(new Error(SECRET), { statusCode: 500 }),
    Object.assign(new Error(SECRET), { code: 'ECONNREFUSED' }),
  ])('hides %s', (error) => {
    const answer = toApiError(error)
    expect([answer.status, answer.code, answer.type]).toEqual([500, 'internal', 'server_error'])
    expect(answer.message).not.toContain(SECRET)
    expect(isOurFault(error)).toBe(true)
  })

  it('puts what fastify refuses in our words', () => {
    const thrown = (code: string, statusCode: number) =>
      toApiError(Object.assign(new Error(SECRET), { code, statusCode }))
    expect(thrown('FST_ERR_CTP_BODY_TOO_LARGE', 413)).toMatchObject({
      status: 413,
      code: 'request_too_large',
    })
    expect(thrown('FST_ERR_CTP_INVALID_MEDIA_TYPE', 415)).toMatchObject({ status: 415 })
    expect(thrown('FST_ERR_SOMETHING_NEW', 422)).toMatchObject({
      status: 400,
      code: 'invalid_request',
    })
    expect(isOurFault(new HttpRefusal(405, 'method_not_allowed', 'x'))).toBe(false)
  })
})
