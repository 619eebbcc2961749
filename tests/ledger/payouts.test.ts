import { describe, expect, it } from 'vitest'
import { payoutCsv } from '../../ledger/src/payments/payout-csv.ts'
import { codeOf, delivery, GATEWAY, MODEL, openShop, requestId } from './fixture.ts'

const DAY_MS = 86_400_000

/** A shop whose provider has earned 30,000,000 nano-USD: 10,000 output tokens, a quarter of the 40,000,000... kept. */
async function earn() {
  const shop = await openShop({ paid: 10n ** 12n })
  const { service, keyHash } = shop
  const authorise = {
    keyHash,
    requestId: requestId(1),
    gateway: GATEWAY,
    model: MODEL,
    promptTokensMax: 10,
    maxTokens: 20_000,
  }
  const { holdId } = await service.authorise(authorise)
  const { providerNanoUsd } = await service.settle(
    delivery(holdId, { promptTokens: 0, completionTokens: 20_000 }),
  )
  return { ...shop, earned: providerNanoUsd }
}

describe('earnings', () => {
  it('are payable after the hold-back, paid after two approvals, and always add up', async () => {
    const { service, clock, earnerId, earned } = await earn()
    const sums = (): bigint => {
      const all = service.earnings(earnerId)
      expect(all.earnedNanoUsd).toBe(earned)
      return (
        all.maturingNanoUsd +
        all.payableNanoUsd +
        all.inPayoutNanoUsd +
        all.paidNanoUsd +
        all.reversedNanoUsd
      )
    }
    clock.nowMs += 6 * DAY_MS
    expect(await service.matureDue()).toBe(0)
    clock.nowMs += 2 * DAY_MS
    expect(await service.matureDue()).toBe(1)
    expect(await service.matureDue()).toBe(0)
    expect(service.earnings(earnerId).payableNanoUsd).toBe(earned)
    const high = { thresholdNanoUsd: earned + 1n, actor: 'ada' }
    expect(await codeOf(service.preparePayouts(high))).toBe('not_found')
    const batch = await service.preparePayouts({ thresholdNanoUsd: earned, actor: 'ada' })
    const { batchId } = batch
    const payoutId = batch.payouts[0]?.payoutId ?? ''
    const paid = { payoutId, state: 'paid' as const, note: 'wire 7' }
    expect(await codeOf(service.markPayout(paid))).toBe('conflict')
    await service.approvePayouts({ batchId, actor: 'ada' })
    await service.approvePayouts({ batchId, actor: 'ada' })
    expect(await codeOf(service.markPayout(paid))).toBe('conflict')
    const approved = await service.approvePayouts({ batchId, actor: 'bob' })
    expect(approved.payouts[0]?.state).toBe('approved')
    expect(sums()).toBe(earned)
    await service.markPayout(paid)
    await service.markPayout(paid)
    expect(service.earnings(earnerId).paidNanoUsd).toBe(earned)
    expect(sums()).toBe(earned)
    expect((await service.verify()).problems).toEqual([])
    await service.markPayout({ payoutId, state: 'reversed', note: 'account closed' })
    expect(service.earnings(earnerId).payableNanoUsd).toBe(earned)
    expect(sums()).toBe(earned)
    expect((await service.verify()).problems).toEqual([])
    expect(service.exportPayouts(batchId)).toContain(`${payoutId},${earnerId},`)
  })

  it('can be taken back while they mature and not after', async () => {
    const { service, clock, earnerId, earned } = await earn()
    const reversal = { accountId: earnerId, amount: earned / 2n, id: 'fraud' }
    expect(await service.reverseEarnings(reversal)).toEqual({ repeated: false })
    expect(await service.reverseEarnings(reversal)).toEqual({ repeated: true })
    expect(await codeOf(service.reverseEarnings({ ...reversal, amount: 1n }))).toBe('conflict')
    clock.nowMs += 9 * DAY_MS
    await service.matureDue()
    expect(service.earnings(earnerId).payableNanoUsd).toBe(earned - earned / 2n)
    expect(await codeOf(service.reverseEarnings({ ...reversal, id: 'late' }))).toBe(
      'insufficient_credit',
    )
    expect((await service.verify()).problems).toEqual([])
  })
})

describe('payoutCsv()', () => {
  it('quotes what it must and disarms formulas', () => {
    const payout = { payoutId: 'p', batchId: 'b', accountId: 'a', amount: 1_500_000_000n }
    const csv = payoutCsv([{ ...payout, state: 'failed', note: '=1+1,"x"' }])
    expect(csv).toBe('payout,account,usd,state,note\r\np,a,1.50,failed,"\'=1+1,""x"""\r\n')
  })
})
