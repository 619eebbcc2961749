import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { availableIn, checkBooks } from '../../ledger/src/core/books.ts'
import { freezeState, restorePiece } from '../../ledger/src/core/image.ts'
import { openAccount } from '../../ledger/src/core/rules/accounts.ts'
import { mergePayment, openTopUp, type PaymentNews } from '../../ledger/src/core/rules/topups.ts'
import { apply, createState, replay } from '../../ledger/src/core/state.ts'
import { checkRazorpaySettings } from '../../ledger/src/payments/razorpay-settings.ts'
import { entriesOf } from '../../ledger/src/store/chunk.ts'
import { codeOf } from './fixture.ts'
import { openBank, permutations, SECRETS, TEN, TEN_CENTS } from './payment-fixture.ts'

type Bank = Awaited<ReturnType<typeof openBank>>

describe('a top-up', () => {
  let bank: Bank
  beforeEach(async () => {
    bank = await openBank()
  })
  afterEach(() => bank.close())

  it('is credited once, whatever the order of its events and though each comes twice', async () => {
    const { double, service, accountId, webhookUrl } = bank
    let paid = 0n
    for (const order of permutations([0, 1, 2, 3, 4])) {
      const name = order.join('')
      const { orderId } = await bank.topUp(name)
      const before = double.events.length
      const payment = double.shop.pay(orderId)
      const refund = double.shop.refund(payment.id, { amount: 400 })
      double.shop.finishRefund(refund.id, 'processed')
      const events = double.events.slice(before)
      expect(events.length).toBe(5)
      for (const index of order) {
        const event = events[index] ?? events[0]
        if (event === undefined) throw new Error('no event')
        expect(await double.deliver(event, webhookUrl), name).toBe(200)
        expect(await double.deliver(event, webhookUrl), name).toBe(200)
      }
      await service.paymentsSettled()
      paid += TEN - 4_000_000_000n
      expect(bank.balance().paidNanoUsd, name).toBe(paid)
    }
    expect(service.listTopUps(accountId).every((each) => each.state === 'credited')).toBe(true)
    expect(await bank.problems()).toEqual([])
  })

  it('is credited once by five copies of four routes at the same time', async () => {
    const { double, service, accountId, webhookUrl } = bank
    const { topUp, orderId } = await bank.topUp('one')
    const { topUpId } = topUp
    const { id: paymentId } = double.shop.pay(orderId)
    const signature = double.signCheckout(orderId, paymentId)
    const routes = Array.from({ length: 5 }, () => [
      ...double.events.map((event) => double.deliver(event, webhookUrl)),
      service.confirmCheckout({ accountId, topUpId, paymentId, signature }),
      service.reconcilePayments(),
    ]).flat()
    await Promise.all(routes)
    await service.paymentsSettled()
    expect(bank.balance().paidNanoUsd).toBe(TEN)
    expect(await bank.problems()).toEqual([])
  })

  it('is the same after a restart, also from a snapshot', async () => {
    const { double, service, accountId, store } = bank
    const { orderId } = await bank.topUp('kept')
    const { id: paymentId } = double.shop.pay(orderId)
    await service.reconcilePayments()
    const refund = { accountId, paymentId, speed: 'normal' as const, reason: 'unused', id: 'r' }
    await service.requestRefund({ ...refund, amountCents: 100 })
    double.shop.openDispute(paymentId, 200)
    for (const event of double.events) await double.deliver(event, bank.webhookUrl)
    await service.paymentsSettled()
    const replayed = createState()
    for await (const chunk of store.readFrom(0)) {
      for (const entry of entriesOf(chunk)) replay(replayed, entry)
    }
    const restored = createState()
    const frozen = freezeState(replayed)
    for (const piece of frozen.pieces(2)) restorePiece(restored, piece)
    frozen.thaw()
    for (const state of [replayed, restored]) {
      expect(availableIn(state.books, `customer:${accountId}:paid`)).toBe(7_000_000_000n)
      expect([...state.bought.refunds.values()]).toEqual(service.listRefunds())
      expect([...state.bought.disputes.values()]).toEqual(service.listDisputes())
      expect(state.bought.openRefunds.size).toBe(1)
      expect(state.bought.openEvents.size).toBe(0)
    }
  })

  it('is found by the reconciler when every event is lost', async () => {
    const { double, service, accountId } = bank
    const { orderId } = await bank.topUp('lost')
    double.shop.pay(orderId)
    await service.reconcilePayments()
    expect(service.listTopUps(accountId)[0]?.state).toBe('credited')
    expect(bank.balance().paidNanoUsd).toBe(TEN)
  })

  it('may be authorised late, after it failed', async () => {
    const { double, service, accountId } = bank
    const { orderId } = await bank.topUp('late')
    const { id } = double.shop.pay(orderId, { status: 'failed' })
    await service.reconcilePayments()
    expect(service.listTopUps(accountId)[0]?.state).toBe('failed')
    double.shop.move(id, 'authorized')
    await service.reconcilePayments()
    expect(service.listTopUps(accountId)[0]?.state).toBe('credited')
    expect(bank.balance().paidNanoUsd).toBe(TEN)
  })

  it('credits a second payment of its order too, and says so', async () => {
    const { double, service, accountId } = bank
    const { orderId } = await bank.topUp('twice')
    double.shop.pay(orderId)
    double.shop.pay(orderId)
    await service.reconcilePayments()
    expect(bank.balance().paidNanoUsd).toBe(2n * TEN)
    expect(service.listPayments(accountId).map((each) => each.flag)).toEqual([
      undefined,
      'second_payment',
    ])
    expect(await bank.problems()).toEqual([])
  })

  it('does not credit another currency', async () => {
    const { double, service, accountId } = bank
    const { orderId } = await bank.topUp('rupees')
    double.shop.pay(orderId, { currency: 'INR' })
    await service.reconcilePayments()
    expect(bank.balance().paidNanoUsd).toBe(0n)
    expect(service.listPayments(accountId)[0]?.flag).toBe('wrong_currency')
  })

  it('has one order, though the answer to making it was lost', async () => {
    const { double } = bank
    double.faultNext({ request: 'POST /v1/orders', answer: 503, isDone: true })
    expect(await codeOf(bank.topUp('again'))).toBe('timeout')
    await bank.topUp('again')
    expect(double.shop.orders.size).toBe(1)
    expect(await codeOf(bank.topUp('again', 2_000))).toBe('conflict')
    expect(await codeOf(bank.topUp('small', 499))).toBe('invalid_request')
  })

  it('belongs to its account', async () => {
    const { double, service } = bank
    const { topUp, orderId } = await bank.topUp('mine')
    const { id: paymentId } = double.shop.pay(orderId)
    const other = await service.createAccount({ kind: 'developer', label: 'eve' })
    const signature = double.signCheckout(orderId, paymentId)
    const stolen = { accountId: other.accountId, topUpId: topUp.topUpId, paymentId, signature }
    expect(await codeOf(service.confirmCheckout(stolen))).toBe('not_found')
  })
})

