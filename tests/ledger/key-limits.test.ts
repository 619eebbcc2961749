import { describe, expect, it } from 'vitest'
import { hashSecret } from '../../ledger/src/accounts/secret.ts'
import type { KeyLimits } from '../../ledger/src/core/records.ts'
import { spanEndMs, spanIndex } from '../../ledger/src/core/spending.ts'
import { verifyBooks } from '../../ledger/src/verify.ts'
import { codeOf, delivery, GATEWAY, MODEL, openShop, requestId } from './fixture.ts'

const DAY_MS = 86_400_000
/** 10 prompt and 20 output tokens at the fixture's prices. */
const CEILING = 50_000n

async function openLimited(limits: KeyLimits, paid = 10_000_000n) {
  const shop = await openShop({ paid })
  const { service, accountId } = shop
  const request = { accountId, name: 'limited', mode: 'live' as const, limits }
  const { text, key } = await service.createKey(request)
  let count = 0
  const place = (keyHash = hashSecret(text), gateway = GATEWAY) =>
    service.authorise({
      keyHash,
      requestId: requestId((count += 1)),
      gateway,
      model: MODEL,
      promptTokensMax: 10,
      maxTokens: 20,
    })
  /** Holds and captures all of the ceiling. */
  const spend = async (keyHash?: Uint8Array) => {
    const { holdId } = await place(keyHash)
    await service.settle(delivery(holdId, { promptTokens: 10, completionTokens: 20 }))
  }
  return { ...shop, limited: key, limitedText: text, place, spend }
}

describe('spans', () => {
  it.each([
    ['day', '2026-11-23T23:59:59.999Z', '2026-11-24T00:00:00.000Z'],
    ['week', '2026-11-29T23:59:59.999Z', '2026-11-30T00:00:00.000Z'],
    ['week', '2026-11-23T00:00:00.000Z', '2026-11-30T00:00:00.000Z'],
    ['month', '2026-11-30T23:59:59.999Z', '2026-12-01T00:00:00.000Z'],
    ['month', '2026-12-31T12:00:00.000Z', '2027-01-01T00:00:00.000Z'],
  ] as const)('the %s of %s ends at %s', (span, time, end) => {
    const timeMs = Date.parse(time)
    expect(new Date(spanEndMs(span, timeMs)).toISOString()).toBe(end)
    expect(spanIndex(span, spanEndMs(span, timeMs))).toBe(spanIndex(span, timeMs) + 1)
    expect(spanIndex(span, spanEndMs(span, timeMs) - 1)).toBe(spanIndex(span, timeMs))
  })
})

describe('spend limits', () => {
  it('let 64 spenders at two gateways have exactly what fits', async () => {
    const shop = await openLimited({ dayNanoUsd: CEILING * 7n + 1n })
    const asked = Array.from({ length: 64 }, (_, index) =>
      codeOf(shop.place(undefined, `gateway-${index % 2}`)),
    )
    const codes = await Promise.all(asked)
    expect(codes.filter((code) => code === 'ok')).toHaveLength(7)
    expect(codes.filter((code) => code === 'credit_reserved')).toHaveLength(57)
    expect((await verifyBooks(shop.store)).problems).toEqual([])
  })

  it('are final once the money is spent, and say when they end', async () => {
    const shop = await openLimited({ dayNanoUsd: CEILING * 2n - 10_000n })
    await shop.spend()
    const refused = await shop.place().catch((error: unknown) => error)
    expect(refused).toMatchObject({
      code: 'key_limit_reached',
      facts: {
        limit: 'day',
        costNanoUsd: '50000',
        balanceNanoUsd: '40000',
        maxTokensThatFit: 15,
        resetsAtMs: spanEndMs('day', shop.clock.nowMs),
      },
    })
    expect(await codeOf(shop.place(shop.keyHash))).toBe('ok')
  })

  it.each([
    ['dayNanoUsd', 'day'],
    ['weekNanoUsd', 'week'],
    ['monthNanoUsd', 'month'],
  ] as const)('%s opens again when the %s is over', async (name, span) => {
    const shop = await openLimited({ [name]: CEILING })
    await shop.spend()
    const endMs = spanEndMs(span, shop.clock.nowMs)
    shop.clock.nowMs = endMs - 1
    expect(await codeOf(shop.place())).toBe('key_limit_reached')
    shop.clock.nowMs = endMs
    expect(await codeOf(shop.place())).toBe('ok')
  })

  it('do not open again because a clock went back', async () => {
    const shop = await openLimited({ dayNanoUsd: CEILING })
    const todayMs = shop.clock.nowMs
    shop.clock.nowMs += DAY_MS
    await shop.spend()
    shop.clock.nowMs = todayMs
    expect(await codeOf(shop.place())).toBe('key_limit_reached')
    shop.clock.nowMs = todayMs + DAY_MS
    expect(await codeOf(shop.place())).toBe('key_limit_reached')
    shop.clock.nowMs = todayMs + 2 * DAY_MS
    expect(await codeOf(shop.place())).toBe('ok')
  })

  it('give back what was held and not taken', async () => {
    const shop = await openLimited({ monthNanoUsd: CEILING })
    const { holdId } = await shop.place()
    expect(await codeOf(shop.place())).toBe('credit_reserved')
    await shop.service.voidHold({ holdId, gateway: GATEWAY })
    expect(await codeOf(shop.place())).toBe('ok')
  })

  it('go on when the key is rotated, with and without a grace', async () => {
    const shop = await openLimited({ dayNanoUsd: CEILING * 2n })
    await shop.spend()
    const { keyId } = shop.limited
    const first = await shop.service.rotateKey({ keyId, graceMs: 1_000 })
    expect(await codeOf(shop.place())).toBe('ok')
    const second = await shop.service.rotateKey({ keyId: first.key.keyId, graceMs: 0 })
    expect(await codeOf(shop.place(hashSecret(second.text)))).toBe('credit_reserved')
    expect(await codeOf(shop.place(hashSecret(first.text)))).toBe('api_key_revoked')
    shop.clock.nowMs += 1_000
    expect(await codeOf(shop.place())).toBe('api_key_expired')
    expect(second.key).toMatchObject({ name: 'limited', limits: { dayNanoUsd: CEILING * 2n } })
  })
})

