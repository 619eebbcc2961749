import { describe, expect, it } from 'vitest'
import { verifyBooks } from '../../ledger/src/verify.ts'
import {
  codeOf,
  delivery,
  enrolProvider,
  type FixtureOptions,
  GATEWAY,
  MODEL,
  openLedger,
  openShop,
  PRICES,
  PROVIDER,
  requestId,
} from './fixture.ts'

/** 10 prompt tokens and at most 20 output tokens: 10 x 1,000 + 20 x 2,000 = 50,000 nano-USD. */
const CEILING = 50_000n

async function openTill(credit: { promo?: bigint; paid?: bigint }, options: FixtureOptions = {}) {
  const shop = await openShop(credit, options)
  const { service, keyHash, accountId } = shop
  const authorise = (number: number, change: object = {}) =>
    service.authorise({
      keyHash,
      requestId: requestId(number),
      gateway: GATEWAY,
      model: MODEL,
      promptTokensMax: 10,
      maxTokens: 20,
      ...change,
    })
  const balance = () => {
    const { promoNanoUsd, paidNanoUsd, heldNanoUsd, availableNanoUsd } = service.balance(accountId)
    return [promoNanoUsd, paidNanoUsd, heldNanoUsd, availableNanoUsd]
  }
  const problems = async () => (await verifyBooks(shop.store)).problems
  return { ...shop, authorise, balance, problems }
}

/** Rejections with what the caller is told. */
async function errorOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  )
}

