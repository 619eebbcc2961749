import { randomBytes, randomInt } from 'node:crypto'
import {
  type ChatRequest,
  createSigner,
  type InferRequest,
  inferRequestCodec,
  issueCertificate,
  issueVoucher,
  type MemberRole,
  SALT_BYTES,
  SEED_BYTES,
  type Signer,
  type Voucher,
} from '@lexora/protocol'

/** A network of three: who signs, who asks, who serves. */
export interface TestNetwork {
  ledger: Signer
  gateway: Signer
  provider: Signer
}

export function testSigner(): Signer {
  return createSigner(randomBytes(SEED_BYTES))
}

export function testNetwork(): TestNetwork {
  return { ledger: testSigner(), gateway: testSigner(), provider: testSigner() }
}

/** A certificate in force now. */
export function testCertificate(
  ledger: Signer,
  peerId: string,
  role: MemberRole,
  serial: number = randomInt(1_000_000),
): Uint8Array {
  const notBeforeMs = Date.now() - 1_000
  const notAfterMs = notBeforeMs + 3_600_000
  return issueCertificate(ledger, {
    peerId,
    role,
    accountRef: 'acct',
    notBeforeMs,
    notAfterMs,
    serial,
  })
}

function testChat(overrides: Partial<ChatRequest> = {}): ChatRequest {
  return {
    model: 'fake',
    messages: [{ role: 'user', content: 'Say something.' }],
    sampling: { temperature: 0, topP: 1, minP: 0, presencePenalty: 0, frequencyPenalty: 0 },
    maxTokens: 64,
    stop: [],
    ...overrides,
  }
}

/** A request that a provider should take, with the voucher for it; both may be bent. */
export function testRequest(
  network: TestNetwork,
  bend: {
    chat?: Partial<ChatRequest>
    voucher?: Partial<Voucher>
    request?: Partial<InferRequest>
    signer?: Signer
  } = {},
): { request: InferRequest; voucher: Voucher; payload: Uint8Array } {
  const chat = testChat(bend.chat)
  const requestId = randomBytes(16)
  const voucher: Voucher = {
    holdId: `hold_${randomBytes(8).toString('hex')}`,
    requestId,
    gateway: network.gateway.peerId,
    model: chat.model,
    priceVersion: 7,
    ceilingNanoUsd: 1_000_000n,
    promptTokensMax: 2_000,
    maxTokens: chat.maxTokens,
    expiresAtMs: Date.now() + 60_000,
    ...bend.voucher,
  }
  const request: InferRequest = {
    requestId,
    voucher: issueVoucher(bend.signer ?? network.ledger, voucher),
    salt: randomBytes(SALT_BYTES),
    chat,
    ...bend.request,
  }
  return { request, voucher, payload: inferRequestCodec.encode(request) }
}