describe('an event', () => {
  it('is refused when it is forged, changed or a week old, and taken under the old secret', async () => {
    const bank = await openBank({}, { webhookSecretPrevious: 'the-secret-before-rotation' })
    const { double, webhookUrl, clock, service } = bank
    const { orderId } = await bank.topUp('forged')
    double.shop.pay(orderId)
    const [event] = double.events
    if (event === undefined) throw new Error('no event')
    const forged = { ...event, body: event.body.replace('"amount":1000', '"amount":9999') }
    const headers = { 'x-razorpay-event-id': 'x', 'content-type': 'application/json' }
    const signed = { ...headers, 'x-razorpay-signature': double.sign(event) }
    const post = async (body: string, head: Record<string, string>): Promise<number> =>
      (await fetch(webhookUrl, { method: 'POST', body, headers: head })).status
    expect(await post(forged.body, signed)).toBe(401)
    expect(await post(event.body, headers)).toBe(401)
    double.rotateWebhookSecret('nobody-knows-this-secret')
    expect(await double.deliver(event, webhookUrl)).toBe(401)
    double.rotateWebhookSecret('the-secret-before-rotation')
    expect(await double.deliver(event, webhookUrl)).toBe(200)
    await service.paymentsSettled()
    expect(bank.balance().paidNanoUsd).toBe(TEN)
    clock.nowMs += 7 * 86_400_000
    expect(await double.deliver(event, webhookUrl)).toBe(400)
    const big = 'x'.repeat(1024 ** 2 + 1)
    expect(await post(big, signed)).toBe(413)
    expect(bank.balance().paidNanoUsd).toBe(TEN)
    await bank.close()
  })

  it('is looked into later where the payment company cannot be asked now', async () => {
    const bank = await openBank()
    const { double, webhookUrl, service } = bank
    const { orderId } = await bank.topUp('later')
    double.shop.pay(orderId)
    const event = double.events.at(-1)
    if (event === undefined) throw new Error('no event')
    double.faultNext({ request: 'GET /v1/payments', answer: 503 })
    expect(await double.deliver(event, webhookUrl)).toBe(200)
    await service.paymentsSettled()
    expect(bank.balance().paidNanoUsd).toBe(0n)
    await service.reconcilePayments()
    expect(bank.balance().paidNanoUsd).toBe(TEN)
    await bank.close()
  })
})