describe('authorise()', () => {
  it('holds the worst case and says by which prices', async () => {
    const { authorise, balance, accountId, key, clock } = await openTill({ paid: 60_000n })
    const held = await authorise(1)
    expect(held).toMatchObject({
      accountId,
      keyId: key.keyId,
      priceVersion: 1,
      price: PRICES.models[0],
      feeBasisPoints: 2_500,
      ceiling: CEILING,
      leaseUntilMs: clock.nowMs + 60_000,
    })
    expect(held.holdId).toMatch(/^[0-9a-f]{32}$/)
    expect(balance()).toEqual([0n, 60_000n, CEILING, 10_000n])
  })

  it('takes promotional credit first', async () => {
    const { authorise, service, balance } = await openTill({ promo: 30_000n, paid: 60_000n })
    const { holdId } = await authorise(1)
    expect(balance()).toEqual([30_000n, 60_000n, CEILING, 40_000n])
    await service.settle(delivery(holdId, { promptTokens: 10, completionTokens: 12 }))
    expect(balance()).toEqual([0n, 56_000n, 0n, 56_000n])
  })

  it('gives the same request the same hold', async () => {
    const { authorise, balance } = await openTill({ paid: 120_000n })
    const [first, second] = await Promise.all([authorise(1), authorise(1)])
    const third = await authorise(1)
    expect([second, third]).toEqual([first, first])
    expect(balance()).toEqual([0n, 120_000n, CEILING, 70_000n])
  })

  it('gives two gateways a hold each for the same request id', async () => {
    const { authorise } = await openTill({ paid: 120_000n })
    const first = await authorise(1)
    const second = await authorise(1, { gateway: 'gateway-two' })
    expect(second.holdId).not.toBe(first.holdId)
  })

  it.each([{ maxTokens: 21 }, { promptTokensMax: 9 }, { model: 'free' }])(
    'refuses the same request id with %j',
    async (change) => {
      const { authorise } = await openTill({ paid: 120_000n })
      await authorise(1)
      expect(await codeOf(authorise(1, change))).toBe('conflict')
    },
  )

  it('tells an empty account for good from a busy one', async () => {
    const { authorise } = await openTill({ paid: 60_000n })
    expect(await errorOf(authorise(1, { maxTokens: 26 }))).toMatchObject({
      code: 'insufficient_credit',
      facts: { costNanoUsd: '62000', balanceNanoUsd: '60000', maxTokensThatFit: 25 },
    })
    await authorise(2)
    expect(await errorOf(authorise(3))).toMatchObject({
      code: 'credit_reserved',
      facts: { costNanoUsd: '50000', balanceNanoUsd: '60000', reservedNanoUsd: '50000' },
    })
    expect(await errorOf(authorise(4, { promptTokensMax: 61 }))).toMatchObject({
      code: 'insufficient_credit',
      facts: { maxTokensThatFit: 0 },
    })
  })

  it('fits exactly what it says that fits', async () => {
    const { authorise } = await openTill({ paid: 60_001n })
    const error = await errorOf(authorise(1, { maxTokens: 26 }))
    const { maxTokensThatFit } = (error as { facts: { maxTokensThatFit: number } }).facts
    expect(await codeOf(authorise(2, { maxTokens: maxTokensThatFit + 1 }))).toBe(
      'insufficient_credit',
    )
    expect(await codeOf(authorise(3, { maxTokens: maxTokensThatFit }))).toBe('ok')
  })

  it('refuses by who asks and for what', async () => {
    const { authorise, service, accountId, key } = await openTill({ paid: 120_000n })
    expect(await codeOf(authorise(1, { keyHash: new Uint8Array(32) }))).toBe('invalid_api_key')
    expect(await codeOf(authorise(1, { model: 'gpt-9' }))).toBe('model_not_found')
    await service.suspendAccount(accountId, 'abuse')
    expect(await codeOf(authorise(1))).toBe('account_suspended')
    await service.resumeAccount(accountId)
    await authorise(1)
    await service.revokeKey(key.keyId)
    expect(await codeOf(authorise(1))).toBe('api_key_revoked')
    expect(await codeOf(authorise(2))).toBe('api_key_revoked')
  })

  it.each([
    { keyHash: new Uint8Array(31) },
    { requestId: new Uint8Array(15) },
    { maxTokens: 0 },
    { maxTokens: 1.5 },
    { maxTokens: Number.NaN },
    { promptTokensMax: -1 },
    { promptTokensMax: Number.POSITIVE_INFINITY },
    { model: '' },
  ])('refuses %j and goes on', async (change) => {
    const { authorise } = await openTill({ paid: 60_000n })
    expect(await codeOf(authorise(1, change))).toBe('invalid_request')
    expect(await codeOf(authorise(2))).toBe('ok')
  })

  it('makes no new promises on a full disk, but keeps the old ones', async () => {
    let free = 1024 ** 4
    const till = await openTill({ paid: 120_000n }, { freeDiskBytes: () => free })
    const { authorise, service, clock, accountId } = till
    const { holdId } = await authorise(1)
    free = 1024 ** 3 - 1
    clock.nowMs += 1_000
    expect(await codeOf(authorise(2))).toBe('storage_full')
    const grant = { accountId, amount: 5n, id: 'more' }
    expect(await codeOf(service.grant(grant))).toBe('storage_full')
    expect(await codeOf(service.deposit(grant))).toBe('ok')
    expect(await codeOf(authorise(1))).toBe('ok')
    const settled = service.settle(delivery(holdId, { promptTokens: 10, completionTokens: 1 }))
    expect(await codeOf(settled)).toBe('ok')
    free = 1024 ** 3
    clock.nowMs += 1_000
    expect(await codeOf(authorise(2))).toBe('ok')
  })

  it('makes no new promises where the disk cannot be read', async () => {
    const freeDiskBytes = (): number => {
      throw new Error('EIO')
    }
    const { authorise } = await openTill({ paid: 120_000n }, { freeDiskBytes })
    expect(await codeOf(authorise(1))).toBe('storage_full')
  })

  it('keeps a hold at its price when prices change', async () => {
    const { authorise, service } = await openTill({ paid: 400_000n })
    const { holdId } = await authorise(1)
    const [tiny] = PRICES.models
    const dear = { ...PRICES, version: 2, models: [{ ...tiny, outputNanoUsd: 9_000_000_000n }] }
    await service.setPrices(dear as typeof PRICES)
    const usage = { promptTokens: 10, completionTokens: 20 }
    const settled = await service.settle(delivery(holdId, usage))
    expect(settled.capturedNanoUsd).toBe(CEILING)
    expect((await authorise(1, { requestId: requestId(2) })).priceVersion).toBe(2)
  })

  it('serves free models to empty accounts', async () => {
    const { authorise, service, problems, keyHash } = await openTill({})
    const { holdId, ceiling } = await authorise(1, { model: 'free' })
    expect(ceiling).toBe(0n)
    const usage = { promptTokens: 3, completionTokens: 4 }
    const none = { capturedNanoUsd: 0n, feeNanoUsd: 0n, providerNanoUsd: 0n }
    expect(await service.settle(delivery(holdId, usage))).toEqual({
      ...none,
      alreadySettled: false,
    })
    expect(await service.settle(delivery(holdId, usage))).toEqual({ ...none, alreadySettled: true })
    expect(service.keyInfo(keyHash)).toMatchObject({ requests: 1, completionTokens: 4 })
    expect(await problems()).toEqual([])
  })
})

