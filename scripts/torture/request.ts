import { type Customer, ceilingOf, MODEL, type Plan, priceOf } from './market.ts'
import { type Answer, must, type Worker } from './tortured-process.ts'

/** As much of an answer as a person reads. */
const ANSWER_LENGTH_MAX = 200

/** How far an operation got, as its caller knows. */
type Progress = 'unasked' | 'asked' | 'acknowledged'

/** One request and what its caller was told about it. */
export interface Request {
  readonly plan: Plan
  readonly customer: Customer
  authorised: Progress | 'refused'
  /** Empty until the caller knows it. */
  holdId: string
  settled: Progress
  voided: Progress
  claimed: Progress
  /** What became of the hold, as far as it can be known. */
  state: 'open' | 'settled' | 'voided' | 'expired'
}

interface Settlement {
  capturedNanoUsd: string
  feeNanoUsd: string
  providerNanoUsd: string
  alreadySettled: boolean
}

/** A request that nobody has asked yet. */
export function newRequest(customer: Customer, plan: Plan): Request {
  const progress = { authorised: 'unasked', settled: 'unasked', voided: 'unasked' } as const
  return { plan, customer, ...progress, claimed: 'unasked', holdId: '', state: 'open' }
}

/**
 * Asks for the hold, again or for the first time. False where the ledger ended or stopped meanwhile: then nobody
 * knows. Throws a violation, as every function below.
 */
export async function authorise(worker: Worker, request: Request): Promise<boolean> {
  const { plan, customer } = request
  const { requestId, gateway, promptTokensMax, maxTokens } = plan
  const terms = { requestId, gateway, promptTokensMax, maxTokens, model: MODEL }
  if (request.authorised === 'unasked') request.authorised = 'asked'
  const answer = await worker.ask<{ holdId: string }>('authorise', {
    ...terms,
    keyHash: customer.keyHash,
  })
  if (answer.kind === 'lost') return false
  if (answer.kind === 'refused') return authoriseRefused(request, answer)
  must(
    request.holdId === '' || request.holdId === answer.answer.holdId,
    `the acknowledged hold ${request.holdId} must be there, ${told(answer)}`,
  )
  request.authorised = 'acknowledged'
  request.holdId = answer.answer.holdId
  return true
}

function authoriseRefused(request: Request, answer: Refused): boolean {
  const { code, facts } = answer
  // A hold that has ended is still known by the request that placed it.
  if (code === 'hold_closed' && request.holdId !== '' && facts['holdId'] === request.holdId) {
    return true
  }
  if (code !== 'credit_reserved' && code !== 'insufficient_credit') return outage(answer)
  must(
    request.holdId === '',
    `the acknowledged hold ${request.holdId} must be there, ${told(answer)}`,
  )
  request.authorised = 'refused'
  return true
}

/** Settles, again or for the first time, and compares the amounts with what they must be. */
async function settle(worker: Worker, request: Request): Promise<boolean> {
  if (request.settled === 'unasked') request.settled = 'asked'
  const answer = await worker.ask<Settlement>('settle', deliveryOf(request))
  if (answer.kind === 'lost') return false
  if (answer.kind === 'refused') return outage(answer, `hold ${request.holdId} must be settled`)
  const wanted = priceOf(request.plan.tokens)
  const { capturedNanoUsd, feeNanoUsd, providerNanoUsd, alreadySettled } = answer.answer
  must(
    BigInt(capturedNanoUsd) === wanted.cost &&
      BigInt(feeNanoUsd) === wanted.fee &&
      BigInt(providerNanoUsd) === wanted.share,
    `hold ${request.holdId} must cost ${wanted.cost} with a fee of ${wanted.fee}, ${told(answer)}`,
  )
  must(
    alreadySettled || request.settled !== 'acknowledged',
    `the acknowledged settlement of ${request.holdId} must be there`,
  )
  request.settled = 'acknowledged'
  request.state = 'settled'
  return true
}

/** Tells another story about a settled hold: refused, with what stands. */
async function contradict(worker: Worker, request: Request): Promise<boolean> {
  const delivery = deliveryOf(request)
  const completionTokens = delivery.usage.completionTokens === 0 ? 1 : 0
  const usage = { ...delivery.usage, completionTokens }
  const answer = await worker.ask('settle', { ...delivery, usage })
  if (answer.kind === 'lost') return false
  const { cost } = priceOf(request.plan.tokens)
  const stands = answer.kind === 'refused' && answer.facts['capturedNanoUsd'] === cost.toString()
  if (answer.kind === 'refused' && !stands) return outage(answer, 'what stands must be told')
  must(stands, `hold ${request.holdId} must be settled once, ${told(answer)}`)
  return true
}