describe('a refund', () => {
  let bank: Bank
  let paymentId = ''
  beforeEach(async () => {
    bank = await openBank({}, { timeoutMs: 300 })
    const { orderId } = await bank.topUp('first')
    paymentId = bank.double.shop.pay(orderId).id
    await bank.service.reconcilePayments()
  })
  afterEach(() => bank.close())
  const ask = (id: string, amountCents?: number) =>
    bank.service.requestRefund({
      accountId: bank.accountId,
      paymentId,
      amountCents,
      speed: 'normal',
      reason: 'unused',
      id,
    })

  it('holds the credit at once and takes it when it is processed', async () => {
    const refund = await ask('r', 400)
    expect(refund.state).toBe('submitted')
    expect(bank.balance().availableNanoUsd).toBe(TEN - 4_000_000_000n)
    bank.double.shop.finishRefund(refund.providerRefundId ?? '', 'processed')
    await bank.service.reconcilePayments()
    expect(bank.service.listRefunds()[0]?.state).toBe('processed')
    expect(bank.balance().heldNanoUsd).toBe(0n)
    expect(await bank.problems()).toEqual([])
    expect(await codeOf(ask('more', 700))).toBe('insufficient_credit')
  })

  it('gives the credit back when it failed', async () => {
    const refund = await ask('r')
    bank.double.shop.finishRefund(refund.providerRefundId ?? '', 'failed')
    await bank.service.reconcilePayments()
    expect(bank.balance().availableNanoUsd).toBe(TEN)
    expect(await bank.problems()).toEqual([])
  })

  it.each([503, 409, 'hang'] as const)(
    'is one refund after %s with the work done',
    async (answer) => {
      bank.double.faultNext({
        request: `POST /v1/payments/${paymentId}/refund`,
        answer,
        isDone: true,
      })
      const refund = await ask('r', 500)
      expect(refund.state).toBe('submitted')
      await bank.service.reconcilePayments()
      expect(bank.double.shop.refunds.size).toBe(1)
      bank.double.shop.finishRefund([...bank.double.shop.refunds.keys()][0] ?? '', 'processed')
      await bank.service.reconcilePayments()
      expect(bank.service.listRefunds().map((each) => each.state)).toEqual(['processed'])
      expect(bank.balance().availableNanoUsd).toBe(TEN / 2n)
      expect(await bank.problems()).toEqual([])
    },
  )

  it('that was made on the company’s own pages is taken from the credit', async () => {
    const made = bank.double.shop.refund(paymentId, { amount: 300 })
    bank.double.shop.finishRefund(made.id, 'processed')
    for (const event of bank.double.events) await bank.double.deliver(event, bank.webhookUrl)
    await bank.service.paymentsSettled()
    expect(bank.balance().availableNanoUsd).toBe(TEN - 3_000_000_000n)
    expect(await bank.problems()).toEqual([])
  })
})

