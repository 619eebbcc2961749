import { createHash } from 'node:crypto'
import {
  checkReceipt,
  claimReceipt,
  countersign,
  countersignedReceiptCodec,
  type FinishReason,
  openReceipt,
  RECORD_BYTES_MAX,
  type Receipt,
  receiptCodec,
  requestHash,
  type Signer,
  seal,
  sealReceipt,
  signedEnvelopeCodec,
} from '@lexora/protocol'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  countersigned,
  gateway,
  ledger,
  plain,
  provider,
  receipt,
  sealedReceipt,
  stranger,
} from './golden/samples.ts'

const sealedAs = (change: Partial<Receipt>, signer: Signer = provider): Uint8Array =>
  sealReceipt(signer, { ...receipt, ...change })
const invalid = (cause?: string): unknown =>
  expect.objectContaining({
    code: 'receipt_invalid',
    ...(cause === undefined ? {} : { cause: expect.objectContaining({ code: cause }) as unknown }),
  })
const both = (inner: Uint8Array, gatewaySignature: Uint8Array): Uint8Array =>
  countersignedReceiptCodec.encode({ receipt: inner, gatewaySignature })

describe('checkReceipt()', () => {
  const accepted: [string, Uint8Array, boolean, boolean][] = [
    ['by provider and gateway', countersigned, true, true],
    ['by the provider alone, its claim', claimReceipt(sealedReceipt), true, false],
    [
      'by the gateway for a lost provider',
      countersign(gateway, sealedAs({}, gateway)),
      false,
      true,
    ],
    [
      'by the gateway once, which is its word all the same',
      claimReceipt(sealedAs({}, gateway)),
      false,
      true,
    ],
  ]

  it.each(accepted)(
    'accepts a receipt signed %s',
    (_name, bytes, signedByProvider, signedByGateway) => {
      expect(checkReceipt(plain(bytes))).toEqual({ receipt, signedByProvider, signedByGateway })
    },
  )

  it('takes a node that is both provider and gateway for both', () => {
    const own = sealedAs({ gateway: provider.peerId })
    expect(checkReceipt(claimReceipt(own))).toMatchObject({
      signedByProvider: true,
      signedByGateway: true,
    })
  })

  const usage = (change: Partial<Receipt['usage']>): Partial<Receipt> => ({
    usage: { ...receipt.usage, ...change },
  })
  const faults: [string, Uint8Array, string][] = [
    ['that a third party sealed', countersign(gateway, sealedAs({}, stranger)), 'malformed'],
    ['that the ledger sealed', claimReceipt(sealedAs({}, ledger)), 'malformed'],
    ['that a third party countersigned', countersign(stranger, sealedReceipt), 'malformed'],
    ['that its own provider countersigned', countersign(provider, sealedReceipt), 'malformed'],
    [
      'that another gateway countersigned',
      countersign(gateway, sealedAs({ gateway: stranger.peerId })),
      'malformed',
    ],
    [
      'of a gateway that is no peer',
      countersign(gateway, sealedAs({ gateway: 'gateway-1' })),
      'malformed',
    ],
    [
      'countersigned for another receipt',
      both(sealedReceipt, gateway.sign('lexora-countersignature', sealedAs({ holdId: 'hold-2' }))),
      'malformed',
    ],
    [
      'countersigned as a receipt',
      both(sealedReceipt, gateway.sign('lexora-receipt', sealedReceipt)),
      'malformed',
    ],
    ['with half a countersignature', both(sealedReceipt, new Uint8Array(32)), 'malformed'],
    ['with a countersignature of zeros', both(sealedReceipt, new Uint8Array(64)), 'malformed'],
    [
      'sealed as a voucher',
      claimReceipt(seal(provider, 'lexora-voucher', receiptCodec.encode(receipt))),
      'signature_invalid',
    ],
    [
      'sealed as a countersignature',
      claimReceipt(seal(provider, 'lexora-countersignature', receiptCodec.encode(receipt))),
      'signature_invalid',
    ],
    [
      'of more tokens than its range',
      claimReceipt(sealedAs(usage({ completionTokens: 33 }))),
      'malformed',
    ],
    [
      'of fewer tokens than its range',
      claimReceipt(sealedAs(usage({ completionTokens: 31 }))),
      'malformed',
    ],
    [
      'of a range that runs backwards',
      claimReceipt(sealedAs({ tokenStart: 42, tokenEnd: 10 })),
      'malformed',
    ],
    [
      'of more cached than prompt tokens',
      claimReceipt(sealedAs(usage({ cachedTokens: 31 }))),
      'malformed',
    ],
    [
      'of an unknown end',
      claimReceipt(sealedAs({ finishReason: 'magic' as FinishReason })),
      'malformed',
    ],
    [
      'of a short request hash',
      claimReceipt(sealedAs({ requestHash: new Uint8Array(31) })),
      'malformed',
    ],
    ['without a hold', claimReceipt(sealedAs({ holdId: '' })), 'malformed'],
    ['not countersigned but sealed only', sealedReceipt, 'malformed'],
    ['of nothing', new Uint8Array(), 'malformed'],
    ['too large', new Uint8Array(RECORD_BYTES_MAX + 129), 'frame_too_large'],
  ]

  it.each(faults)('refuses a receipt %s', (_name, bytes, cause) => {
    expect(() => checkReceipt(bytes)).toThrow(invalid(cause))
  })

  it('refuses a payload changed after signing', () => {
    const envelope = signedEnvelopeCodec.decode(sealedReceipt)
    const payload = receiptCodec.encode({ ...receipt, model: 'a-dearer-model' })
    const bytes = signedEnvelopeCodec.encode({ ...envelope, payload })
    expect(() => checkReceipt(countersign(gateway, bytes))).toThrow(invalid('signature_invalid'))
  })

  it('reads a truncation as refused, or as the provider’s claim, never as the gateway’s word', () => {
    const claim = claimReceipt(sealedReceipt)
    for (let length = 0; length < countersigned.length; length++) {
      const bytes = countersigned.slice(0, length)
      if (length === claim.length)
        expect(checkReceipt(bytes)).toMatchObject({ signedByGateway: false })
      else expect(() => checkReceipt(bytes), `${length} bytes`).toThrow(invalid())
    }
  })
})

describe('openReceipt()', () => {
  it('says who sealed it, and leaves the verdict to its caller', () => {
    expect(openReceipt(plain(sealedReceipt))).toEqual({ receipt, signedBy: provider.peerId })
    expect(openReceipt(sealedAs({}, stranger)).signedBy).toBe(stranger.peerId)
  })
})

describe('requestHash()', () => {
  it('is the SHA-256 of salt and request', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 16, maxLength: 16 }),
        fc.uint8Array(),
        (salt, request) => {
          const whole = createHash('sha256')
            .update(Buffer.concat([salt, request]))
            .digest('hex')
          expect(Buffer.from(requestHash(salt, request)).toString('hex')).toBe(whole)
        },
      ),
    )
  })
})
