/** What is written is what is read, for arbitrary valid values of every message kind. */
import {
  ADDRESS_LENGTH_MAX,
  ADDRESSES_MAX,
  authoriseRequestCodec,
  authoriseResponseCodec,
  CLAIM_STATES,
  type Codec,
  capabilityCodec,
  certificateCodec,
  certificateResponseCodec,
  chatRequestCodec,
  claimRequestCodec,
  claimResponseCodec,
  countersignedReceiptCodec,
  enrolRequestCodec,
  FINISH_REASONS,
  gatewayAnnouncementCodec,
  helloCodec,
  inferEventCodec,
  inferRequestCodec,
  inferTerminalCodec,
  keyInfoCodec,
  keyInfoRequestCodec,
  loadAnnouncementCodec,
  loadCodec,
  MAX_TOKENS_MAX,
  MEMBER_ROLES,
  priceListCodec,
  receiptCodec,
  renewHoldsRequestCodec,
  renewHoldsResponseCodec,
  revocationNoticeCodec,
  STOP_TEXT_LENGTH_MAX,
  settleRequestCodec,
  settleResponseCodec,
  signedEnvelopeCodec,
  voidRequestCodec,
  voucherCodec,
} from '@lexora/protocol'
import fc, { type Arbitrary } from 'fast-check'
import { describe, expect, it } from 'vitest'

const UINT32_MAX = 0xffff_ffff
/** Values at which 32-bit, 53-bit and 64-bit code goes wrong. */
const EDGES = [
  2n ** 31n - 1n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 32n,
  2n ** 53n,
  2n ** 60n,
  2n ** 63n - 1n,
]

const text = (max: number, min = 1): Arbitrary<string> =>
  fc.string({ unit: 'binary', minLength: min, maxLength: Math.max(min, Math.floor(max / 2)) })
const bytes = (length: number): Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: length, maxLength: length })
const blob = (min = 1): Arbitrary<Uint8Array> => fc.uint8Array({ minLength: min, maxLength: 600 })
const upTo = (max: number, min = 0): Arbitrary<number> =>
  fc.oneof(
    fc.integer({ min, max }),
    fc.constantFrom(min, max, Math.max(min, Math.min(max, 0x8000_0000))),
  )
const count = upTo(Number.MAX_SAFE_INTEGER)
const uint32 = upTo(UINT32_MAX)
const timeMs = upTo(4_102_444_800_000, 1_577_836_800_000)
const real = (min: number, max: number): Arbitrary<number> =>
  fc.double({ min, max, noNaN: true }).map((value) => (value === 0 ? 0 : value))
const amount = fc.oneof(fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }), fc.constantFrom(0n, ...EDGES))
const balance = fc.oneof(
  amount,
  amount.map((value) => -value),
  fc.constant(-(2n ** 63n)),
)
const list = <T>(item: Arbitrary<T>, maxLength: number): Arbitrary<T[]> =>
  fc.array(item, { maxLength })

/** A record in which the other keys may be absent: an optional part is left out, not undefined. */
const record = <T, K extends keyof T>(
  shape: { [P in keyof T]: Arbitrary<T[P]> },
  requiredKeys: K[],
): Arbitrary<Partial<T> & Pick<T, K>> =>
  fc.record(shape, { requiredKeys, noNullPrototype: true }) as Arbitrary<Partial<T> & Pick<T, K>>

const usage = upTo(UINT32_MAX).chain((promptTokens) =>
  fc.record({
    promptTokens: fc.constant(promptTokens),
    cachedTokens: upTo(promptTokens),
    completionTokens: uint32,
  }),
)

const load = fc.record({
  peerId: text(64),
  bootId: bytes(8),
  sequence: count,
  sentAtMs: timeMs,
  draining: fc.boolean(),
  models: list(
    fc.record({
      model: text(128),
      slotsBusy: upTo(4_096),
      slots: upTo(4_096),
      queueLength: upTo(1_000_000),
      decodeTokensPerSecond: real(0, 10_000_000),
    }),
    8,
  ),
})

