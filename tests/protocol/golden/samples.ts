import {
  authoriseRequestCodec,
  authoriseResponseCodec,
  type CapabilityRecord,
  CERTIFICATE_LIFETIME_MS,
  type ChatRequest,
  type Codec,
  capabilityCodec,
  certificateCodec,
  certificateResponseCodec,
  chatRequestCodec,
  claimReceipt,
  claimRequestCodec,
  claimResponseCodec,
  countersign,
  countersignedReceiptCodec,
  createSigner,
  enrolRequestCodec,
  gatewayAnnouncementCodec,
  helloCodec,
  INFER_REQUEST_BYTES_MAX,
  inferEventCodec,
  inferRequestCodec,
  inferTerminalCodec,
  issueCertificate,
  issueVoucher,
  keyInfoCodec,
  keyInfoRequestCodec,
  LEDGER_MESSAGE_BYTES_MAX,
  type LoadHeartbeat,
  loadAnnouncementCodec,
  loadCodec,
  type MembershipCertificate,
  priceListCodec,
  RECORD_BYTES_MAX,
  type Receipt,
  receiptCodec,
  renewHoldsRequestCodec,
  renewHoldsResponseCodec,
  requestHash,
  revocationNoticeCodec,
  SIGNATURE_BYTES,
  type Signer,
  sealCapability,
  sealReceipt,
  settleRequestCodec,
  settleResponseCodec,
  signedEnvelopeCodec,
  TOKENS_BYTES_MAX,
  type Voucher,
  voidRequestCodec,
  voucherCodec,
} from '@lexora/protocol'

/** The instant at which every sample is valid: 2025-06-15T15:06:40Z. */
export const NOW_MS = 1_750_000_000_000

const filled = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value)

export const ledger: Signer = createSigner(filled(32, 1))
export const provider: Signer = createSigner(filled(32, 2))
export const gateway: Signer = createSigner(filled(32, 3))
export const stranger: Signer = createSigner(filled(32, 4))

/** Plain bytes: signatures come as Buffers, which compare as another kind of thing. */
export const plain = (bytes: Uint8Array): Uint8Array => Uint8Array.from(bytes)

export const certificate: MembershipCertificate = {
  peerId: provider.peerId,
  role: 'provider',
  accountRef: 'acct-1',
  notBeforeMs: NOW_MS - 60_000,
  notAfterMs: NOW_MS - 60_000 + CERTIFICATE_LIFETIME_MS,
  serial: 300,
}

export const sealedCertificate: Uint8Array = plain(issueCertificate(ledger, certificate))

export const capability: CapabilityRecord = {
  peerId: provider.peerId,
  sequence: 7,
  expiresAtMs: NOW_MS + 300_000,
  certificate: sealedCertificate,
  models: [
    {
      id: 'lexora-tiny-chat',
      family: 'llama',
      fileSha256: filled(32, 0xaa),
      quantisation: 'Q8_0',
      contextTokens: 2_048,
      modality: 'text',
      slots: 4,
      prefillTokensPerSecond: 5_000.5,
      decodeTokensPerSecond: 1_400.25,
      priceMultiplierBasisPoints: 10_000,
    },
  ],
  addresses: ['/ip4/127.0.0.1/tcp/4001'],
  software: 'lexora-node/0.1.0',
  hardware: 'cpu x64, 2 cores',
}

const load: LoadHeartbeat = {
  peerId: provider.peerId,
  bootId: filled(8, 9),
  sequence: 4_294_967_296,
  sentAtMs: NOW_MS,
  draining: true,
  models: [
    {
      model: 'lexora-tiny-chat',
      slotsBusy: 1,
      slots: 4,
      queueLength: 2,
      decodeTokensPerSecond: 900.125,
    },
  ],
}

export const chat: ChatRequest = {
  model: 'lexora-tiny-chat',
  messages: [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: 'Grüße, 世界 👋', name: 'ada' },
    { role: 'assistant', content: '' },
  ],
  sampling: {
    temperature: 0.7,
    topP: 0.9,
    minP: 0,
    presencePenalty: -1.5,
    frequencyPenalty: 2,
    seed: 0,
  },
  maxTokens: 64,
  stop: ['\n\n', '</s>'],
}

export const voucher: Voucher = {
  holdId: 'hold-1',
  requestId: filled(16, 5),
  gateway: gateway.peerId,
  model: 'lexora-tiny-chat',
  priceVersion: 3,
  ceilingNanoUsd: 3_000_000_000n,
  promptTokensMax: 120,
  maxTokens: 64,
  expiresAtMs: NOW_MS + 60_000,
}

