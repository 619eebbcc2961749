import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ERROR_CODES, LexoraError } from '../../../protocol/src/errors.ts'
import {
  decodeError,
  encodeError,
  remoteMessageOf,
} from '../../../protocol/src/mesh/error-payload.ts'

const factsArbitrary = fc.dictionary(
  fc.stringMatching(/^[a-zA-Z][a-zA-Z0-9_]{0,20}$/),
  fc.oneof(
    fc.stringMatching(/^[ -~]{0,40}$/),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.boolean(),
  ),
  { maxKeys: 16 },
)

describe('error payloads', () => {
  it('keep code and facts; the message is ours, and the text of the peer is set apart', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...ERROR_CODES),
        fc.stringMatching(/^[ -~]{1,80}$/),
        factsArbitrary,
        (code, message, facts) => {
          const decoded = decodeError(encodeError(new LexoraError(code, message, { facts })))
          expect(decoded.code).toBe(code)
          expect(decoded.facts).toEqual(facts)
          expect(decoded.message).toBe(`the peer answered ${code}`)
          expect(remoteMessageOf(decoded)).toBe(message)
        },
      ),
    )
  })

  it('decode arbitrary and damaged bytes to an error, always', () => {
    const valid = encodeError(
      new LexoraError('timeout', 'too slow', { facts: { a: 1, b: 'two', c: true } }),
    )
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 900 }),
          fc.tuple(fc.nat(), fc.nat({ max: 255 })).map(([at, value]) => {
            const damaged = valid.slice()
            damaged[at % damaged.length] = value
            return damaged
          }),
          fc.nat().map((length) => valid.slice(0, length % valid.length)),
        ),
        (payload) => {
          expect(decodeError(payload)).toBeInstanceOf(LexoraError)
        },
      ),
    )
  })

  it('cut what is too long at a whole character', () => {
    const long = new LexoraError('internal', 'ä'.repeat(400), { facts: { text: '€'.repeat(100) } })
    const decoded = decodeError(encodeError(long))
    expect(remoteMessageOf(decoded)).toBe('ä'.repeat(256))
    expect(decoded.facts).toEqual({ text: '€'.repeat(66) })
  })

  it('read an unknown code as malformed and take control characters out of a text', () => {
    const unknown = Buffer.from(encodeError(new LexoraError('timeout', '')))
    unknown.write('tomeout', 1)
    expect(decodeError(unknown).code).toBe('malformed')
    const rude = decodeError(encodeError(new LexoraError('timeout', 'a\u001b[2Jb\nc\u202e')))
    expect(remoteMessageOf(rude)).toBe('a [2Jb c ')
  })
})
