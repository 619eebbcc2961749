import { describe, expect, it } from 'vitest'
import { verifyBooks } from '../../ledger/src/verify.ts'
import { codeOf, delivery, MODEL, openShop, requestId } from './fixture.ts'

const CEILING = 50_000n
const GATEWAYS = ['gateway-one', 'gateway-two', 'gateway-three']

describe('many gateways and one balance', () => {
  it.each([0, 1, 5, 1_000])('accept exactly %d requests of 20,000', async (k) => {
    const promo = CEILING * BigInt(k) * 3n
    const { service, accountId, keyHash, store } = await openShop({
      ...(k === 0 ? {} : { promo: promo / 9n }),
      paid: CEILING * BigInt(k) - (k === 0 ? 0n : promo / 9n) + CEILING - 1n,
    })
    const authorise = (number: number) =>
      service.authorise({
        keyHash,
        requestId: requestId(number),
        gateway: GATEWAYS[number % 3] ?? '',
        model: MODEL,
        promptTokensMax: 10,
        maxTokens: 20,
      })
    const asked = Array.from({ length: 20_000 }, (_, number) => authorise(number))
    const codes = await Promise.all(asked.map(codeOf))
    const refusal = k === 0 ? 'insufficient_credit' : 'credit_reserved'
    expect(codes.filter((code) => code === 'ok')).toHaveLength(k)
    expect(codes.filter((code) => code === refusal)).toHaveLength(20_000 - k)
    expect(service.balance(accountId).availableNanoUsd).toBe(CEILING - 1n)
    expect((await verifyBooks(store)).problems).toEqual([])
  })

  it('settle, void and expire one hold exactly once, whoever is first', async () => {
    const { service, accountId, keyHash, store, clock } = await openShop({ paid: 1_000_000n })
    for (let round = 0; round < 15; round += 1) {
      const gateway = GATEWAYS[0] ?? ''
      const { holdId } = await service.authorise({
        keyHash,
        requestId: requestId(round),
        gateway,
        model: MODEL,
        promptTokensMax: 10,
        maxTokens: 20,
      })
      clock.nowMs += 60_000
      const calls = [
        () => codeOf(service.settle(delivery(holdId, { promptTokens: 10, completionTokens: 5 }))),
        () => codeOf(service.voidHold({ holdId, gateway })),
        () => codeOf(service.expireDue()),
      ]
      const order = [...calls.slice(round % 3), ...calls.slice(0, round % 3)]
      await Promise.all(order.map((call) => call()))
      expect(service.openHolds(), `round ${round}`).toBe(0)
    }
    const report = await verifyBooks(store)
    expect(report.problems).toEqual([])
    expect(report.holds).toEqual({ open: 0, captured: 5, voided: 5, expired: 5 })
    expect(service.balance(accountId).availableNanoUsd).toBe(1_000_000n - 5n * 20_000n)
  })
})