export const sealedVoucher: Uint8Array = plain(issueVoucher(ledger, voucher))

const salt = filled(16, 6)

export const receipt: Receipt = {
  holdId: 'hold-1',
  requestId: filled(16, 5),
  requestHash: plain(requestHash(salt, chatRequestCodec.encode(chat))),
  model: 'lexora-tiny-chat',
  modelSha256: filled(32, 0xaa),
  provider: provider.peerId,
  gateway: gateway.peerId,
  tokenStart: 10,
  tokenEnd: 42,
  usage: { promptTokens: 30, cachedTokens: 12, completionTokens: 32 },
  finishReason: 'stop',
  queueMs: 0,
  prefillMs: 15,
  decodeMs: 230,
  priceVersion: 3,
  issuedAtMs: NOW_MS,
}

export const sealedReceipt: Uint8Array = plain(sealReceipt(provider, receipt))
export const countersigned: Uint8Array = plain(countersign(gateway, sealedReceipt))

/** One message kind with a fixed value. `bytesMax` is the size from which on it is refused unread. */
export interface Sample {
  name: string
  bytesMax: number
  value: unknown
  encode(): Uint8Array
  decode(bytes: Uint8Array): unknown
  /** Writes again what was decoded. */
  rewrite(bytes: Uint8Array): Uint8Array
}

function sample<T>(name: string, bytesMax: number, codec: Codec<T>, value: T): Sample {
  return {
    name,
    bytesMax,
    value,
    encode: () => plain(codec.encode(value)),
    decode: (bytes) => codec.decode(bytes),
    rewrite: (bytes) => plain(codec.encode(codec.decode(bytes))),
  }
}

function ledgerSample<T>(name: string, codec: Codec<T>, value: T): Sample {
  return sample(name, LEDGER_MESSAGE_BYTES_MAX, codec, value)
}

