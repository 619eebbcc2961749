import { quote, splitCost } from '@lexora/protocol'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hashSecret } from '../../ledger/src/accounts/secret.ts'
import { verifyBooks } from '../../ledger/src/verify.ts'
import {
  codeOf,
  delivery,
  enrolProvider,
  MODEL,
  openLedger,
  PRICES,
  PROVIDER,
  requestId,
} from './fixture.ts'

/** The model: what a bookkeeper would keep on one sheet of paper. */
interface ModelHold {
  holdId: string
  customer: number
  gateway: number
  content: string
  prompt: number
  output: number
  promo: bigint
  paid: bigint
  state: 'open' | 'captured' | 'voided' | 'expired'
  settled?: string
  claim?: { prompt: number; output: number }
  leaseUntilMs: number
}
interface Model {
  customers: { promo: bigint; paid: bigint }[]
  credits: Map<string, string>
  holds: ModelHold[]
  byRequest: Map<string, ModelHold>
  earned: bigint
  fees: bigint
}

const customer = fc.nat(1)
const gateway = fc.nat(1)
const amount = fc.bigInt({ min: 1n, max: 80_000n })
const which = fc.nat(11)
const tokens = fc.nat(24)

const command = fc.oneof(
  fc.record({ do: fc.constant('grant' as const), customer, amount, id: fc.nat(4) }),
  fc.record({ do: fc.constant('deposit' as const), customer, amount, id: fc.nat(4) }),
  fc.record({
    do: fc.constant('authorise' as const),
    customer,
    gateway,
    request: fc.nat(7),
    prompt: tokens,
    output: fc.integer({ min: 1, max: 24 }),
  }),
  fc.record({ do: fc.constant('settle' as const), which, gateway, prompt: tokens, output: tokens }),
  fc.record({ do: fc.constant('void' as const), which, gateway }),
  fc.record({ do: fc.constant('claim' as const), which, prompt: tokens, output: tokens }),
  fc.record({ do: fc.constant('renew' as const), which, gateway }),
  fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 40_000 }) }),
  fc.record({ do: fc.constant('expire' as const) }),
)
type Command = typeof command extends fc.Arbitrary<infer T> ? T : never
type Of<K extends Command['do']> = Extract<Command, { do: K }>

const [PRICE] = PRICES.models
const cost = (prompt: number, output: number): bigint => {
  if (PRICE === undefined) throw new Error('the fixture has a price')
  return quote(PRICE, { promptTokens: prompt, cachedTokens: 0, completionTokens: output })
}
const least = (a: bigint, b: bigint): bigint => (a < b ? a : b)

function heldOf(model: Model, who: number): { promo: bigint; paid: bigint } {
  const open = model.holds.filter((hold) => hold.customer === who && hold.state === 'open')
  return {
    promo: open.reduce((sum, hold) => sum + hold.promo, 0n),
    paid: open.reduce((sum, hold) => sum + hold.paid, 0n),
  }
}

function capture(model: Model, hold: ModelHold, used: { prompt: number; output: number }): void {
  const total = cost(used.prompt, used.output)
  const fromPromo = least(total, hold.promo)
  const owner = model.customers[hold.customer]
  if (owner === undefined) throw new Error('the model knows its customers')
  owner.promo -= fromPromo
  owner.paid -= total - fromPromo
  const { fee, providerShare } = splitCost(total, PRICES.feeBasisPoints)
  model.fees += fee
  model.earned += providerShare
  hold.state = total === 0n ? 'voided' : 'captured'
  hold.settled = `${used.prompt}/${used.output}`
}

/** One run: the same commands to the ledger and to the model, which must agree after every one. */
async function openBench() {
  const { service, clock, store } = await openLedger()
  await service.setPrices(PRICES)
  const earnerId = await enrolProvider(service, PROVIDER)
  const people: { accountId: string; keyHash: Uint8Array }[] = []
  for (const label of ['ada', 'bob']) {
    const { accountId } = await service.createAccount({ kind: 'developer', label })
    const { text } = await service.createKey({ accountId, name: label, mode: 'live' })
    people.push({ accountId, keyHash: hashSecret(text) })
  }
  const model: Model = {
    customers: people.map(() => ({ promo: 0n, paid: 0n })),
    credits: new Map(),
    holds: [],
    byRequest: new Map(),
    earned: 0n,
    fees: 0n,
  }
  return { service, clock, store, people, model, earnerId }
}
type Bench = Awaited<ReturnType<typeof openBench>>

