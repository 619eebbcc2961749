import { describe, expect, it } from 'vitest'
import { hashSecret } from '../../ledger/src/accounts/secret.ts'
import type { FreeTierPolicy } from '../../ledger/src/core/allowance.ts'
import {
  createBooks,
  enterTransfers,
  type Transfer,
  totalsOf,
} from '../../ledger/src/core/books.ts'
import { freeAccount, PROMO_COST_ACCOUNT } from '../../ledger/src/core/chart.ts'
import { verifyAccount } from '../../ledger/src/core/rules/accounts.ts'
import { signUp } from '../../ledger/src/core/rules/sign-up.ts'
import { createState, replay } from '../../ledger/src/core/state.ts'
import { createLedgerService } from '../../ledger/src/service.ts'
import { entriesOf } from '../../ledger/src/store/chunk.ts'
import { createMemoryStore } from '../../ledger/src/store/memory-store.ts'
import { createWriter } from '../../ledger/src/store/writer.ts'
import { verifyBooks } from '../../ledger/src/verify.ts'
import {
  codeOf,
  countingRandom,
  delivery,
  enrolProvider,
  GATEWAY,
  MODEL,
  openLedger,
  PRICES,
  PROVIDER,
  requestId,
  SILENT,
} from './fixture.ts'

const DAY_MS = 86_400_000
/** 10 prompt and 20 output tokens at the fixture's prices. */
const CEILING = 50_000n
const POLICY: FreeTierPolicy = {
  dailyNanoUsd: CEILING * 2n,
  globalDailyNanoUsd: CEILING * 5n,
  models: [MODEL],
  accountsPerSignalMax: 1,
}

/** A ledger whose accounts were signed up with these signals, verified in order, each with a key. */
async function openClub(signals: string[][], policy: FreeTierPolicy = POLICY) {
  const store = createMemoryStore()
  const { clock } = await openLedger({ store })
  const state = createState()
  for await (const chunk of store.readFrom(0)) {
    for (const entry of entriesOf(chunk)) replay(state, entry)
  }
  const writer = createWriter({ store, state, clock: () => clock.nowMs })
  for (const [index, own] of signals.entries()) {
    const accountId = `acc_${index}`
    await writer.submit(signUp, {
      accountId,
      kind: 'developer',
      label: 'developer',
      acceptsAdult: true,
      acceptsTerms: 0,
      signals: own,
    })
    if (!own.includes('unverified')) await writer.submit(verifyAccount, { accountId })
  }
  await writer.stop()
  const service = await createLedgerService({
    store,
    clock: () => clock.nowMs,
    random: countingRandom(),
    freeDiskBytes: () => 1024 ** 4,
    log: SILENT,
  })
  await service.setPrices(PRICES)
  await enrolProvider(service, PROVIDER)
  await service.setFreeTier(policy)
  const keys: Uint8Array[] = []
  for (const index of signals.keys()) {
    const key = await service.createKey({ accountId: `acc_${index}`, name: 'k', mode: 'live' })
    keys.push(hashSecret(key.text))
  }
  let count = 0
  const place = (who = 0, gateway = GATEWAY, model = MODEL) =>
    service.authorise({
      keyHash: keys[who] ?? new Uint8Array(32),
      requestId: requestId((count += 1)),
      gateway,
      model,
      promptTokensMax: 10,
      maxTokens: 20,
    })
  const spend = async (who = 0) => {
    const { holdId } = await place(who)
    await service.settle(delivery(holdId, { promptTokens: 10, completionTokens: 20 }))
  }
  /** Books and sums from nothing. */
  const books = async () => {
    const fresh = createState()
    for await (const chunk of store.readFrom(0)) {
      for (const entry of entriesOf(chunk)) replay(fresh, entry)
    }
    const { problems } = await verifyBooks(store)
    return { problems, books: fresh.books }
  }
  return { service, clock, store, place, spend, books }
}

const whyOf = async (promise: Promise<unknown>) => {
  const error = await promise.catch((reason: unknown) => reason)
  return (error as { facts?: Record<string, unknown> }).facts?.['freeTier'] ?? 'ok'
}