const chat = fc.record({
  model: text(128),
  messages: fc.array(
    record(
      {
        role: fc.constantFrom(
          'system' as const,
          'developer' as const,
          'user' as const,
          'assistant' as const,
        ),
        content: fc.oneof(
          text(400, 0),
          fc.constant('x'.repeat(20_000)),
          fc.constant('👋'.repeat(9_000)),
        ),
        name: text(128),
      },
      ['role', 'content'],
    ),
    { minLength: 1, maxLength: 6 },
  ),
  sampling: record(
    {
      temperature: real(0, 2),
      topP: real(0, 1),
      minP: real(0, 1),
      presencePenalty: real(-2, 2),
      frequencyPenalty: real(-2, 2),
      seed: uint32,
    },
    ['temperature', 'topP', 'minP', 'presencePenalty', 'frequencyPenalty'],
  ),
  maxTokens: upTo(MAX_TOKENS_MAX, 1),
  stop: list(text(STOP_TEXT_LENGTH_MAX), 4),
})

const offer = fc.record({
  id: text(128),
  family: text(128, 0),
  fileSha256: bytes(32),
  quantisation: text(128, 0),
  contextTokens: upTo(16_777_216, 1),
  modality: fc.constant('text' as const),
  slots: upTo(4_096, 1),
  prefillTokensPerSecond: real(0, 10_000_000),
  decodeTokensPerSecond: real(0, 10_000_000),
  priceMultiplierBasisPoints: upTo(1_000_000),
})

const receipt = fc.tuple(upTo(1_000_000), upTo(1_000_000)).chain(([tokenStart, completionTokens]) =>
  fc.record({
    holdId: text(128),
    requestId: bytes(16),
    requestHash: bytes(32),
    model: text(128),
    modelSha256: bytes(32),
    provider: text(64),
    gateway: text(64),
    tokenStart: fc.constant(tokenStart),
    tokenEnd: fc.constant(tokenStart + completionTokens),
    usage: usage.map((value) => ({ ...value, completionTokens })),
    finishReason: fc.constantFrom(...FINISH_REASONS),
    queueMs: uint32,
    prefillMs: uint32,
    decodeMs: uint32,
    priceVersion: uint32,
    issuedAtMs: timeMs,
  }),
)

/** The property itself. Bytes are copied, so that what is read is a Uint8Array and not Node's pooled Buffer. */
function roundTrips<T>(name: string, codec: Codec<T>, values: Arbitrary<T>): void {
  it(`${name} round trips`, () => {
    fc.assert(
      fc.property(values, (value) => {
        expect(codec.decode(Uint8Array.from(codec.encode(value)))).toEqual(value)
      }),
      { numRuns: 200 },
    )
  })
}

describe('records', () => {
  roundTrips(
    'signed envelope',
    signedEnvelopeCodec,
    fc.record({ payload: blob(), publicKey: bytes(32), signature: bytes(64) }),
  )
  roundTrips(
    'membership certificate',
    certificateCodec,
    fc.record({
      peerId: text(64),
      role: fc.constantFrom(...MEMBER_ROLES),
      accountRef: text(128, 0),
      notBeforeMs: timeMs,
      notAfterMs: timeMs,
      serial: count,
    }),
  )
  roundTrips(
    'capability record',
    capabilityCodec,
    fc.record({
      peerId: text(64),
      sequence: count,
      expiresAtMs: timeMs,
      certificate: blob(),
      models: list(offer, 4),
      addresses: list(text(ADDRESS_LENGTH_MAX), 6),
      software: text(128, 0),
      hardware: text(128, 0),
    }),
  )
  roundTrips('load heartbeat', loadCodec, load)
  roundTrips('load announcement', loadAnnouncementCodec, fc.record({ certificate: blob(), load }))
  roundTrips(
    'gateway announcement',
    gatewayAnnouncementCodec,
    fc.record({
      certificate: blob(),
      sequence: count,
      sentAtMs: timeMs,
      addresses: list(text(ADDRESS_LENGTH_MAX), ADDRESSES_MAX),
    }),
  )
  roundTrips(
    'session hello',
    helloCodec,
    record({ certificate: blob(0), software: text(128, 0), capability: blob(), load }, [
      'certificate',
      'software',
    ]),
  )
})

