import {
  createSigner,
  isSignedBy,
  open,
  publicKeyOf,
  RECORD_BYTES_MAX,
  type SignatureDomain,
  seal,
  signedEnvelopeCodec,
} from '@lexora/protocol'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { plain, provider, stranger } from './golden/samples.ts'

const DOMAINS: readonly SignatureDomain[] = [
  'lexora-certificate',
  'lexora-capability',
  'lexora-voucher',
  'lexora-receipt',
  'lexora-countersignature',
]
const domain = fc.constantFrom(...DOMAINS)
const payload = fc.uint8Array({ minLength: 1, maxLength: 300 })
const code = (value: string): unknown =>
  expect.objectContaining({ name: 'LexoraError', code: value })

describe('createSigner()', () => {
  it('signs as libp2p does, over the domain, a zero byte and the payload', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        domain,
        payload,
        async (seed, name, bytes) => {
          const key = await generateKeyPairFromSeed('Ed25519', seed)
          const signer = createSigner(seed)
          expect(plain(signer.publicKey)).toEqual(plain(key.publicKey.raw))
          const signed = Buffer.concat([Buffer.from(name), Buffer.of(0), bytes])
          expect(plain(signer.sign(name, bytes))).toEqual(plain(await key.sign(signed)))
        },
      ),
      { numRuns: 50 },
    )
  })

  it.each([0, 31, 33, 64])('refuses a seed of %d bytes', (length) => {
    expect(() => createSigner(new Uint8Array(length))).toThrow(code('malformed'))
  })
})

describe('open()', () => {
  it('opens under its own domain, names the signer, and opens under no other', () => {
    fc.assert(
      fc.property(domain, domain, payload, (sealedFor, openedFor, bytes) => {
        const envelope = seal(provider, sealedFor, bytes)
        if (sealedFor === openedFor) {
          const opened = open(openedFor, envelope)
          expect(plain(opened.payload)).toEqual(bytes)
          expect(opened.signedBy).toBe(provider.peerId)
        } else {
          expect(() => open(openedFor, envelope)).toThrow(code('signature_invalid'))
        }
      }),
    )
  })

  it('refuses an envelope with any one bit of its parts changed', () => {
    const bytes = Uint8Array.of(1, 2, 3)
    const parts = {
      payload: bytes,
      publicKey: provider.publicKey,
      signature: provider.sign('lexora-receipt', bytes),
    }
    for (const name of ['payload', 'publicKey', 'signature'] as const) {
      for (let bit = 0; bit < parts[name].length * 8; bit++) {
        const changed = Uint8Array.from(parts[name])
        changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
        const envelope = signedEnvelopeCodec.encode({ ...parts, [name]: changed })
        expect(() => open('lexora-receipt', envelope), `${name}, bit ${bit}`).toThrow(
          code('signature_invalid'),
        )
      }
    }
  })

  it('refuses a signature that moved: to another signer, payload or end', () => {
    const bytes = Uint8Array.of(1, 2, 3)
    const signature = provider.sign('lexora-voucher', bytes)
    const envelope = signedEnvelopeCodec.encode({
      payload: bytes,
      publicKey: stranger.publicKey,
      signature,
    })
    expect(() => open('lexora-voucher', envelope)).toThrow(code('signature_invalid'))
    const longer = signedEnvelopeCodec.encode({
      payload: Uint8Array.of(1, 2, 3, 0),
      publicKey: provider.publicKey,
      signature,
    })
    expect(() => open('lexora-voucher', longer)).toThrow(code('signature_invalid'))
  })

  it('refuses the malleable twin of a signature', () => {
    // S + L verifies too where a verifier forgets to ask for S < L (RFC 8032, 5.1.7).
    const order = 2n ** 252n + 27_742_317_777_372_353_535_851_937_790_883_648_493n
    const bytes = Uint8Array.of(1, 2, 3)
    const signature = plain(provider.sign('lexora-receipt', bytes))
    const little = Buffer.from(signature.subarray(32)).reverse().toString('hex')
    const twin = (BigInt(`0x${little}`) + order).toString(16).padStart(64, '0')
    signature.set(Buffer.from(twin, 'hex').reverse(), 32)
    expect(isSignedBy(provider.publicKey, 'lexora-receipt', bytes, signature)).toBe(false)
  })

  it('holds what a record may hold, and refuses to write more', () => {
    expect(() =>
      seal(provider, 'lexora-receipt', new Uint8Array(RECORD_BYTES_MAX - 200)),
    ).not.toThrow()
    expect(() => seal(provider, 'lexora-receipt', new Uint8Array(RECORD_BYTES_MAX))).toThrow(
      code('frame_too_large'),
    )
  })
})

describe('isSignedBy()', () => {
  it('never throws, whatever the key and the signature', () => {
    const any = fc.oneof(
      fc.uint8Array({ maxLength: 70 }),
      fc.uint8Array({ minLength: 32, maxLength: 32 }),
    )
    const signature = fc.oneof(any, fc.uint8Array({ minLength: 64, maxLength: 64 }))
    fc.assert(
      fc.property(any, signature, payload, (key, signed, bytes) => {
        expect(isSignedBy(key, 'lexora-receipt', bytes, signed)).toBe(false)
      }),
      { numRuns: 500 },
    )
  })

  it('finds the key in the peer id', () => {
    const signature = provider.sign('lexora-receipt', Uint8Array.of(1))
    expect(
      isSignedBy(publicKeyOf(provider.peerId), 'lexora-receipt', Uint8Array.of(1), signature),
    ).toBe(true)
  })
})