describe('settle()', () => {
  /** What is delivered, and what customer, provider and network then have of 100,000 nano-USD. */
  it.each([
    { prompt: 10, cached: 0, output: 20, left: 50_000n, earned: 37_500n, fee: 12_500n },
    { prompt: 10, cached: 10, output: 20, left: 59_000n, earned: 30_750n, fee: 10_250n },
    { prompt: 10, cached: 0, output: 0, left: 90_000n, earned: 7_500n, fee: 2_500n },
    { prompt: 1, cached: 1, output: 0, left: 99_900n, earned: 75n, fee: 25n },
    { prompt: 0, cached: 0, output: 0, left: 100_000n, earned: 0n, fee: 0n },
  ])('charges $prompt/$cached/$output tokens', async ({ prompt, cached, output, ...want }) => {
    const { authorise, service, balance, problems, earnerId } = await openTill({ paid: 100_000n })
    const { holdId } = await authorise(1)
    const usage = { promptTokens: prompt, cachedTokens: cached, completionTokens: output }
    const settled = await service.settle(delivery(holdId, usage))
    expect(settled).toEqual({
      capturedNanoUsd: 100_000n - want.left,
      feeNanoUsd: want.fee,
      providerNanoUsd: want.earned,
      alreadySettled: false,
    })
    expect(balance()).toEqual([0n, want.left, 0n, want.left])
    expect(service.providerEarnings(earnerId).maturingNanoUsd).toBe(want.earned)
    expect(await problems()).toEqual([])
  })

  it('answers the same again, and refuses another with what stands', async () => {
    const { authorise, service, balance } = await openTill({ paid: 100_000n })
    const { holdId } = await authorise(1)
    const first = delivery(holdId, { promptTokens: 10, completionTokens: 5 })
    const settled = await service.settle(first)
    expect(await service.settle(first)).toEqual({ ...settled, alreadySettled: true })
    const changes = [
      { usage: { ...first.usage, completionTokens: 6 } },
      { usage: { ...first.usage, cachedTokens: 1 } },
      { finishReason: 'length' as const },
    ]
    for (const change of changes) {
      expect(await errorOf(service.settle({ ...first, ...change }))).toMatchObject({
        code: 'hold_closed',
        facts: { state: 'captured', capturedNanoUsd: '20000', source: 'gateway' },
      })
    }
    expect(balance()).toEqual([0n, 80_000n, 0n, 80_000n])
  })

  it('settles once when the same call races itself', async () => {
    const { authorise, service, balance } = await openTill({ paid: 100_000n })
    const { holdId } = await authorise(1)
    const call = delivery(holdId, { promptTokens: 10, completionTokens: 5 })
    const all = await Promise.all(Array.from({ length: 50 }, () => service.settle(call)))
    expect(all.filter((each) => !each.alreadySettled)).toHaveLength(1)
    expect(balance()).toEqual([0n, 80_000n, 0n, 80_000n])
  })

  it.each([
    [
      'more prompt tokens than held',
      { usage: { promptTokens: 11, cachedTokens: 0, completionTokens: 1 } },
    ],
    [
      'more output than held',
      { usage: { promptTokens: 1, cachedTokens: 0, completionTokens: 21 } },
    ],
    [
      'more cached than prompt',
      { usage: { promptTokens: 1, cachedTokens: 2, completionTokens: 1 } },
    ],
    ['half a token', { usage: { promptTokens: 1.5, cachedTokens: 0, completionTokens: 1 } }],
    ['less than nothing', { usage: { promptTokens: 1, cachedTokens: 0, completionTokens: -1 } }],
    ['no number', { usage: { promptTokens: 1, cachedTokens: 0, completionTokens: Number.NaN } }],
    ['a provider that nobody knows', { provider: 'stranger' }],
    ['a receipt beyond its size', { receipt: new Uint8Array(64 * 1024) }],
  ])('refuses %s as receipt_invalid', async (_, change) => {
    const { authorise, service, balance } = await openTill({ paid: 100_000n })
    const { holdId } = await authorise(1)
    const call = delivery(holdId, { promptTokens: 10, completionTokens: 5 })
    expect(await codeOf(service.settle({ ...call, ...change }))).toBe('receipt_invalid')
    expect(balance()).toEqual([0n, 100_000n, CEILING, 50_000n])
    expect(await codeOf(service.settle(call))).toBe('ok')
  })

  it('refuses a member that is no provider', async () => {
    const { authorise, service } = await openTill({ paid: 100_000n })
    const { accountId } = await service.createAccount({ kind: 'operator', label: 'ops' })
    const { token } = await service.createEnrolment({
      role: 'gateway',
      accountId,
      expiresAtMs: 4e12,
    })
    await service.enrol({ token, peerId: GATEWAY })
    const { holdId } = await authorise(1)
    const call = delivery(holdId, { promptTokens: 10, completionTokens: 5 })
    expect(await codeOf(service.settle({ ...call, provider: GATEWAY }))).toBe('receipt_invalid')
  })

  it('is for the gateway of the hold alone', async () => {
    const { authorise, service } = await openTill({ paid: 100_000n })
    const { holdId } = await authorise(1)
    const call = delivery(holdId, { promptTokens: 10, completionTokens: 5 })
    expect(await codeOf(service.settle({ ...call, gateway: 'other' }))).toBe('forbidden')
    expect(await codeOf(service.voidHold({ holdId, gateway: 'other' }))).toBe('forbidden')
    expect(await codeOf(service.settle({ ...call, holdId: 'none' }))).toBe('hold_not_found')
  })

  it('pays a provider that was revoked after its work', async () => {
    const { authorise, service, earnerId } = await openTill({ paid: 100_000n })
    const { holdId } = await authorise(1)
    await service.revokeMember(PROVIDER)
    await service.settle(delivery(holdId, { promptTokens: 10, completionTokens: 5 }))
    expect(service.providerEarnings(earnerId).maturingNanoUsd).toBe(15_000n)
  })

  it('counts what a key has used', async () => {
    const { authorise, service, keyHash } = await openTill({ promo: 1_000n, paid: 200_000n })
    for (const number of [1, 2]) {
      const { holdId } = await authorise(number)
      await service.settle(delivery(holdId, { promptTokens: 10, completionTokens: 5 }))
    }
    await authorise(3)
    expect(service.keyInfo(keyHash)).toMatchObject({
      label: 'first',
      promoNanoUsd: 0n,
      paidNanoUsd: 161_000n,
      heldNanoUsd: CEILING,
      availableNanoUsd: 111_000n,
      requests: 2,
      promptTokens: 20,
      completionTokens: 10,
      spentNanoUsd: 40_000n,
    })
  })
})

