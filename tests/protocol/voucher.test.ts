import {
  CLOCK_SKEW_MS,
  checkVoucher,
  issueVoucher,
  RECORD_BYTES_MAX,
  type Signer,
  seal,
  signedEnvelopeCodec,
  VOUCHER_LIFETIME_MS,
  type Voucher,
  voucherCodec,
} from '@lexora/protocol'
import { describe, expect, it } from 'vitest'
import {
  gateway,
  ledger,
  NOW_MS,
  provider,
  sealedVoucher,
  stranger,
  voucher,
} from './golden/samples.ts'

const expected = { ledgerPeerId: ledger.peerId, nowMs: NOW_MS, gateway: gateway.peerId }
const issue = (change: Partial<Voucher>, signer: Signer = ledger): Uint8Array =>
  issueVoucher(signer, { ...voucher, ...change })
const refused = (cause?: unknown): unknown =>
  expect.objectContaining({ code: 'voucher_invalid', ...(cause === undefined ? {} : { cause }) })

describe('checkVoucher()', () => {
  it('accepts the ledger’s voucher at both ends of its life', () => {
    const { expiresAtMs } = voucher
    for (const nowMs of [
      NOW_MS,
      expiresAtMs + CLOCK_SKEW_MS,
      expiresAtMs - VOUCHER_LIFETIME_MS - CLOCK_SKEW_MS,
    ]) {
      expect(checkVoucher(sealedVoucher, { ...expected, nowMs })).toEqual(voucher)
    }
  })

  const faults: [string, Uint8Array, Partial<typeof expected>][] = [
    ['that the gateway signed itself', issue({}, gateway), {}],
    ['that a provider signed', issue({}, provider), {}],
    ['of another network', sealedVoucher, { ledgerPeerId: stranger.peerId }],
    ['of another gateway', sealedVoucher, { gateway: stranger.peerId }],
    ['that has expired', sealedVoucher, { nowMs: voucher.expiresAtMs + CLOCK_SKEW_MS + 1 }],
    [
      'that lives too long',
      issue({ expiresAtMs: NOW_MS + VOUCHER_LIFETIME_MS + CLOCK_SKEW_MS + 1 }),
      {},
    ],
    [
      'sealed as a certificate',
      seal(ledger, 'lexora-certificate', voucherCodec.encode(voucher)),
      {},
    ],
    ['sealed as a receipt', seal(ledger, 'lexora-receipt', voucherCodec.encode(voucher)), {}],
    ['without a hold', issue({ holdId: '' }), {}],
    ['for no tokens', issue({ maxTokens: 0 }), {}],
    ['below zero', issue({ ceilingNanoUsd: -1n }), {}],
    ['above all money', issue({ ceilingNanoUsd: 2n ** 63n }), {}],
    ['with a short request id', issue({ requestId: new Uint8Array(15) }), {}],
    ['not sealed', voucherCodec.encode(voucher), {}],
    ['of nothing', new Uint8Array(), {}],
    ['too large', new Uint8Array(RECORD_BYTES_MAX + 1), {}],
  ]

  it.each(faults)('refuses a voucher %s', (_name, bytes, change) => {
    expect(() => checkVoucher(bytes, { ...expected, ...change })).toThrow(refused())
  })

  it('refuses a ceiling raised after signing', () => {
    const envelope = signedEnvelopeCodec.decode(sealedVoucher)
    const payload = voucherCodec.encode({ ...voucher, ceilingNanoUsd: voucher.ceilingNanoUsd + 1n })
    const bytes = signedEnvelopeCodec.encode({ ...envelope, payload })
    expect(() => checkVoucher(bytes, expected)).toThrow(
      refused(expect.objectContaining({ code: 'signature_invalid' })),
    )
  })

  it('refuses every truncation', () => {
    for (let length = 0; length < sealedVoucher.length; length++) {
      expect(
        () => checkVoucher(sealedVoucher.slice(0, length), expected),
        `${length} bytes`,
      ).toThrow(refused())
    }
  })

  it.each([
    2n ** 31n - 1n,
    2n ** 31n,
    3_000_000_000n,
    2n ** 32n - 1n,
    2n ** 32n,
    2n ** 53n + 1n,
    2n ** 63n - 1n,
  ])('carries a ceiling of %d exactly', (ceilingNanoUsd) => {
    expect(checkVoucher(issue({ ceilingNanoUsd }), expected).ceilingNanoUsd).toBe(ceilingNanoUsd)
  })
})
