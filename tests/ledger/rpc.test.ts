import {
  authoriseRequestCodec,
  authoriseResponseCodec,
  CERTIFICATE_LIFETIME_MS,
  certificateResponseCodec,
  checkCertificate,
  checkVoucher,
  claimReceipt,
  claimRequestCodec,
  claimResponseCodec,
  countersign,
  createSigner,
  enrolRequestCodec,
  keyInfoCodec,
  keyInfoRequestCodec,
  type LexoraError,
  REVOCATION_NOTICE,
  type Receipt,
  renewHoldsRequestCodec,
  renewHoldsResponseCodec,
  revocationNoticeCodec,
  type Signer,
  sealReceipt,
  settleRequestCodec,
  settleResponseCodec,
  voidRequestCodec,
} from '@lexora/protocol'
import type { MeshHost, RequestContext, ServeOptions, Session } from '@lexora/protocol/mesh'
import { describe, expect, it, vi } from 'vitest'
import { hashSecret } from '../../ledger/src/accounts/secret.ts'
import { ledgerMethods } from '../../ledger/src/rpc/methods.ts'
import { createLedgerServer } from '../../ledger/src/rpc/server.ts'
import type { LedgerService } from '../../ledger/src/service.ts'
import { codeOf, MODEL, openLedger, PRICES, requestId } from './fixture.ts'

const ledger = createSigner(new Uint8Array(32).fill(1))
const gateway = createSigner(new Uint8Array(32).fill(2))
const provider = createSigner(new Uint8Array(32).fill(3))
const stranger = createSigner(new Uint8Array(32).fill(4))
const otherGateway = createSigner(new Uint8Array(32).fill(5))

const NOTHING = new Uint8Array()
const USAGE = { promptTokens: 5, cachedTokens: 2, completionTokens: 7 }

/** A ledger with two gateways and a provider that enrolled over the RPC, and a customer with ten dollars. */
async function openNetwork() {
  const { service, clock } = await openLedger()
  const components = { service, signer: ledger, clock: () => clock.nowMs }
  const ask = async (peer: Signer, method: string, payload: Uint8Array): Promise<Uint8Array> => {
    const handler = ledgerMethods(components, peer.peerId)[method]
    if (handler === undefined) throw new Error(`no method ${method}`)
    return handler(payload, {} as RequestContext)
  }
  await service.setPrices(PRICES)
  for (const [peer, role] of [
    [gateway, 'gateway'],
    [otherGateway, 'gateway'],
    [provider, 'provider'],
  ] as const) {
    const { accountId } = await service.createAccount({
      kind: role === 'provider' ? 'provider' : 'operator',
      label: role,
    })
    const expiresAtMs = clock.nowMs + 60_000
    const { token } = await service.createEnrolment({ role, accountId, expiresAtMs })
    await ask(peer, 'enrol', enrolRequestCodec.encode({ token }))
  }
  const customer = await service.createAccount({ kind: 'developer', label: 'ada' })
  const { accountId } = customer
  await service.grant({ accountId, amount: 10_000_000_000n, id: 'g1' })
  const { text } = await service.createKey({ accountId, name: 'k', mode: 'live' })
  const keyHash = hashSecret(text)

  async function authorise(peer: Signer = gateway, number = 1) {
    const request = { keyHash, requestId: requestId(number), model: MODEL, promptTokensMax: 10 }
    const payload = authoriseRequestCodec.encode({ ...request, maxTokens: 20 })
    return authoriseResponseCodec.decode(await ask(peer, 'authorise', payload))
  }

  function receipt(holdId: string, changes: Partial<Receipt> = {}): Receipt {
    return {
      holdId,
      requestId: requestId(1),
      requestHash: new Uint8Array(32),
      model: MODEL,
      modelSha256: new Uint8Array(32),
      provider: provider.peerId,
      gateway: gateway.peerId,
      tokenStart: 0,
      tokenEnd: 7,
      usage: USAGE,
      finishReason: 'stop',
      queueMs: 0,
      prefillMs: 0,
      decodeMs: 0,
      priceVersion: PRICES.version,
      issuedAtMs: clock.nowMs,
      ...changes,
    }
  }

  const settle = async (holdId: string, bytes: Uint8Array, peer: Signer = gateway) =>
    settleResponseCodec.decode(
      await ask(peer, 'settle', settleRequestCodec.encode({ holdId, receipt: bytes })),
    )
  const claim = async (holdId: string, bytes: Uint8Array, peer: Signer = provider) =>
    claimResponseCodec.decode(
      await ask(peer, 'claim', claimRequestCodec.encode({ holdId, receipt: bytes })),
    )
  return { service, clock, ask, authorise, receipt, settle, claim, keyHash, accountId }
}