async function credit(bench: Bench, step: Of<'grant' | 'deposit'>): Promise<void> {
  const { service, model, people } = bench
  const name = `${step.do} ${step.id}`
  const content = `${step.customer} ${step.amount}`
  const before = model.credits.get(name)
  const accountId = people[step.customer]?.accountId ?? ''
  const code = await codeOf(service[step.do]({ accountId, amount: step.amount, id: `${step.id}` }))
  expect(code).toBe(before === undefined || before === content ? 'ok' : 'conflict')
  if (before !== undefined) return
  model.credits.set(name, content)
  const owner = model.customers[step.customer]
  if (owner !== undefined) owner[step.do === 'grant' ? 'promo' : 'paid'] += step.amount
}

async function authorise(bench: Bench, step: Of<'authorise'>): Promise<void> {
  const { service, model, people, clock } = bench
  const name = `${step.gateway}/${step.request}`
  const content = `${step.customer} ${step.prompt} ${step.output}`
  const before = model.byRequest.get(name)
  const owner = model.customers[step.customer]
  if (owner === undefined) throw new Error('the model knows its customers')
  const held = heldOf(model, step.customer)
  const ceiling = cost(step.prompt, step.output)
  const free = owner.promo + owner.paid - held.promo - held.paid
  let wanted = 'ok'
  if (before !== undefined) {
    if (before.content !== content) wanted = 'conflict'
    else if (before.state !== 'open') wanted = 'hold_closed'
  } else if (ceiling > free) {
    wanted = ceiling > owner.promo + owner.paid ? 'insufficient_credit' : 'credit_reserved'
  }
  const asked = service.authorise({
    keyHash: people[step.customer]?.keyHash ?? new Uint8Array(),
    requestId: requestId(step.request),
    gateway: `gateway-${step.gateway}`,
    model: MODEL,
    promptTokensMax: step.prompt,
    maxTokens: step.output,
  })
  expect(await codeOf(asked)).toBe(wanted)
  if (wanted !== 'ok') return
  const { holdId, ceiling: given } = await asked
  expect(given).toBe(ceiling)
  if (before !== undefined) {
    expect(holdId).toBe(before.holdId)
    before.leaseUntilMs = clock.nowMs + 60_000
    return
  }
  const promo = least(owner.promo - held.promo, ceiling)
  const hold: ModelHold = {
    holdId,
    customer: step.customer,
    gateway: step.gateway,
    content,
    prompt: step.prompt,
    output: step.output,
    promo,
    paid: ceiling - promo,
    state: 'open',
    leaseUntilMs: clock.nowMs + 60_000,
  }
  model.holds.push(hold)
  model.byRequest.set(name, hold)
}

async function settle(bench: Bench, step: Of<'settle'>): Promise<void> {
  const { service, model } = bench
  const hold = model.holds[step.which]
  if (hold === undefined) return
  const fits = step.prompt <= hold.prompt && step.output <= hold.output
  let wanted = 'ok'
  if (hold.gateway !== step.gateway) wanted = 'forbidden'
  else if (hold.state !== 'open') {
    if (hold.settled !== `${step.prompt}/${step.output}`) wanted = 'hold_closed'
  } else if (!fits) wanted = 'receipt_invalid'
  const usage = { promptTokens: step.prompt, completionTokens: step.output }
  const call = { ...delivery(hold.holdId, usage), gateway: `gateway-${step.gateway}` }
  expect(await codeOf(service.settle(call))).toBe(wanted)
  if (wanted === 'ok' && hold.state === 'open') capture(model, hold, step)
}

async function voidHold(bench: Bench, step: Of<'void'>): Promise<void> {
  const hold = bench.model.holds[step.which]
  if (hold === undefined) return
  let wanted = 'ok'
  if (hold.gateway !== step.gateway) wanted = 'forbidden'
  else if (hold.state === 'captured') wanted = 'hold_closed'
  const call = { holdId: hold.holdId, gateway: `gateway-${step.gateway}` }
  expect(await codeOf(bench.service.voidHold(call))).toBe(wanted)
  if (wanted === 'ok' && hold.state === 'open') hold.state = 'voided'
}

