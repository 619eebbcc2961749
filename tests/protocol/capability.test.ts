import {
  CAPABILITY_LIFETIME_MS,
  type CapabilityRecord,
  CERTIFICATE_LIFETIME_MS,
  CLOCK_SKEW_MS,
  capabilityCodec,
  checkCapability,
  issueCertificate,
  type MembershipCertificate,
  MODELS_PER_PROVIDER_MAX,
  RECORD_BYTES_MAX,
  type Signer,
  seal,
  sealCapability,
} from '@lexora/protocol'
import { describe, expect, it } from 'vitest'
import { capability, certificate, ledger, NOW_MS, provider, stranger } from './golden/samples.ts'

const expected = { ledgerPeerId: ledger.peerId, nowMs: NOW_MS, peerId: provider.peerId }
const sealed = (change: Partial<CapabilityRecord> = {}, signer: Signer = provider): Uint8Array =>
  sealCapability(signer, { ...capability, ...change })
const issued = (change: Partial<MembershipCertificate>, signer: Signer = ledger): Uint8Array =>
  issueCertificate(signer, { ...certificate, ...change })
const offer = capability.models[0] ?? expect.fail('the sample offers a model')

describe('checkCapability()', () => {
  it('accepts the provider’s own record with its certificate', () => {
    expect(checkCapability(Uint8Array.from(sealed()), expected)).toEqual({
      record: capability,
      certificate,
    })
  })

  it('accepts the ends of its life', () => {
    for (const nowMs of [
      capability.expiresAtMs + CLOCK_SKEW_MS,
      capability.expiresAtMs - CAPABILITY_LIFETIME_MS - CLOCK_SKEW_MS,
    ]) {
      const inForce = issued({ notBeforeMs: nowMs, notAfterMs: nowMs + CERTIFICATE_LIFETIME_MS })
      const bytes = sealed({ certificate: inForce })
      expect(checkCapability(bytes, { ...expected, nowMs }).record.sequence).toBe(
        capability.sequence,
      )
    }
  })

  const faults: [string, Uint8Array, Partial<typeof expected>, string][] = [
    ['that another peer signed', sealed({}, stranger), {}, 'signature_invalid'],
    ['that the ledger signed', sealed({}, ledger), {}, 'signature_invalid'],
    ['that a third peer passes on', sealed(), { peerId: stranger.peerId }, 'signature_invalid'],
    ['that speaks for another peer', sealed({ peerId: stranger.peerId }), {}, 'signature_invalid'],
    [
      'of a peer with another’s certificate',
      sealed({ peerId: stranger.peerId }, stranger),
      { peerId: stranger.peerId },
      'not_a_member',
    ],
    [
      'that has expired',
      sealed(),
      { nowMs: capability.expiresAtMs + CLOCK_SKEW_MS + 1 },
      'expired',
    ],
    [
      'that lives too long',
      sealed({ expiresAtMs: NOW_MS + CAPABILITY_LIFETIME_MS + CLOCK_SKEW_MS + 1 }),
      {},
      'malformed',
    ],
    [
      'with a gateway’s certificate',
      sealed({ certificate: issued({ role: 'gateway' }) }),
      {},
      'not_a_member',
    ],
    [
      'with a certificate of its own',
      sealed({ certificate: issued({}, provider) }),
      {},
      'not_a_member',
    ],
    [
      'with an expired certificate',
      sealed({
        certificate: issued({ notBeforeMs: NOW_MS - 7_200_000, notAfterMs: NOW_MS - 3_600_000 }),
      }),
      {},
      'expired',
    ],
    ['with a certificate that is none', sealed({ certificate: Uint8Array.of(1) }), {}, 'malformed'],
    ['without a certificate', sealed({ certificate: new Uint8Array() }), {}, 'malformed'],
    ['of another network', sealed(), { ledgerPeerId: stranger.peerId }, 'not_a_member'],
    [
      'sealed as a certificate',
      seal(provider, 'lexora-certificate', capabilityCodec.encode(capability)),
      {},
      'signature_invalid',
    ],
    ['with a model of no slots', sealed({ models: [{ ...offer, slots: 0 }] }), {}, 'malformed'],
    [
      'with an endless speed',
      sealed({ models: [{ ...offer, decodeTokensPerSecond: Infinity }] }),
      {},
      'malformed',
    ],
    [
      'with a file hash cut short',
      sealed({ models: [{ ...offer, fileSha256: new Uint8Array(31) }] }),
      {},
      'malformed',
    ],
    [
      'with too many models',
      sealed({ models: Array.from({ length: 33 }, () => offer) }),
      {},
      'malformed',
    ],
    [
      'with too many addresses',
      sealed({ addresses: Array.from({ length: 17 }, () => '/ip4/1.1.1.1') }),
      {},
      'malformed',
    ],
    ['too large', new Uint8Array(RECORD_BYTES_MAX + 1), {}, 'frame_too_large'],
  ]

  it.each(faults)('refuses a record %s', (_name, bytes, change, code) => {
    expect(() => checkCapability(bytes, { ...expected, ...change })).toThrow(
      expect.objectContaining({ code }),
    )
  })

  it('refuses every truncation', () => {
    const bytes = sealed()
    for (let length = 0; length < bytes.length; length++) {
      expect(() => checkCapability(bytes.slice(0, length), expected), `${length} bytes`).toThrow(
        expect.objectContaining({ code: 'malformed' }),
      )
    }
  })

  it('holds as many models as a provider may have, with long names', () => {
    const models = Array.from({ length: MODELS_PER_PROVIDER_MAX }, (_, index) => ({
      ...offer,
      id: `hf:some-organisation/some-model-name-of-usual-length-${index}-GGUF:Q4_K_M`,
    }))
    const bytes = sealed({
      models,
      addresses: Array.from({ length: 16 }, () => `/dns4/${'a'.repeat(60)}/tcp/4001`),
    })
    expect(bytes.length).toBeLessThan(RECORD_BYTES_MAX)
    expect(checkCapability(bytes, expected).record.models).toHaveLength(MODELS_PER_PROVIDER_MAX)
  })
})