describe('membership over the RPC', () => {
  it('gives a member a certificate in force for its own peer id and role', async () => {
    const { ask, clock } = await openNetwork()
    const answer = await ask(provider, 'renewCertificate', NOTHING)
    const { certificate } = certificateResponseCodec.decode(answer)
    const check = { ledgerPeerId: ledger.peerId, nowMs: clock.nowMs, peerId: provider.peerId }
    expect(checkCertificate(certificate, check).role).toBe('provider')
  })

  it('gives a stranger nothing', async () => {
    const { ask } = await openNetwork()
    const token = enrolRequestCodec.encode({ token: 'lxe_guess' })
    const hash = keyInfoRequestCodec.encode({ keyHash: new Uint8Array(32) })
    expect(await codeOf(ask(stranger, 'renewCertificate', NOTHING))).toBe('not_a_member')
    expect(await codeOf(ask(stranger, 'enrol', token))).toBe('enrolment_refused')
    expect(await codeOf(ask(stranger, 'keyInfo', hash))).toBe('not_a_member')
    expect(await codeOf(ask(stranger, 'prices', NOTHING))).toBe('not_a_member')
  })

  it('looks the role up at each call', async () => {
    const { ask, authorise, service, claim } = await openNetwork()
    expect(await codeOf(authorise(provider))).toBe('forbidden')
    const { holdId } = await authorise()
    expect(await codeOf(claim(holdId, NOTHING, gateway))).toBe('forbidden')
    await service.revokeMember(gateway.peerId)
    expect(await codeOf(authorise(gateway, 2))).toBe('not_a_member')
    expect(await codeOf(ask(gateway, 'renewCertificate', NOTHING))).toBe('not_a_member')
  })
})

describe('authorise over the RPC', () => {
  it('signs a voucher for the asking gateway alone, and says the same in the clear', async () => {
    const { authorise, clock, keyHash, ask } = await openNetwork()
    const answer = await authorise()
    const check = { ledgerPeerId: ledger.peerId, nowMs: clock.nowMs }
    const voucher = checkVoucher(answer.voucher, { ...check, gateway: gateway.peerId })
    expect(voucher).toMatchObject({
      holdId: answer.holdId,
      priceVersion: answer.priceVersion,
      model: MODEL,
      promptTokensMax: 10,
      maxTokens: 20,
      ceilingNanoUsd: 50_000n,
    })
    expect(() => checkVoucher(answer.voucher, { ...check, gateway: otherGateway.peerId })).toThrow(
      /another gateway/,
    )
    const info = await ask(gateway, 'keyInfo', keyInfoRequestCodec.encode({ keyHash }))
    expect(keyInfoCodec.decode(info).heldNanoUsd).toBe(50_000n)
  })
})