describe('voidHold()', () => {
  it('frees the money, again without harm', async () => {
    const { authorise, service, balance, problems } = await openTill({
      promo: 20_000n,
      paid: 60_000n,
    })
    const { holdId } = await authorise(1)
    await service.voidHold({ holdId, gateway: GATEWAY })
    await service.voidHold({ holdId, gateway: GATEWAY })
    expect(balance()).toEqual([20_000n, 60_000n, 0n, 80_000n])
    const late = service.settle(delivery(holdId, { promptTokens: 1, completionTokens: 1 }))
    expect(await errorOf(late)).toMatchObject({ code: 'hold_closed', facts: { state: 'voided' } })
    expect(await codeOf(authorise(1))).toBe('hold_closed')
    expect(await problems()).toEqual([])
  })

  it('does not undo a capture', async () => {
    const { authorise, service, balance } = await openTill({ paid: 100_000n })
    const { holdId } = await authorise(1)
    await service.settle(delivery(holdId, { promptTokens: 10, completionTokens: 5 }))
    expect(await codeOf(service.voidHold({ holdId, gateway: GATEWAY }))).toBe('hold_closed')
    expect(balance()).toEqual([0n, 80_000n, 0n, 80_000n])
  })
})

describe('leases', () => {
  it('run out and free the money', async () => {
    const { authorise, service, clock, balance, problems } = await openTill({ paid: 60_000n })
    const { holdId } = await authorise(1)
    clock.nowMs += 59_999
    expect(await service.expireDue()).toEqual({ claimed: 0, expired: 0 })
    clock.nowMs += 1
    expect(await service.expireDue()).toEqual({ claimed: 0, expired: 1 })
    expect(await service.expireDue()).toEqual({ claimed: 0, expired: 0 })
    expect(balance()).toEqual([0n, 60_000n, 0n, 60_000n])
    const late = service.settle(delivery(holdId, { promptTokens: 1, completionTokens: 1 }))
    expect(await errorOf(late)).toMatchObject({ code: 'hold_closed', facts: { state: 'expired' } })
    expect(await problems()).toEqual([])
  })

  it('are renewed by the gateway of the hold, while it is open', async () => {
    const { authorise, service, clock } = await openTill({ paid: 200_000n })
    const [a, b, c] = [await authorise(1), await authorise(2), await authorise(3)]
    await service.voidHold({ holdId: c.holdId, gateway: GATEWAY })
    clock.nowMs += 50_000
    const holdIds = [a.holdId, c.holdId, 'none']
    expect(service.renewHolds({ gateway: 'other', holdIds }).openHoldIds).toEqual([])
    expect(service.renewHolds({ gateway: GATEWAY, holdIds })).toEqual({
      openHoldIds: [a.holdId],
      leaseUntilMs: clock.nowMs + 60_000,
    })
    clock.nowMs += 10_000
    expect(await service.expireDue()).toEqual({ claimed: 0, expired: 1 })
    expect(service.renewHolds({ gateway: GATEWAY, holdIds: [a.holdId, b.holdId] })).toMatchObject({
      openHoldIds: [a.holdId],
    })
    expect(service.openHolds()).toBe(1)
  })

  it('cannot be renewed once their end has begun', async () => {
    const { authorise, service, clock } = await openTill({ paid: 60_000n })
    const { holdId } = await authorise(1)
    clock.nowMs += 60_000
    const expiring = service.expireDue()
    expect(service.renewHolds({ gateway: GATEWAY, holdIds: [holdId] }).openHoldIds).toEqual([])
    expect(await expiring).toEqual({ claimed: 0, expired: 1 })
  })

  it('begin anew when the ledger restarts', async () => {
    const { authorise, store } = await openTill({ paid: 60_000n })
    await authorise(1)
    const { service, clock } = await openLedger({ store })
    clock.nowMs += 59_999
    expect(await service.expireDue()).toEqual({ claimed: 0, expired: 0 })
    clock.nowMs += 1
    expect(await service.expireDue()).toEqual({ claimed: 0, expired: 1 })
  })
})

