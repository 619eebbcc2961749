import {
  CERTIFICATE_LIFETIME_MS,
  type CertificateCheck,
  CLOCK_SKEW_MS,
  certificateCodec,
  checkCertificate,
  issueCertificate,
  type MemberRole,
  type MembershipCertificate,
  RECORD_BYTES_MAX,
  type SignatureDomain,
  seal,
  signedEnvelopeCodec,
} from '@lexora/protocol'
import { describe, expect, it } from 'vitest'
import {
  certificate,
  gateway,
  ledger,
  NOW_MS,
  provider,
  sealedCertificate,
  stranger,
} from './golden/samples.ts'

const expected: CertificateCheck = {
  ledgerPeerId: ledger.peerId,
  nowMs: NOW_MS,
  peerId: provider.peerId,
  role: 'provider',
}
const issue = (change: Partial<MembershipCertificate>): Uint8Array =>
  issueCertificate(ledger, { ...certificate, ...change })
const under = (domain: SignatureDomain): Uint8Array =>
  seal(ledger, domain, certificateCodec.encode(certificate))

describe('checkCertificate()', () => {
  it('accepts what the ledger issued, up to the clock skew at both ends', () => {
    for (const nowMs of [
      certificate.notBeforeMs - CLOCK_SKEW_MS,
      NOW_MS,
      certificate.notAfterMs + CLOCK_SKEW_MS,
    ]) {
      expect(checkCertificate(sealedCertificate, { ...expected, nowMs })).toEqual(certificate)
    }
  })

  it('accepts any member where neither peer nor role is asked for', () => {
    const network = { ledgerPeerId: ledger.peerId, nowMs: NOW_MS }
    for (const role of ['provider', 'gateway', 'bootstrap', 'ledger'] as const) {
      expect(checkCertificate(issue({ role, peerId: stranger.peerId }), network)).toMatchObject({
        role,
      })
    }
  })

  const faults: [string, Uint8Array, Partial<CertificateCheck>, string][] = [
    ['signed by the member itself', issueCertificate(provider, certificate), {}, 'not_a_member'],
    [
      'signed by another network’s ledger',
      sealedCertificate,
      { ledgerPeerId: stranger.peerId },
      'not_a_member',
    ],
    ['of another peer', sealedCertificate, { peerId: gateway.peerId }, 'not_a_member'],
    ['of another role', sealedCertificate, { role: 'gateway' }, 'not_a_member'],
    [
      'just expired',
      sealedCertificate,
      { nowMs: certificate.notAfterMs + CLOCK_SKEW_MS + 1 },
      'expired',
    ],
    [
      'not yet in force',
      sealedCertificate,
      { nowMs: certificate.notBeforeMs - CLOCK_SKEW_MS - 1 },
      'expired',
    ],
    [
      'too long lived',
      issue({ notAfterMs: certificate.notBeforeMs + CERTIFICATE_LIFETIME_MS + CLOCK_SKEW_MS + 1 }),
      {},
      'malformed',
    ],
    ['of an unknown role', issue({ role: 'admin' as MemberRole }), {}, 'malformed'],
    ['without a peer', issue({ peerId: '' }), {}, 'malformed'],
    ['of the last century', issue({ notBeforeMs: 0, notAfterMs: 1 }), {}, 'malformed'],
    ['of a serial that is no number', issue({ serial: Number.NaN }), {}, 'malformed'],
    ['for a capability', under('lexora-capability'), {}, 'signature_invalid'],
    ['for a voucher', under('lexora-voucher'), {}, 'signature_invalid'],
    ['for a receipt', under('lexora-receipt'), {}, 'signature_invalid'],
    ['for a countersignature', under('lexora-countersignature'), {}, 'signature_invalid'],
    ['not sealed', certificateCodec.encode(certificate), {}, 'malformed'],
    ['of nothing', new Uint8Array(), {}, 'malformed'],
    ['too large', new Uint8Array(RECORD_BYTES_MAX + 1), {}, 'frame_too_large'],
  ]

  it.each(faults)('refuses a certificate %s', (_name, bytes, change, code) => {
    expect(() => checkCertificate(bytes, { ...expected, ...change })).toThrow(
      expect.objectContaining({ code }),
    )
  })

  it('refuses a payload that was changed after signing', () => {
    const envelope = signedEnvelopeCodec.decode(sealedCertificate)
    const payload = certificateCodec.encode({ ...certificate, role: 'gateway' })
    expect(() =>
      checkCertificate(signedEnvelopeCodec.encode({ ...envelope, payload }), expected),
    ).toThrow(expect.objectContaining({ code: 'signature_invalid' }))
  })

  it('refuses every truncation', () => {
    for (let length = 0; length < sealedCertificate.length; length++) {
      expect(
        () => checkCertificate(sealedCertificate.slice(0, length), expected),
        `${length} bytes`,
      ).toThrow(expect.objectContaining({ code: 'malformed' }))
    }
  })

  it('accepts the longest life that a certificate may have', () => {
    const notAfterMs = certificate.notBeforeMs + CERTIFICATE_LIFETIME_MS + CLOCK_SKEW_MS
    expect(checkCertificate(issue({ notAfterMs }), expected)).toMatchObject({ notAfterMs })
  })
})