describe('settle over the RPC', () => {
  it('captures by a countersigned receipt, once', async () => {
    const { authorise, receipt, settle } = await openNetwork()
    const { holdId } = await authorise()
    const bytes = countersign(gateway, sealReceipt(provider, receipt(holdId)))
    // 3 fresh × 1,000 + 2 cached × 100 + 7 output × 2,000 nano-USD
    const captured = { capturedNanoUsd: 17_200n, feeNanoUsd: 4_300n, providerNanoUsd: 12_900n }
    expect(await settle(holdId, bytes)).toEqual({ ...captured, alreadySettled: false })
    expect(await settle(holdId, bytes)).toEqual({ ...captured, alreadySettled: true })
  })

  it('takes the gateway’s word for a provider that was lost', async () => {
    const { authorise, receipt, settle } = await openNetwork()
    const { holdId } = await authorise()
    const attested = sealReceipt(gateway, receipt(holdId, { finishReason: 'failed' }))
    const answer = await settle(holdId, countersign(gateway, attested))
    expect(answer.capturedNanoUsd).toBe(17_200n)
  })

  it.each([
    ['another request', { requestId: requestId(9) }],
    ['another model', { model: 'free' }],
    ['another price version', { priceVersion: 2 }],
    ['another hold', { holdId: 'elsewhere' }],
  ])('refuses a receipt for %s', async (_name, changes) => {
    const { authorise, receipt, settle, service } = await openNetwork()
    const { holdId } = await authorise()
    const bytes = countersign(gateway, sealReceipt(provider, receipt(holdId, changes)))
    expect(await codeOf(settle(holdId, bytes))).toBe('receipt_invalid')
    expect(service.openHolds()).toBe(1)
  })

  it('refuses a receipt that the asking gateway did not countersign', async () => {
    const { authorise, receipt, settle } = await openNetwork()
    const { holdId } = await authorise()
    const sealed = sealReceipt(provider, receipt(holdId))
    expect(await codeOf(settle(holdId, claimReceipt(sealed)))).toBe('receipt_invalid')
    const bytes = countersign(gateway, sealed)
    expect(await codeOf(settle(holdId, bytes, otherGateway))).toBe('receipt_invalid')
    expect(await codeOf(settle(holdId, countersign(stranger, sealed)))).toBe('receipt_invalid')
  })

  it('refuses a provider that nobody knows', async () => {
    const { authorise, receipt, settle } = await openNetwork()
    const { holdId } = await authorise()
    const foreign = receipt(holdId, { provider: stranger.peerId })
    const bytes = countersign(gateway, sealReceipt(stranger, foreign))
    expect(await codeOf(settle(holdId, bytes))).toBe('receipt_invalid')
  })
})

describe('voidHold and renewHolds over the RPC', () => {
  it('serve the gateway of the hold alone', async () => {
    const { ask, authorise, service } = await openNetwork()
    const { holdId } = await authorise()
    const release = voidRequestCodec.encode({ holdId })
    const renew = renewHoldsRequestCodec.encode({ holdIds: [holdId] })
    expect(await codeOf(ask(otherGateway, 'voidHold', release))).toBe('forbidden')
    const foreign = renewHoldsResponseCodec.decode(await ask(otherGateway, 'renewHolds', renew))
    expect(foreign.openHoldIds).toEqual([])
    const own = renewHoldsResponseCodec.decode(await ask(gateway, 'renewHolds', renew))
    expect(own.openHoldIds).toEqual([holdId])
    await ask(gateway, 'voidHold', release)
    expect(service.openHolds()).toBe(0)
  })
})

describe('claim over the RPC', () => {
  it('keeps a provider’s own receipt until the lease has run out, then pays it', async () => {
    const { authorise, receipt, claim, service, clock } = await openNetwork()
    const { holdId } = await authorise()
    const bytes = claimReceipt(sealReceipt(provider, receipt(holdId)))
    expect(await claim(holdId, bytes)).toEqual({ state: 'recorded' })
    clock.nowMs += 3_600_000
    await service.expireDue()
    expect(await claim(holdId, bytes)).toEqual({ state: 'settled' })
    const report = await service.verify()
    expect(report.problems).toEqual([])
    expect(report.sumCaptured).toBe(17_200n)
  })

  it('refuses what the gateway signed in the provider’s place, and another provider’s receipt', async () => {
    const { authorise, receipt, claim } = await openNetwork()
    const { holdId } = await authorise()
    const attested = countersign(gateway, sealReceipt(gateway, receipt(holdId)))
    expect(await codeOf(claim(holdId, attested))).toBe('receipt_invalid')
    const foreign = receipt(holdId, { provider: stranger.peerId })
    const bytes = claimReceipt(sealReceipt(stranger, foreign))
    expect(await codeOf(claim(holdId, bytes))).toBe('receipt_invalid')
  })
})