describe('keys', () => {
  it('serve the models that they are for, until they expire', async () => {
    const shop = await openLimited({ models: ['another'] })
    const { service, clock, limited } = shop
    expect(await codeOf(shop.place())).toBe('model_not_allowed')
    const { keyId } = limited
    await service.changeKey({ keyId, limits: null, expiresAtMs: clock.nowMs + 10 })
    expect(await codeOf(shop.place())).toBe('ok')
    clock.nowMs += 10
    expect(await codeOf(shop.place())).toBe('api_key_expired')
    await service.changeKey({ keyId, expiresAtMs: null, name: 'renamed' })
    expect(await codeOf(shop.place())).toBe('ok')
    const [, listed] = service.listKeys(shop.accountId)
    expect(listed).toMatchObject({ keyId, name: 'renamed', lastUsedAtMs: clock.nowMs })
    expect(listed).not.toHaveProperty('limits')
    expect(listed).not.toHaveProperty('expiresAtMs')
  })

  it.each([
    ['a limit below zero', { limits: { dayNanoUsd: -1n } }],
    ['no requests at all', { limits: { requestsPerMinute: 0 } }],
    ['half a token', { limits: { tokensPerMinute: 1.5 } }],
    ['too many models', { limits: { models: Array.from({ length: 513 }, String) } }],
    ['an end in the past', { expiresAtMs: 1 }],
  ])('are refused with %s', async (_name, bad) => {
    const { service, accountId } = await openShop()
    const asked = service.createKey({ accountId, name: 'bad', mode: 'live', ...bad })
    expect(await codeOf(asked)).toBe('invalid_request')
  })
})

describe('a suspended account', () => {
  it('has its keys and members told to everybody, and its members get new certificates', async () => {
    const { service, accountId, earnerId, keyHash, clock } = await openShop()
    const heard: { keyHashes: number; serials: number[] }[] = []
    service.onRevocation(({ keyHashes, serials }) => {
      heard.push({ keyHashes: keyHashes.length, serials })
    })
    await service.suspendAccount(accountId, 'looked odd', clock.nowMs + 1_000)
    await service.suspendAccount(earnerId, 'looked odd')
    expect(heard).toEqual([
      { keyHashes: 1, serials: [] },
      { keyHashes: 0, serials: [1] },
    ])
    expect(() => service.keyInfo(keyHash)).toThrow('suspended')
    clock.nowMs += 1_000
    expect(service.keyInfo(keyHash).accountRef).toBe(accountId)
    await service.resumeAccount(earnerId)
    expect(service.member('provider-one').serial).toBe(2)
  })

  it('stays closed once it is closed', async () => {
    const { service, accountId } = await openShop()
    expect(await service.closeAccount(accountId, 'asked for it')).toMatchObject({ state: 'closed' })
    expect(await codeOf(service.resumeAccount(accountId))).toBe('conflict')
    const asked = service.createKey({ accountId, name: 'again', mode: 'live' })
    expect(await codeOf(asked)).toBe('account_suspended')
  })
})
