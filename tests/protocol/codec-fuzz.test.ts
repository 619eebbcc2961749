/** Whatever a stranger sends, a decoder answers with a value or a LexoraError, soon. */
import {
  chatRequestCodec,
  checkCapability,
  checkCertificate,
  checkReceipt,
  checkVoucher,
  type ErrorCode,
  inferEventCodec,
  inferRequestCodec,
  LexoraError,
  loadAnnouncementCodec,
  open,
  openReceipt,
} from '@lexora/protocol'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import * as golden from './golden/samples.ts'

type Decode = (bytes: Uint8Array) => unknown

/** Generous, for a busy machine: the slowest answer to a full-size message takes some 30 ms. */
const DECODE_MS_MAX = 1_000

/** Runs a decoder; anything but a value or a LexoraError of an expected code fails the test. */
function verdict(
  decode: Decode,
  bytes: Uint8Array,
  allowed: readonly ErrorCode[],
): ErrorCode | 'accepted' {
  const before = performance.now()
  try {
    decode(bytes)
    return 'accepted'
  } catch (error) {
    if (!(error instanceof LexoraError)) throw error
    expect(allowed).toContain(error.code)
    return error.code
  } finally {
    expect(performance.now() - before).toBeLessThan(DECODE_MS_MAX)
  }
}

const network = { ledgerPeerId: golden.ledger.peerId, nowMs: golden.NOW_MS }
const CODEC_CODES: readonly ErrorCode[] = ['malformed', 'frame_too_large']
const ENVELOPE_CODES: readonly ErrorCode[] = [...CODEC_CODES, 'signature_invalid']
const MEMBER_CODES: readonly ErrorCode[] = [...ENVELOPE_CODES, 'expired', 'not_a_member']

const vectors: readonly Uint8Array[] = [
  ...golden.samples.map((sample) => sample.encode()),
  ...Object.values(golden.sealed),
]

const targets: readonly {
  name: string
  decode: Decode
  allowed: readonly ErrorCode[]
  own: Uint8Array
}[] = [
  ...golden.samples.map((sample) => ({
    name: sample.name,
    decode: sample.decode,
    allowed: CODEC_CODES,
    own: sample.encode(),
  })),
  {
    name: 'open()',
    decode: (bytes) => open('lexora-receipt', bytes),
    allowed: ENVELOPE_CODES,
    own: golden.sealedReceipt,
  },
  {
    name: 'openReceipt()',
    decode: openReceipt,
    allowed: ENVELOPE_CODES,
    own: golden.sealedReceipt,
  },
  {
    name: 'checkCertificate()',
    decode: (bytes) => checkCertificate(bytes, network),
    allowed: MEMBER_CODES,
    own: golden.sealedCertificate,
  },
  {
    name: 'checkCapability()',
    decode: (bytes) => checkCapability(bytes, { ...network, peerId: golden.provider.peerId }),
    allowed: MEMBER_CODES,
    own: golden.sealed['capability'] ?? new Uint8Array(),
  },
  {
    name: 'checkVoucher()',
    decode: (bytes) => checkVoucher(bytes, { ...network, gateway: golden.gateway.peerId }),
    allowed: ['voucher_invalid'],
    own: golden.sealedVoucher,
  },
  {
    name: 'checkReceipt()',
    decode: checkReceipt,
    allowed: ['receipt_invalid'],
    own: golden.countersigned,
  },
]

/** One random change to bytes. */
type Mutation = (bytes: Uint8Array) => Uint8Array
const at = (bytes: Uint8Array, where: number): number => Math.floor(where * bytes.length)
const spliced = (bytes: Uint8Array, from: number, gone: number, put: Uint8Array): Uint8Array =>
  Uint8Array.from([...bytes.subarray(0, from), ...put, ...bytes.subarray(from + gone)])

const share = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true })
const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  share.map(
    (where): Mutation =>
      (bytes) =>
        bytes.subarray(0, at(bytes, where)),
  ),
  fc.uint8Array({ minLength: 1, maxLength: 40 }).map(
    (more): Mutation =>
      (bytes) =>
        spliced(bytes, bytes.length, 0, more),
  ),
  fc.tuple(share, fc.integer({ min: 1, max: 255 })).map(
    ([where, bits]): Mutation =>
      (bytes) =>
        bytes.map((byte, index) => (index === at(bytes, where) ? byte ^ bits : byte)),
  ),
  // a length or a number that lies: the largest varint, an endless one, one that is padded
  fc
    .tuple(
      share,
      fc.constantFrom(
        'ffffffff0f',
        'ffffffffffffffffff01',
        'ffffffffffffffffffffff',
        '8000',
        '80808080808080808000',
      ),
    )
    .map(
      ([where, varint]): Mutation =>
        (bytes) =>
          spliced(bytes, at(bytes, where), 1, Buffer.from(varint, 'hex')),
    ),
  fc.tuple(share, fc.integer({ min: 1, max: 30 })).map(
    ([where, gone]): Mutation =>
      (bytes) =>
        spliced(bytes, at(bytes, where), gone, new Uint8Array()),
  ),
  fc.tuple(share, share, fc.constantFrom(...vectors)).map(
    ([where, whence, other]): Mutation =>
      (bytes) =>
        spliced(bytes, at(bytes, where), 0, other.subarray(at(other, whence))),
  ),
)

