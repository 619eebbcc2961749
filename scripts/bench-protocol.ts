/**
 * What the protocol costs on this machine: `npx tsx scripts/bench-protocol.ts`. Microseconds per call, the best and the
 * median of several rounds; the rounds of all cases interleave, so that a busy moment does not fall on one of them.
 */
import { createPublicKey, type KeyObject, verify } from 'node:crypto'
import {
  type ChatRequest,
  certificateCodec,
  checkCertificate,
  checkReceipt,
  checkVoucher,
  countersign,
  createSigner,
  type InferEvent,
  inferEventCodec,
  inferRequestCodec,
  issueCertificate,
  issueVoucher,
  openReceipt,
  peerIdOf,
  publicKeyOf,
  type Receipt,
  receiptCodec,
  sealReceipt,
} from '../protocol/src/index.ts'

const ROUNDS = 15
const ROUND_MS = 40
const WARM_UP_MS = 200
const NOW_MS = 1_750_000_000_000

const [ledger, provider, gateway] = [1, 2, 3].map((seed) =>
  createSigner(new Uint8Array(32).fill(seed)),
)
if (ledger === undefined || provider === undefined || gateway === undefined)
  throw new Error('three signers')

const tokens: InferEvent = { kind: 'tokens', sequence: 17, ids: [1_234], text: ' city' }
const tokensBytes = inferEventCodec.encode(tokens)
const receipt: Receipt = {
  holdId: 'hold-0123456789abcdef',
  requestId: new Uint8Array(16).fill(5),
  requestHash: new Uint8Array(32).fill(6),
  model: 'lexora-tiny-chat',
  modelSha256: new Uint8Array(32).fill(7),
  provider: provider.peerId,
  gateway: gateway.peerId,
  tokenStart: 0,
  tokenEnd: 64,
  usage: { promptTokens: 300, cachedTokens: 20, completionTokens: 64 },
  finishReason: 'stop',
  queueMs: 1,
  prefillMs: 20,
  decodeMs: 300,
  priceVersion: 1,
  issuedAtMs: NOW_MS,
}
const sealedReceipt = sealReceipt(provider, receipt)
const receiptBytes = receiptCodec.encode(receipt)
const countersigned = countersign(gateway, sealedReceipt)
const certificate = {
  peerId: provider.peerId,
  role: 'provider',
  accountRef: 'account-1',
  notBeforeMs: NOW_MS - 1_000,
  notAfterMs: NOW_MS + 3_000_000,
  serial: 1,
} as const
const sealedCertificate = issueCertificate(ledger, certificate)
const certificateBytes = certificateCodec.encode(certificate)
const voucher = issueVoucher(ledger, {
  holdId: receipt.holdId,
  requestId: receipt.requestId,
  gateway: gateway.peerId,
  model: receipt.model,
  priceVersion: 1,
  ceilingNanoUsd: 3_000_000_000n,
  promptTokensMax: 1_000,
  maxTokens: 256,
  expiresAtMs: NOW_MS + 60_000,
})
const chat: ChatRequest = {
  model: receipt.model,
  messages: [
    { role: 'system', content: 'You answer briefly.' },
    { role: 'user', content: 'What is the capital of France? '.repeat(32) },
  ],
  sampling: { temperature: 0, topP: 1, minP: 0, presencePenalty: 0, frequencyPenalty: 0 },
  maxTokens: 256,
  stop: [],
}
const inferRequest = { requestId: receipt.requestId, voucher, salt: receipt.requestId, chat }
const inferRequestBytes = inferRequestCodec.encode(inferRequest)
const network = { ledgerPeerId: ledger.peerId, nowMs: NOW_MS }

// The parts of one verification, to see what remembering key objects would save.
const spkiPrefix = Buffer.from('302a300506032b6570032100', 'hex')
const keyOfDer = (raw: Uint8Array): KeyObject =>
  createPublicKey({ key: Buffer.concat([spkiPrefix, raw]), format: 'der', type: 'spki' })
const keyOfJwk = (raw: Uint8Array): KeyObject => {
  const x = Buffer.from(raw).toString('base64url')
  return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
}
const key = keyOfDer(provider.publicKey)
const signature = provider.sign('lexora-receipt', receiptBytes)
const signed = Buffer.concat([Buffer.from('lexora-receipt\0', 'ascii'), receiptBytes])

const cases: Record<string, () => unknown> = {
  'tokens event (1 id, 5 characters): encode': () => inferEventCodec.encode(tokens),
  'tokens event (1 id, 5 characters): decode': () => inferEventCodec.decode(tokensBytes),
  'inference request (1 KiB of chat): encode': () => inferRequestCodec.encode(inferRequest),
  'inference request (1 KiB of chat): decode': () => inferRequestCodec.decode(inferRequestBytes),
  'receipt: encode': () => receiptCodec.encode(receipt),
  'receipt: decode': () => receiptCodec.decode(receiptBytes),
  'receipt: seal': () => sealReceipt(provider, receipt),
  'receipt: open': () => openReceipt(sealedReceipt),
  'receipt: countersign': () => countersign(gateway, sealedReceipt),
  'receipt: checkReceipt, countersigned': () => checkReceipt(countersigned),
  'voucher: checkVoucher': () => checkVoucher(voucher, { ...network, gateway: gateway.peerId }),
  'certificate: checkCertificate': () => checkCertificate(sealedCertificate, network),
  'certificate: decode alone': () => certificateCodec.decode(certificateBytes),
  'part: createPublicKey from DER': () => keyOfDer(provider.publicKey),
  'part: createPublicKey from JWK': () => keyOfJwk(provider.publicKey),
  'part: verify with a key at hand': () => verify(null, signed, key, signature),
  'part: peerIdOf': () => peerIdOf(provider.publicKey),
  'part: publicKeyOf': () => publicKeyOf(provider.peerId),
}

/** Calls for at least the given time; answers with microseconds per call. */
function round(run: () => unknown, ms: number): number {
  const start = performance.now()
  let calls = 0
  let spent = 0
  while (spent < ms) {
    for (let index = 0; index < 50; index++) run()
    calls += 50
    spent = performance.now() - start
  }
  return (spent * 1_000) / calls
}

for (const run of Object.values(cases)) round(run, WARM_UP_MS)
const times = new Map<string, number[]>()
for (let index = 0; index < ROUNDS; index++) {
  for (const [name, run] of Object.entries(cases)) {
    times.set(name, [...(times.get(name) ?? []), round(run, ROUND_MS)])
  }
}
console.log(`Node ${process.versions.node}, µs per call: best, median of ${ROUNDS} rounds`)
for (const [name, all] of times) {
  const sorted = all.toSorted((a, b) => a - b)
  const median = sorted[Math.floor(ROUNDS / 2)] ?? Number.NaN
  console.log(
    `${name.padEnd(44)} ${(sorted[0] ?? Number.NaN).toFixed(2).padStart(8)} ${median.toFixed(2).padStart(8)}`,
  )
}