describe('inference', () => {
  roundTrips('chat request', chatRequestCodec, chat)
  roundTrips(
    'inference request',
    inferRequestCodec,
    fc.record({ requestId: bytes(16), voucher: blob(), salt: bytes(16), chat }),
  )
  roundTrips(
    'accept event',
    inferEventCodec,
    usage.map(({ promptTokens, cachedTokens }) => ({
      kind: 'accept' as const,
      promptTokens,
      cachedTokens,
    })),
  )
  roundTrips(
    'tokens event',
    inferEventCodec,
    fc.record({
      kind: fc.constant('tokens' as const),
      sequence: uint32,
      ids: list(uint32, 4_096),
      text: text(4_000, 0),
    }),
  )
  roundTrips(
    'terminal frame',
    inferTerminalCodec,
    fc.record({ finishReason: fc.constantFrom(...FINISH_REASONS), usage, receipt: blob() }),
  )
  roundTrips(
    'voucher',
    voucherCodec,
    fc.record({
      holdId: text(128),
      requestId: bytes(16),
      gateway: text(64),
      model: text(128),
      priceVersion: uint32,
      ceilingNanoUsd: amount,
      promptTokensMax: upTo(100_000_000),
      maxTokens: upTo(MAX_TOKENS_MAX, 1),
      expiresAtMs: timeMs,
    }),
  )
  roundTrips('receipt', receiptCodec, receipt)
  roundTrips(
    'countersigned receipt',
    countersignedReceiptCodec,
    record({ receipt: blob(), gatewaySignature: bytes(64) }, ['receipt']),
  )

  it('writes any text, lone surrogates included, to the same bytes again', () => {
    // The provider hashes what it read; the gateway what it wrote. Half a surrogate pair has no UTF-8 of its own.
    const units = fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 80 })
    const content = units.map((codes) => String.fromCharCode(...codes))
    fc.assert(
      fc.property(content, chat, (hostile, request) => {
        const written = chatRequestCodec.encode({
          ...request,
          messages: [{ role: 'user', content: hostile }],
        })
        const again = chatRequestCodec.encode(chatRequestCodec.decode(written))
        expect(Buffer.compare(again, written)).toBe(0)
      }),
    )
  })
})

describe('ledger', () => {
  roundTrips('enrolment request', enrolRequestCodec, fc.record({ token: text(128) }))
  roundTrips('certificate response', certificateResponseCodec, fc.record({ certificate: blob() }))
  roundTrips(
    'authorise request',
    authoriseRequestCodec,
    fc.record({
      keyHash: bytes(32),
      requestId: bytes(16),
      model: text(128),
      promptTokensMax: upTo(100_000_000),
      maxTokens: upTo(MAX_TOKENS_MAX, 1),
    }),
  )
  roundTrips(
    'authorise response',
    authoriseResponseCodec,
    fc.record({
      voucher: blob(),
      holdId: text(128),
      priceVersion: uint32,
      accountRef: text(128, 0),
      leaseUntilMs: timeMs,
    }),
  )
  const settlement = fc.record({ holdId: text(128), receipt: blob() })
  roundTrips('settle request', settleRequestCodec, settlement)
  roundTrips('claim request', claimRequestCodec, settlement)
  roundTrips(
    'settle response',
    settleResponseCodec,
    fc.record({
      capturedNanoUsd: amount,
      feeNanoUsd: amount,
      providerNanoUsd: amount,
      alreadySettled: fc.boolean(),
    }),
  )
  roundTrips('void request', voidRequestCodec, fc.record({ holdId: text(128) }))
  roundTrips('renew request', renewHoldsRequestCodec, fc.record({ holdIds: list(text(64), 1_000) }))
  roundTrips(
    'renew response',
    renewHoldsResponseCodec,
    fc.record({ openHoldIds: list(text(64), 1_000), leaseUntilMs: timeMs }),
  )
  roundTrips(
    'claim response',
    claimResponseCodec,
    fc.record({ state: fc.constantFrom(...CLAIM_STATES) }),
  )
  roundTrips('key info request', keyInfoRequestCodec, fc.record({ keyHash: bytes(32) }))
  roundTrips(
    'key info',
    keyInfoCodec,
    fc.record({
      accountRef: text(128, 0),
      keyId: text(128),
      label: text(128, 0),
      promoNanoUsd: balance,
      paidNanoUsd: balance,
      heldNanoUsd: balance,
      availableNanoUsd: balance,
      requests: count,
      promptTokens: count,
      completionTokens: count,
      spentNanoUsd: balance,
    }),
  )
  roundTrips(
    'price list',
    priceListCodec,
    fc.record({
      version: uint32,
      effectiveAtMs: count,
      feeBasisPoints: upTo(10_000),
      models: list(
        fc.record({
          model: text(128),
          inputNanoUsd: amount,
          cachedInputNanoUsd: amount,
          outputNanoUsd: amount,
        }),
        100,
      ),
    }),
  )
  roundTrips(
    'revocation notice',
    revocationNoticeCodec,
    fc.record({ keyHashes: list(bytes(32), 512), serials: list(count, 512) }),
  )
})