describe.each(targets)('$name', ({ decode, allowed, own }) => {
  it('accepts its own vector', () => {
    expect(verdict(decode, own, [])).toBe('accepted')
  })

  it('survives arbitrary bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        verdict(decode, bytes, allowed)
      }),
      { numRuns: 400 },
    )
  })

  it('survives its own vector damaged', () => {
    fc.assert(
      fc.property(fc.array(mutation, { minLength: 1, maxLength: 4 }), (mutations) => {
        verdict(
          decode,
          mutations.reduce((bytes, mutate) => mutate(bytes), own),
          allowed,
        )
      }),
      { numRuns: 400 },
    )
  })

  it('survives every truncation', () => {
    for (let length = 0; length < own.length; length++)
      verdict(decode, own.slice(0, length), allowed)
  })

  it('survives the vectors of every other kind', () => {
    for (const vector of vectors) verdict(decode, vector, allowed)
  })
})

describe.each(golden.samples)('$name', (sample) => {
  it('refuses what is too large before it reads a byte', () => {
    const bytes = new Proxy(new Uint8Array(sample.bytesMax + 1), {
      get(target, key) {
        if (key === 'byteLength') return target.byteLength
        throw new Error(`read ${String(key)} of a message that is too large`)
      },
    })
    expect(verdict(sample.decode, bytes, CODEC_CODES)).toBe('frame_too_large')
  })

  it('writes again what it accepted, to a message that reads the same', () => {
    fc.assert(
      fc.property(fc.array(mutation, { maxLength: 2 }), (mutations) => {
        const bytes = mutations.reduce((before, mutate) => mutate(before), sample.encode())
        if (verdict(sample.decode, bytes, CODEC_CODES) !== 'accepted') return
        const written = sample.rewrite(bytes)
        expect(sample.rewrite(written)).toEqual(written)
      }),
      { numRuns: 300 },
    )
  })

  // Full-size messages of the cheapest items there are: for each field number, every wire type over and over.
  it('answers soon to a message that is all counts', () => {
    const fields = Array.from({ length: 19 }, (_, index) => index + 1)
    for (const field of fields) {
      for (const item of [
        [field * 8, 0],
        [field * 8 + 2, 0],
        [field * 8 + 3],
        [field * 8 + 3, field * 8 + 4],
      ]) {
        const header = Uint8Array.from(
          item.flatMap((byte) => (byte < 128 ? [byte] : [(byte & 127) | 128, byte >> 7])),
        )
        const bytes = new Uint8Array(sample.bytesMax - (sample.bytesMax % header.length))
        for (let from = 0; from < bytes.length; from += header.length) bytes.set(header, from)
        verdict(sample.decode, bytes, CODEC_CODES)
      }
    }
  })

  it('believes no length that lies', () => {
    for (let field = 1; field <= 15; field++) {
      for (const length of ['ffffffff0f', 'ffffffff07', 'ffff03', '8080808008']) {
        const bytes = Uint8Array.from([field * 8 + 2, ...Buffer.from(length, 'hex'), 1, 2, 3])
        expect(verdict(sample.decode, bytes, CODEC_CODES)).toBe('malformed')
      }
    }
  })
})

describe('names of JavaScript', () => {
  const names = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty']

  it('leaves out keys that are no field, and reads only plain values', () => {
    const hostile = Object.assign(
      JSON.parse('{"__proto__":{"model":"other"},"extra":1}') as object,
      golden.chat,
    )
    expect(chatRequestCodec.encode(hostile)).toEqual(chatRequestCodec.encode(golden.chat))
    for (const sample of golden.samples) {
      const value = sample.decode(sample.encode()) as object
      expect(Object.getPrototypeOf(value), sample.name).toBe(Object.prototype)
    }
  })

  it.each(names)('takes %s for a text and never for a word', (name) => {
    const request = { ...golden.chat, model: name }
    expect(chatRequestCodec.decode(chatRequestCodec.encode(request)).model).toBe(name)
    const messages = [{ role: name as 'user', content: '' }]
    const bytes = chatRequestCodec.encode({ ...golden.chat, messages })
    expect(verdict(chatRequestCodec.decode, bytes, CODEC_CODES)).toBe('malformed')
  })
})

describe('lists', () => {
  const many = (item: number[], times: number): Uint8Array =>
    Uint8Array.from(Array.from({ length: times }, () => item).flat())

  /** The parser's own complaint: it stopped at the first item too many, and built no list to be measured later. */
  const stopped = (decode: Decode, bytes: Uint8Array): void => {
    let cause: unknown
    try {
      decode(bytes)
    } catch (error) {
      cause = error instanceof LexoraError && error.code === 'malformed' ? error.cause : undefined
    }
    expect(String(cause)).toContain('too many elements')
  }

  it('stops counting chat messages and stop texts while parsing', () => {
    stopped(chatRequestCodec.decode, many([0x12, 0], 2_049))
    stopped(chatRequestCodec.decode, many([0x2a, 0], 5))
    const inner = many([0x12, 0], 2_049)
    stopped(inferRequestCodec.decode, Uint8Array.from([0x22, 0x82, 0x20, ...inner]))
  })

  it('stops counting models of gossip while parsing', () => {
    const inner = many([0x32, 0], 33)
    stopped(loadAnnouncementCodec.decode, Uint8Array.from([0x12, inner.length, ...inner]))
  })

  it('refuses an event that is two things or nothing', () => {
    expect(verdict(inferEventCodec.decode, Uint8Array.of(0x0a, 0, 0x12, 0), CODEC_CODES)).toBe(
      'malformed',
    )
    expect(verdict(inferEventCodec.decode, new Uint8Array(), CODEC_CODES)).toBe('malformed')
  })
})