describe('claim()', () => {
  async function claimed() {
    const till = await openTill({ paid: 100_000n })
    const { holdId } = await till.authorise(1)
    const usage = { promptTokens: 10, completionTokens: 5 }
    const { gateway: _, signedByProvider: __, ...claim } = delivery(holdId, usage)
    return { ...till, holdId, claim }
  }

  it('waits for the gateway and counts when the lease runs out', async () => {
    const { service, claim, clock, balance, earnerId, problems, holdId } = await claimed()
    expect(await service.claim(claim)).toBe('recorded')
    expect(await service.claim(claim)).toBe('recorded')
    expect(balance()).toEqual([0n, 100_000n, CEILING, 50_000n])
    clock.nowMs += 60_000
    expect(await service.expireDue()).toEqual({ claimed: 1, expired: 0 })
    expect(balance()).toEqual([0n, 80_000n, 0n, 80_000n])
    expect(service.providerEarnings(earnerId).maturingNanoUsd).toBe(15_000n)
    expect(await service.claim(claim)).toBe('settled')
    const same = { ...claim, gateway: GATEWAY, signedByProvider: true }
    expect(await service.settle(same)).toMatchObject({ alreadySettled: true })
    const other = delivery(holdId, { promptTokens: 10, completionTokens: 6 })
    expect(await errorOf(service.settle(other))).toMatchObject({
      code: 'hold_closed',
      facts: { source: 'claim', capturedNanoUsd: '20000' },
    })
    expect(await problems()).toEqual([])
  })

  it('survives a restart of the ledger', async () => {
    const { service, claim, store, accountId } = await claimed()
    await service.claim(claim)
    const again = await openLedger({ store })
    again.clock.nowMs += 60_000
    expect(await again.service.expireDue()).toEqual({ claimed: 1, expired: 0 })
    expect(again.service.balance(accountId).paidNanoUsd).toBe(80_000n)
  })

  it('gives way to the gateway within the lease', async () => {
    const { service, claim, clock, holdId, balance, problems } = await claimed()
    await service.claim(claim)
    await service.settle(delivery(holdId, { promptTokens: 10, completionTokens: 4 }))
    expect(await service.claim(claim)).toBe('settled')
    clock.nowMs += 60_000
    expect(await service.expireDue()).toEqual({ claimed: 0, expired: 0 })
    expect(balance()).toEqual([0n, 82_000n, 0n, 82_000n])
    expect(await problems()).toEqual([])
  })

  it('comes too late after expiry and after a void', async () => {
    const { service, claim, clock, authorise } = await claimed()
    clock.nowMs += 60_000
    await service.expireDue()
    expect(await service.claim(claim)).toBe('expired')
    const { holdId } = await authorise(2)
    await service.voidHold({ holdId, gateway: GATEWAY })
    expect(await service.claim({ ...claim, holdId })).toBe('voided')
  })

  it('is refused where it is not what was held, unknown or another one', async () => {
    const { service, claim } = await claimed()
    await enrolProvider(service, 'provider-two')
    const big = { ...claim, usage: { ...claim.usage, completionTokens: 21 } }
    expect(await codeOf(service.claim(big))).toBe('receipt_invalid')
    expect(await codeOf(service.claim({ ...claim, provider: 'x' }))).toBe('receipt_invalid')
    expect(await codeOf(service.claim({ ...claim, holdId: 'x' }))).toBe('hold_not_found')
    await service.claim(claim)
    expect(await codeOf(service.claim({ ...claim, provider: 'provider-two' }))).toBe('conflict')
  })
})

describe('closed holds', () => {
  it('are forgotten when there are too many, and the books still balance', async () => {
    const till = await openTill({ paid: 1_000_000n }, { closedHoldsMax: 2 })
    const { authorise, service, store, balance, problems } = till
    const ids: string[] = []
    for (const number of [1, 2, 3, 4]) {
      const { holdId } = await authorise(number)
      await service.settle(delivery(holdId, { promptTokens: 10, completionTokens: 5 }))
      ids.push(holdId)
    }
    const again = (holdId = '') =>
      codeOf(service.settle(delivery(holdId, { promptTokens: 10, completionTokens: 5 })))
    expect(await Promise.all(ids.map(again))).toEqual([
      'hold_not_found',
      'hold_not_found',
      'ok',
      'ok',
    ])
    expect(balance()).toEqual([0n, 920_000n, 0n, 920_000n])
    expect(await problems()).toEqual([])
    const reopened = await openLedger({ store, closedHoldsMax: 1 })
    expect(reopened.service.listAccounts()).toEqual(service.listAccounts())
  })
})