describe('a session with the ledger', () => {
  it('begins with the memberships that were revoked while their certificates live', async () => {
    const { service, clock } = await openNetwork()
    const { onSession } = await serving(service, () => clock.nowMs)
    const told = (): number[] => {
      const serials: number[] = []
      onSession({
        remotePeer: gateway.peerId,
        notify: (method: string, payload: Uint8Array) => {
          expect(method).toBe(REVOCATION_NOTICE)
          serials.push(...revocationNoticeCodec.decode(payload).serials)
        },
        onClose: () => () => {},
      } as unknown as Session)
      return serials
    }
    expect(told()).toEqual([])
    const { serial } = await service.revokeMember(provider.peerId)
    expect(told()).toEqual([serial])
    clock.nowMs += 2 * CERTIFICATE_LIFETIME_MS
    expect(told()).toEqual([])
  })

  it('hears of revoked keys as a gateway, of revoked members as a member, of nothing as a stranger', async () => {
    const { service, clock, accountId } = await openNetwork()
    const { onSession } = await serving(service, () => clock.nowMs)
    const heard = (peer: Signer): { keys: number; serials: number } => {
      const count = { keys: 0, serials: 0 }
      onSession({
        remotePeer: peer.peerId,
        isOpen: true,
        notify: (_method: string, payload: Uint8Array) => {
          const { keyHashes, serials } = revocationNoticeCodec.decode(payload)
          count.keys += keyHashes.length
          count.serials += serials.length
        },
        onClose: () => () => {},
      } as unknown as Session)
      return count
    }
    const [byGateway, byProvider, byStranger] = [heard(gateway), heard(provider), heard(stranger)]
    const [key] = service.listKeys(accountId)
    await service.revokeKey(key?.keyId ?? '')
    await service.revokeMember(otherGateway.peerId)
    expect(byGateway).toEqual({ keys: 1, serials: 1 })
    expect(byProvider).toEqual({ keys: 0, serials: 1 })
    expect(byStranger).toEqual({ keys: 0, serials: 0 })
  })

  it('is closed where the peer does not become a member within 30 s', async () => {
    vi.useFakeTimers()
    try {
      const { service, clock } = await openNetwork()
      const { onSession } = await serving(service, () => clock.nowMs)
      const closed: string[] = []
      for (const peer of [gateway, stranger]) {
        onSession({
          remotePeer: peer.peerId,
          isOpen: true,
          notify: () => {},
          onClose: () => () => {},
          close: (reason: LexoraError) => closed.push(`${peer.peerId} ${reason.code}`),
        } as unknown as Session)
      }
      await vi.advanceTimersByTimeAsync(30_000)
      expect(closed).toEqual([`${stranger.peerId} not_a_member`])
    } finally {
      vi.useRealTimers()
    }
  })
})

/** A started server, and what it does with a new session. */
async function serving(service: LedgerService, clockMs: () => number) {
  let onSession: ServeOptions['onSession']
  const host = {
    serveSessions: (_protocol: string, options: ServeOptions) => {
      onSession = options.onSession
      return Promise.resolve()
    },
  } as unknown as MeshHost
  const components = { service, signer: ledger, clock: clockMs, host }
  await createLedgerServer(components, { software: 'test' }).start()
  return { onSession: (session: Session) => onSession?.(session) }
}