/** Releases, again or for the first time. */
async function voidHold(worker: Worker, request: Request): Promise<boolean> {
  if (request.voided === 'unasked') request.voided = 'asked'
  const { gateway } = request.plan
  const answer = await worker.ask('voidHold', { holdId: request.holdId, gateway })
  if (answer.kind === 'lost') return false
  if (answer.kind === 'refused') {
    // A settlement that was sent before goes first.
    if (answer.code !== 'hold_closed' || request.settled === 'unasked') {
      return outage(answer, `hold ${request.holdId} must be released`)
    }
  }
  request.voided = 'acknowledged'
  if (request.settled === 'unasked') request.state = 'voided'
  return true
}

/** Claims as the provider, again or for the first time. */
async function claim(worker: Worker, request: Request): Promise<boolean> {
  if (request.claimed === 'unasked') request.claimed = 'asked'
  const answer = await worker.ask('claim', deliveryOf(request))
  if (answer.kind === 'lost') return false
  if (answer.kind === 'refused') {
    return outage(answer, `the claim for ${request.holdId} must be kept`)
  }
  request.claimed = 'acknowledged'
  return true
}

/** Goes through a request as its plan says. False where the ledger ended on the way. */
export async function carryOut(worker: Worker, request: Request): Promise<boolean> {
  const { end, repeats } = request.plan
  if (!(await authorise(worker, request))) return false
  if (request.holdId === '') return true
  if (repeats && !(await authorise(worker, request))) return false
  for (const step of STEPS[end]) {
    if (!(await step(worker, request))) return false
    if (repeats && !(await step(worker, request))) return false
  }
  return !repeats || request.settled !== 'acknowledged' || contradict(worker, request)
}

type Step = (worker: Worker, request: Request) => Promise<boolean>

async function settleAndVoid(worker: Worker, request: Request): Promise<boolean> {
  const both = [settle(worker, request), voidHold(worker, request)]
  return (await Promise.all(both)).every(Boolean)
}

const STEPS: Readonly<Record<Plan['end'], readonly Step[]>> = {
  settle: [settle],
  void: [voidHold],
  claim: [claim],
  both: [claim, settle],
  race: [settleAndVoid],
  abandon: [],
}

/** Asks again for all that is in doubt or was acknowledged of a request, until its state is known. */
export async function recheck(worker: Worker, request: Request): Promise<void> {
  if (request.authorised === 'unasked' || request.authorised === 'refused') return
  await certain(authorise(worker, request))
  if (request.holdId === '') return
  if (request.claimed !== 'unasked' && request.state === 'open') {
    await certain(claim(worker, request))
  }
  if (request.settled !== 'unasked') await certain(settle(worker, request))
  if (request.voided !== 'unasked') await certain(voidHold(worker, request))
}

async function certain(step: Promise<boolean>): Promise<void> {
  must(await step, 'a ledger that nobody disturbs must answer')
}

/** What a request has cost so far. */
export function costOf(request: Request): ReturnType<typeof priceOf> {
  return request.holdId !== '' && request.state === 'settled'
    ? priceOf(request.plan.tokens)
    : { cost: 0n, fee: 0n, share: 0n }
}

/** What a request has set aside now. */
export function heldBy({ plan, holdId, state }: Request): bigint {
  return holdId !== '' && state === 'open' ? ceilingOf(plan.promptTokensMax, plan.maxTokens) : 0n
}

/** What a gateway or a provider says about a request. */
export function deliveryOf({ plan, holdId }: Request) {
  const { gateway, provider, tokens } = plan
  const receipt = Buffer.from(`receipt ${holdId}`).toString('hex')
  const proof = { signedByProvider: true, receipt }
  return { holdId, gateway, provider, usage: tokens, finishReason: 'stop', ...proof }
}

type Refused = Extract<Answer<unknown>, { kind: 'refused' }>

/** A ledger that is stopping says so; anything else that refuses an honest client breaks a promise. */
export function outage(answer: Refused, promise = 'a request must be taken'): false {
  must(answer.code === 'ledger_unavailable', `${promise}, ${told(answer)}`)
  return false
}

function told(answer: Answer<unknown>): string {
  if (answer.kind === 'ok') {
    return `and the answer was ${JSON.stringify(answer.answer).slice(0, ANSWER_LENGTH_MAX)}`
  }
  return answer.kind === 'lost'
    ? 'and there was no answer'
    : `and it said ${answer.code}: ${answer.message}`
}