describe('a dispute', () => {
  it('freezes, is lost into debt, is paid off, and comes back when the last round is won', async () => {
    const bank = await openBank()
    const { double, service, accountId, webhookUrl } = bank
    const { orderId } = await bank.topUp('first')
    const { id: paymentId } = double.shop.pay(orderId)
    await service.reconcilePayments()
    await service.requestRefund({
      accountId,
      paymentId,
      amountCents: 300,
      speed: 'normal',
      reason: 'unused',
      id: 'r',
    })
    const follow = async (): Promise<void> => {
      const event = double.events.at(-1)
      if (event === undefined) throw new Error('no event')
      expect(await double.deliver(event, webhookUrl)).toBe(200)
      await service.paymentsSettled()
      expect(await bank.problems()).toEqual([])
    }
    const { id } = double.shop.openDispute(paymentId, TEN_CENTS)
    await follow()
    expect(bank.balance().availableNanoUsd).toBe(0n)
    double.shop.moveDispute(id, 'won')
    await follow()
    expect(bank.balance().availableNanoUsd).toBe(7_000_000_000n)
    double.shop.moveDispute(id, 'open')
    await follow()
    double.shop.moveDispute(id, 'lost')
    await follow()
    const [dispute] = service.listDisputes()
    expect(dispute?.takenNanoUsd).toBe(7_000_000_000n)
    expect(dispute?.owedNanoUsd).toBe(3_000_000_000n)
    expect(dispute?.cycle).toBe(2)
    const stateOf = () => service.listAccounts().find((each) => each.accountId === accountId)?.state
    expect(stateOf()).toBe('suspended')
    const second = await bank.topUp('second')
    double.shop.pay(second.orderId)
    await service.reconcilePayments()
    expect(bank.balance().availableNanoUsd).toBe(7_000_000_000n)
    expect(stateOf()).toBe('active')
    double.shop.moveDispute(id, 'won')
    await follow()
    expect(bank.balance().availableNanoUsd).toBe(17_000_000_000n)
    await bank.close()
  })
})

describe('mergePayment()', () => {
  const news: fc.Arbitrary<PaymentNews> = fc.record({
    paymentId: fc.constantFrom('pay_1', 'pay_2'),
    topUpId: fc.constant('top_1'),
    amount: fc.constant(TEN),
    isUsd: fc.constant(true),
    state: fc.constantFrom('created', 'failed', 'authorised', 'captured'),
  })

  it('comes to the same whatever order the news comes in and however often', () => {
    const come = (stories: readonly PaymentNews[]) => {
      const state = createState()
      apply(state, openAccount, { accountId: 'acc', kind: 'developer' as const, label: 'ada' }, 1)
      const wish = { topUpId: 'top_1', accountId: 'acc', amount: TEN, isStorageLow: false }
      apply(state, openTopUp, wish, 1)
      for (const story of stories) apply(state, mergePayment, story, 2)
      expect(checkBooks(state.books)).toEqual([])
      const states = [...state.bought.payments.values()]
        .map(
          ({ paymentId, state: now, creditedNanoUsd }) => `${paymentId} ${now} ${creditedNanoUsd}`,
        )
        .sort()
      const credit = availableIn(state.books, 'customer:acc:paid')
      return { states, credit, topUp: state.bought.topUps.get('top_1')?.state }
    }
    fc.assert(
      fc.property(
        fc.array(news, { minLength: 1, maxLength: 8 }).chain((stories) =>
          fc.tuple(
            fc.constant(stories),
            fc.shuffledSubarray([...stories, ...stories], {
              minLength: stories.length * 2,
              maxLength: stories.length * 2,
            }),
          ),
        ),
        ([stories, shuffled]) => {
          expect(come(shuffled)).toEqual(come(stories))
          const captured = new Set(
            stories.flatMap((each) => (each.state === 'captured' ? each.paymentId : [])),
          )
          expect(come(stories).credit).toBe(TEN * BigInt(captured.size))
        },
      ),
      { numRuns: 300 },
    )
  })
})

describe('checkRazorpaySettings()', () => {
  const live = { ...SECRETS, keyId: 'rzp_live_double01' }
  it.each([
    ['a live key with another URL', { ...live, url: 'https://example.org' }],
    ['plain http that is not loopback', { ...SECRETS, url: 'http://example.org' }],
    ['no URL', { ...SECRETS, url: 'razorpay' }],
    ['another key', { ...SECRETS, keyId: 'sk_live_1234' }],
    ['one secret for both', { ...SECRETS, webhookSecret: SECRETS.keySecret }],
    ['a short secret', { ...SECRETS, keySecret: 'x' }],
  ])('refuses %s', (_, settings) => {
    expect(() => checkRazorpaySettings(settings)).toThrow(/LEXORA_RAZORPAY/)
  })

  it('takes a live key, and loopback for tests', () => {
    expect(checkRazorpaySettings(live)).toEqual(live)
    expect(checkRazorpaySettings({ ...SECRETS, url: 'http://127.0.0.1:1' }).url).toBeDefined()
  })
})