async function claim(bench: Bench, step: Of<'claim'>): Promise<void> {
  const hold = bench.model.holds[step.which]
  if (hold === undefined) return
  const usage = { promptTokens: step.prompt, completionTokens: step.output }
  const isSame = hold.claim?.prompt === step.prompt && hold.claim.output === step.output
  let wanted = 'recorded'
  if (hold.state !== 'open') {
    wanted = hold.settled !== undefined ? 'settled' : hold.state
  } else if (hold.claim !== undefined) {
    if (!isSame) wanted = 'conflict'
  } else if (step.prompt > hold.prompt || step.output > hold.output) wanted = 'receipt_invalid'
  const { gateway: _, signedByProvider: __, ...call } = delivery(hold.holdId, usage)
  const answer = bench.service.claim(call)
  const code = await codeOf(answer)
  expect(code === 'ok' ? await answer : code).toBe(wanted)
  if (wanted === 'recorded') hold.claim = { prompt: step.prompt, output: step.output }
}

function renew(bench: Bench, step: Of<'renew'>): void {
  const hold = bench.model.holds[step.which]
  if (hold === undefined) return
  const holdIds = [hold.holdId]
  const renewed = bench.service.renewHolds({ gateway: `gateway-${step.gateway}`, holdIds })
  const isOwn = hold.state === 'open' && hold.gateway === step.gateway
  expect(renewed.openHoldIds).toEqual(isOwn ? holdIds : [])
  if (isOwn) hold.leaseUntilMs = bench.clock.nowMs + 60_000
}

async function expire(bench: Bench): Promise<void> {
  const { model, clock, service } = bench
  const due = model.holds.filter(
    (hold) => hold.state === 'open' && hold.leaseUntilMs <= clock.nowMs,
  )
  const claims = due.filter((hold) => hold.claim !== undefined)
  expect(await service.expireDue()).toEqual({
    claimed: claims.length,
    expired: due.length - claims.length,
  })
  for (const hold of due) {
    if (hold.claim === undefined) hold.state = 'expired'
    else capture(model, hold, hold.claim)
  }
}

async function run(bench: Bench, step: Command): Promise<void> {
  switch (step.do) {
    case 'grant':
    case 'deposit':
      return credit(bench, step)
    case 'authorise':
      return authorise(bench, step)
    case 'settle':
      return settle(bench, step)
    case 'void':
      return voidHold(bench, step)
    case 'claim':
      return claim(bench, step)
    case 'renew':
      return renew(bench, step)
    case 'wait':
      bench.clock.nowMs += step.ms
      return
    case 'expire':
      return expire(bench)
  }
}

function compare({ service, model, people, earnerId }: Bench): void {
  for (const [index, { accountId }] of people.entries()) {
    const owner = model.customers[index]
    const held = heldOf(model, index)
    const promoNanoUsd = owner?.promo ?? 0n
    const paidNanoUsd = owner?.paid ?? 0n
    const heldNanoUsd = held.promo + held.paid
    const availableNanoUsd = promoNanoUsd + paidNanoUsd - heldNanoUsd
    const balance = { freeNanoUsd: 0n, promoNanoUsd, paidNanoUsd, heldNanoUsd, availableNanoUsd }
    expect(service.balance(accountId)).toEqual(balance)
    expect(availableNanoUsd >= 0n).toBe(true)
  }
  expect(service.providerEarnings(earnerId).maturingNanoUsd).toBe(model.earned)
}

describe('the ledger against its model', () => {
  it('agrees after every command, and after a restart', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(command, { maxLength: 40 }), async (steps) => {
        const bench = await openBench()
        for (const step of steps) {
          await run(bench, step)
          compare(bench)
        }
        const report = await verifyBooks(bench.store)
        expect(report.problems).toEqual([])
        expect(report.sumFees).toBe(bench.model.fees)
        expect(report.sumReceipts).toBe(bench.model.fees + bench.model.earned)
        const again = await openLedger({ store: bench.store })
        compare({ ...bench, service: again.service })
      }),
      { numRuns: 300 },
    )
  })
})