/** Every message kind of the protocol, those with optional parts more than once. */
export const samples: readonly Sample[] = [
  sample('signed envelope', RECORD_BYTES_MAX, signedEnvelopeCodec, {
    payload: Uint8Array.of(1, 2, 3),
    publicKey: provider.publicKey,
    signature: plain(provider.sign('lexora-receipt', Uint8Array.of(1, 2, 3))),
  }),
  sample('membership certificate', RECORD_BYTES_MAX, certificateCodec, certificate),
  sample('capability record', RECORD_BYTES_MAX, capabilityCodec, capability),
  sample('load heartbeat', RECORD_BYTES_MAX, loadCodec, load),
  sample('load announcement', RECORD_BYTES_MAX, loadAnnouncementCodec, {
    certificate: sealedCertificate,
    load,
  }),
  sample('gateway announcement', RECORD_BYTES_MAX, gatewayAnnouncementCodec, {
    certificate: sealedCertificate,
    sequence: 12,
    sentAtMs: NOW_MS,
    addresses: ['/ip4/10.0.0.1/tcp/4001', '/dns4/gateway.example/tcp/443'],
  }),
  sample('session hello of a provider', 3 * RECORD_BYTES_MAX, helloCodec, {
    certificate: sealedCertificate,
    capability: plain(sealCapability(provider, capability)),
    load,
    software: 'lexora-node/0.1.0',
  }),
  sample('session hello of a gateway', 3 * RECORD_BYTES_MAX, helloCodec, {
    certificate: sealedCertificate,
    software: 'lexora-gateway/0.1.0',
  }),
  sample('chat request', INFER_REQUEST_BYTES_MAX, chatRequestCodec, chat),
  sample('inference request', INFER_REQUEST_BYTES_MAX, inferRequestCodec, {
    requestId: filled(16, 5),
    voucher: sealedVoucher,
    salt,
    chat,
  }),
  sample('accept event', TOKENS_BYTES_MAX, inferEventCodec, {
    kind: 'accept',
    promptTokens: 30,
    cachedTokens: 12,
  }),
  sample('accept event of nothing', TOKENS_BYTES_MAX, inferEventCodec, {
    kind: 'accept',
    promptTokens: 0,
    cachedTokens: 0,
  }),
  sample('tokens event', TOKENS_BYTES_MAX, inferEventCodec, {
    kind: 'tokens',
    sequence: 1,
    ids: [0, 300, 0xffff_ffff],
    text: ' Paris 👋',
  }),
  sample('terminal frame', TOKENS_BYTES_MAX, inferTerminalCodec, {
    finishReason: 'length',
    usage: { promptTokens: 30, cachedTokens: 12, completionTokens: 32 },
    receipt: sealedReceipt,
  }),
  sample('voucher', RECORD_BYTES_MAX, voucherCodec, voucher),
  sample('receipt', RECORD_BYTES_MAX, receiptCodec, receipt),
  sample(
    'countersigned receipt',
    RECORD_BYTES_MAX + 2 * SIGNATURE_BYTES,
    countersignedReceiptCodec,
    {
      receipt: sealedReceipt,
      gatewaySignature: plain(gateway.sign('lexora-countersignature', sealedReceipt)),
    },
  ),
  sample('claimed receipt', RECORD_BYTES_MAX + 2 * SIGNATURE_BYTES, countersignedReceiptCodec, {
    receipt: sealedReceipt,
  }),
  ledgerSample('enrolment request', enrolRequestCodec, { token: 'invite-1' }),
  ledgerSample('certificate response', certificateResponseCodec, {
    certificate: sealedCertificate,
  }),
  ledgerSample('authorise request', authoriseRequestCodec, {
    keyHash: filled(32, 0xcc),
    requestId: filled(16, 5),
    model: 'lexora-tiny-chat',
    promptTokensMax: 120,
    maxTokens: 64,
  }),
  ledgerSample('authorise response', authoriseResponseCodec, {
    voucher: sealedVoucher,
    holdId: 'hold-1',
    priceVersion: 3,
    accountRef: 'acct-2',
    leaseUntilMs: NOW_MS + 90_000,
  }),
  ledgerSample('settle request', settleRequestCodec, { holdId: 'hold-1', receipt: countersigned }),
  ledgerSample('settle response', settleResponseCodec, {
    capturedNanoUsd: 2_147_483_648n,
    feeNanoUsd: 214_748_364n,
    providerNanoUsd: 1_932_735_284n,
    alreadySettled: true,
  }),
  ledgerSample('void request', voidRequestCodec, { holdId: 'hold-1' }),
  ledgerSample('renew request', renewHoldsRequestCodec, { holdIds: ['hold-1', 'hold-2'] }),
  ledgerSample('renew response', renewHoldsResponseCodec, {
    openHoldIds: ['hold-2'],
    leaseUntilMs: NOW_MS + 90_000,
  }),
  ledgerSample('claim request', claimRequestCodec, {
    holdId: 'hold-1',
    receipt: plain(claimReceipt(sealedReceipt)),
  }),
  ledgerSample('claim response', claimResponseCodec, { state: 'recorded' }),
  ledgerSample('key info request', keyInfoRequestCodec, { keyHash: filled(32, 0xcc) }),
  ledgerSample('key info', keyInfoCodec, {
    accountRef: 'acct-2',
    keyId: 'key-1',
    label: 'laptop',
    promoNanoUsd: 0n,
    paidNanoUsd: -1n,
    heldNanoUsd: 4_294_967_295n,
    availableNanoUsd: -(2n ** 63n),
    requests: 9_007_199_254_740_991,
    promptTokens: 2_147_483_648,
    completionTokens: 0,
    spentNanoUsd: 2n ** 63n - 1n,
  }),
  ledgerSample('price list', priceListCodec, {
    version: 3,
    effectiveAtMs: NOW_MS,
    feeBasisPoints: 1_500,
    models: [
      {
        model: 'lexora-tiny-chat',
        inputNanoUsd: 50_000_000n,
        cachedInputNanoUsd: 0n,
        outputNanoUsd: 2_400_000_000n,
      },
    ],
  }),
  ledgerSample('revocation notice', revocationNoticeCodec, {
    keyHashes: [filled(32, 0xcc), filled(32, 0xdd)],
    serials: [0, 300, Number.MAX_SAFE_INTEGER],
  }),
]

/** Sealed statements: Ed25519 signatures are deterministic, so these bytes never change either. */
export const sealed: Readonly<Record<string, Uint8Array>> = {
  certificate: sealedCertificate,
  capability: plain(sealCapability(provider, capability)),
  voucher: sealedVoucher,
  receipt: sealedReceipt,
  countersigned,
  claimed: plain(claimReceipt(sealedReceipt)),
  'attested by the gateway': plain(countersign(gateway, sealReceipt(gateway, receipt))),
}
