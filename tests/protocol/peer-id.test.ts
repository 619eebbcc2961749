import { createSigner, LexoraError, peerIdOf, publicKeyOf } from '@lexora/protocol'
import { generateKeyPair, generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey, peerIdFromString } from '@libp2p/peer-id'
import fc from 'fast-check'
import { base58btc } from 'multiformats/bases/base58'
import { describe, expect, it } from 'vitest'
import { provider } from './golden/samples.ts'

const malformed: unknown = expect.objectContaining({ code: 'malformed' })
const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 })

describe('peerIdOf() and publicKeyOf()', () => {
  it('agree with libp2p for random keys', async () => {
    await fc.assert(
      fc.asyncProperty(bytes32, async (seed) => {
        const key = await generateKeyPairFromSeed('Ed25519', seed)
        const id = peerIdFromPrivateKey(key).toString()
        expect(peerIdOf(key.publicKey.raw)).toBe(id)
        expect(Buffer.compare(publicKeyOf(id), key.publicKey.raw)).toBe(0)
        expect(createSigner(seed).peerId).toBe(id)
      }),
    )
  })

  it('agree with libp2p for any 32 bytes', () => {
    fc.assert(
      fc.property(bytes32, (raw) => {
        const id = peerIdOf(raw)
        expect(peerIdFromString(id).toString()).toBe(id)
        expect(Uint8Array.from(publicKeyOf(id))).toEqual(raw)
      }),
    )
  })

  it('know one text per key', () => {
    const letters = fc.constantFrom(
      ...Array.from('123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz0OIl +/=\n\u0000é'),
    )
    const damaged = fc
      .tuple(fc.nat({ max: 51 }), fc.nat({ max: 3 }), fc.array(letters, { maxLength: 3 }))
      .map(
        ([at, gone, put]) =>
          provider.peerId.slice(0, at) + put.join('') + provider.peerId.slice(at + gone),
      )
    fc.assert(
      fc.property(fc.oneof(damaged, fc.string({ unit: 'binary', maxLength: 80 })), (text) => {
        let key: Uint8Array
        try {
          key = publicKeyOf(text)
        } catch (error) {
          expect(error).toBeInstanceOf(LexoraError)
          return
        }
        expect(peerIdOf(key)).toBe(text)
      }),
      { numRuns: 2_000 },
    )
  })

  it('refuse the ids of other keys', async () => {
    const other = peerIdFromPrivateKey(await generateKeyPair('secp256k1')).toString()
    expect(() => publicKeyOf(other)).toThrow(malformed)
  })

  it.each([
    ['nothing', ''],
    ['an RSA key', 'QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N'],
    ['the CID form', peerIdFromString(provider.peerId).toCID().toString()],
    ['a space before', ` ${provider.peerId}`],
    ['a space after', `${provider.peerId} `],
    ['a leading zero byte', `1${provider.peerId}`],
    ['one letter less', provider.peerId.slice(0, -1)],
    ['twice the id', provider.peerId + provider.peerId],
    ['a megabyte', '1'.repeat(1_000_000)],
    ['a prototype', '__proto__'],
  ])('refuse %s', (_name, text) => {
    expect(() => publicKeyOf(text)).toThrow(malformed)
  })

  it.each([0, 31, 33])('refuse an id that holds %d bytes of a key', (length) => {
    const bytes = Uint8Array.of(
      0x00,
      0x24,
      0x08,
      0x01,
      0x12,
      0x20,
      ...new Uint8Array(length).fill(7),
    )
    expect(() => publicKeyOf(base58btc.baseEncode(bytes))).toThrow(malformed)
  })

  it.each([0, 31, 33, 64])('refuse a key of %d bytes', (length) => {
    expect(() => peerIdOf(new Uint8Array(length))).toThrow(malformed)
  })
})