describe('the daily allowance', () => {
  it('comes with the first hold of a day and does not grow', async () => {
    const { service, clock, spend, place, books } = await openClub([['d_1']])
    await spend()
    expect(service.balance('acc_0').freeNanoUsd).toBe(CEILING)
    clock.nowMs += DAY_MS
    await spend()
    expect(service.balance('acc_0').freeNanoUsd).toBe(CEILING)
    await spend()
    expect(await codeOf(place())).toBe('insufficient_credit')
    const { problems, books: all } = await books()
    expect(problems).toEqual([])
    const given = totalsOf(all, PROMO_COST_ACCOUNT)
    expect([given.debitsPosted, given.creditsPosted]).toEqual([CEILING * 4n, CEILING])
    expect(totalsOf(all, freeAccount('acc_0')).creditsPosted).toBe(CEILING * 4n)
  })

  it('serves exactly what fits, however many ask at once', async () => {
    const { place, books } = await openClub([['d_1']])
    const asked = Array.from({ length: 64 }, (_, index) => codeOf(place(0, `gateway-${index % 2}`)))
    const codes = await Promise.all(asked)
    expect(codes.filter((code) => code === 'ok')).toHaveLength(2)
    expect(codes.filter((code) => code === 'credit_reserved')).toHaveLength(62)
    expect((await books()).problems).toEqual([])
  })

  it('is spent before other credit, and on its models alone', async () => {
    const { service, place } = await openClub([['d_1']], { ...POLICY, models: ['another'] })
    expect(await whyOf(place())).toBe('model_not_free')
    await service.setFreeTier({ ...POLICY, dailyNanoUsd: 30_000n })
    await service.deposit({ accountId: 'acc_0', amount: 25_000n, id: 'one' })
    const { holdId } = await place()
    expect(service.balance('acc_0')).toMatchObject({
      freeNanoUsd: 30_000n,
      heldNanoUsd: 50_000n,
      availableNanoUsd: 5_000n,
    })
    await service.settle(delivery(holdId, { promptTokens: 10, completionTokens: 15 }))
    expect(service.balance('acc_0')).toMatchObject({ freeNanoUsd: 0n, paidNanoUsd: 15_000n })
  })

  it('is not given twice by a clock that goes back', async () => {
    const { clock, spend, place } = await openClub([['d_1']])
    clock.nowMs += DAY_MS
    await spend()
    await spend()
    clock.nowMs -= DAY_MS
    expect(await codeOf(place())).toBe('insufficient_credit')
    clock.nowMs += DAY_MS
    expect(await codeOf(place())).toBe('insufficient_credit')
    clock.nowMs += DAY_MS
    expect(await codeOf(place())).toBe('ok')
  })

  it('goes back to where it came from when a hold is released', async () => {
    const { service, place, clock } = await openClub([['d_1']])
    const { holdId } = await place()
    clock.nowMs += DAY_MS
    await place()
    await service.voidHold({ holdId, gateway: GATEWAY })
    // Yesterday's part is free again beside today's allowance; the next renewal takes it back.
    expect(service.balance('acc_0').freeNanoUsd).toBe(CEILING * 3n)
    clock.nowMs += DAY_MS
    await place()
    expect(service.balance('acc_0').freeNanoUsd).toBe(CEILING * 3n)
  })

  it('ends for everybody at the total of the day', async () => {
    const { place, clock } = await openClub([['d_1'], ['d_2'], ['d_3'], ['d_4']])
    expect(await Promise.all([0, 1, 2, 3].map((who) => whyOf(place(who))))).toEqual([
      'ok',
      'ok',
      'ok',
      'exhausted',
    ])
    clock.nowMs += DAY_MS
    expect(await whyOf(place(3))).toBe('ok')
  })
})

describe('several accounts of one person', () => {
  it('have one allowance, until an operator has looked', async () => {
    const { service, place } = await openClub([
      ['d_1', 'a_1'],
      ['d_1', 'a_2'],
      ['d_2', 'a_1'],
      ['d_3', 'a_3'],
    ])
    const asked = () => Promise.all([0, 1, 2, 3].map((who) => whyOf(place(who))))
    expect(await asked()).toEqual(['ok', 'shared', 'shared', 'ok'])
    const reviews = service.listFreeTierReviews(10).map(({ accountId }) => accountId)
    expect(reviews.toSorted()).toEqual(['acc_1', 'acc_2'])
    await service.decideFreeTier('acc_1', 'allowed')
    await service.decideFreeTier('acc_2', 'refused')
    expect(service.listFreeTierReviews(10)).toEqual([])
    expect(await whyOf(place(1))).toBe('ok')
    expect(await whyOf(place(2))).toBe('refused')
  })

  it('take no place before the address is proved', async () => {
    const { place } = await openClub([['d_1', 'unverified'], ['d_1']])
    expect(await whyOf(place(0))).toBe('not_verified')
    expect(await whyOf(place(1))).toBe('ok')
  })
})

describe('the books', () => {
  it('name an allowance that the policy does not explain', async () => {
    const { store, clock } = await openClub([['d_1']])
    const state = createState()
    for await (const chunk of store.readFrom(0)) {
      for (const entry of entriesOf(chunk)) replay(state, entry)
    }
    const forged = createWriter({ store, state, clock: () => clock.nowMs })
    await forged.submit(
      () => ({
        ok: true,
        answer: undefined,
        changes: [
          {
            type: 'transfers',
            transfers: [
              {
                id: 'forged',
                kind: 'allowance',
                debit: PROMO_COST_ACCOUNT,
                credit: freeAccount('acc_0'),
                amount: 1n,
              },
            ],
          },
        ],
      }),
      {},
    )
    const { problems } = await verifyBooks(store)
    expect(problems.join()).toContain('credited without being counted')
  })
})

describe('the kinds of the free tier', () => {
  const ada = freeAccount('ada')
  const PROMO = 'customer:ada:promo'
  const given: Transfer = {
    id: 'a',
    kind: 'allowance',
    debit: PROMO_COST_ACCOUNT,
    credit: ada,
    amount: 100n,
  }
  const expiry = {
    id: 'e',
    kind: 'allowance_expiry' as const,
    debit: ada,
    credit: PROMO_COST_ACCOUNT,
  }
  const held: Transfer = {
    id: 'h',
    kind: 'hold',
    debit: ada,
    credit: 'platform:settle',
    amount: 60n,
  }

  it.each<[string, Transfer[], string]>([
    ['an allowance goes to the free account', [given], 'ok'],
    ['an allowance goes nowhere else', [{ ...given, credit: PROMO }], 'invalid_request'],
    ['an allowance comes from its cost alone', [{ ...given, debit: PROMO }], 'invalid_request'],
    ['what is left goes back', [given, { ...expiry, amount: 100n }], 'ok'],
    ['no more than is left goes back', [given, { ...expiry, amount: 101n }], 'insufficient_credit'],
    [
      'what is held does not go back',
      [given, held, { ...expiry, amount: 41n }],
      'insufficient_credit',
    ],
    ['what is not held goes back', [given, held, { ...expiry, amount: 40n }], 'ok'],
    [
      'it never becomes promotional credit',
      [given, { ...expiry, credit: PROMO, amount: 1n }],
      'invalid_request',
    ],
  ])('%s', (_name, group, answer) => {
    expect(enterTransfers(createBooks(), group)?.code ?? 'ok').toBe(answer)
  })
})
