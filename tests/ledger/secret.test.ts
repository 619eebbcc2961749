import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hashSecret, makeSecret, secretKind } from '../../ledger/src/accounts/secret.ts'

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 })

describe('makeSecret()', () => {
  it('has a fixed form', () => {
    fc.assert(
      fc.property(bytes32, (bytes) => {
        expect(makeSecret('live', bytes)).toMatch(/^lx_live_[0-9A-Za-z]{49}$/)
      }),
    )
    expect(makeSecret('test', new Uint8Array(32))).toMatch(/^lx_test_0{43}[0-9A-Za-z]{6}$/)
    expect(makeSecret('enrolment', new Uint8Array(32).fill(255))).toMatch(/^lxe_[0-9A-Za-z]{49}$/)
  })

  it('never makes one text from two randoms', () => {
    fc.assert(
      fc.property(bytes32, bytes32, (a, b) => {
        const isSame = Buffer.from(a).equals(b)
        expect(makeSecret('live', a) === makeSecret('live', b)).toBe(isSame)
      }),
    )
  })
})

describe('secretKind()', () => {
  it('knows its own texts', () => {
    for (const kind of ['live', 'test', 'enrolment'] as const) {
      expect(secretKind(makeSecret(kind, randomBytes(32)))).toBe(kind)
    }
  })

  it('refuses every text with one other character', () => {
    const text = makeSecret('live', randomBytes(32))
    for (let index = 0; index < text.length; index += 1) {
      const other = ALPHABET.split('').find((char) => char !== text[index])
      const typo = text.slice(0, index) + other + text.slice(index + 1)
      expect(secretKind(typo), `at ${index}`).toBeUndefined()
    }
  })

  it('refuses a key of the other mode, and texts of other lengths', () => {
    const text = makeSecret('live', randomBytes(32))
    for (const wrong of [text.replace('live', 'test'), text.slice(1), `${text}0`, '', 'lx_live_']) {
      expect(secretKind(wrong), wrong).toBeUndefined()
    }
  })
})

describe('hashSecret()', () => {
  it('is SHA-256', () => {
    expect(Buffer.from(hashSecret('abc')).toString('hex')).toBe(
      'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    )
  })
})
