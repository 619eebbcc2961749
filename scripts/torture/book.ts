import type { Customer } from './market.ts'
import { issueKey, LEASE_OVER_MS, type Plan } from './market.ts'
import { costOf, heldBy, newRequest, outage, type Request, recheck } from './request.ts'
import { must, type Witness, type Worker } from './tortured-process.ts'

interface Credit {
  id: string
  accountId: string
  amount: string
  isAcknowledged: boolean
}

/** The clients' own memory of a ledger: what they asked, what was acknowledged, and so what must be true. */
export interface Book {
  requests: Request[]
  credits: Credit[]
  /** Hashes of keys whose revocation was acknowledged. */
  revokedKeys: string[]
  /** How far the ledger was seen to be. */
  witness: Witness
  /** Requests before this one are closed and have been asked for again. */
  closedBefore: number
}

/** Closed requests that are asked for again each time, the latest ones; older ones are in the sums. */
const CLOSED_AGAIN_MAX = 300

/** Empty memory of a new ledger. */
export function createBook(): Book {
  const witness = { nextSeq: 0, hash: '' }
  return { requests: [], credits: [], revokedKeys: [], witness, closedBefore: 0 }
}

/** Notes a request before it is asked. */
export function begin(book: Book, customer: Customer, plan: Plan): Request {
  const request = newRequest(customer, plan)
  book.requests.push(request)
  return request
}

/** Deposits money. False where the ledger ended meanwhile. */
export async function deposit(
  book: Book,
  worker: Worker,
  wanted: { id: string; accountId: string; amount: bigint },
): Promise<boolean> {
  const credit = { ...wanted, amount: wanted.amount.toString(), isAcknowledged: false }
  book.credits.push(credit)
  const answer = await worker.ask('deposit', textOf(credit))
  if (answer.kind === 'lost') return false
  if (answer.kind === 'refused') return outage(answer, 'a deposit must be taken')
  credit.isAcknowledged = true
  return true
}

/** Makes a key and revokes it. False where the ledger ended meanwhile. */
export async function revokeOne(book: Book, worker: Worker, accountId: string): Promise<boolean> {
  const key = await issueKey(worker, accountId).catch(() => undefined)
  if (key === undefined) return false
  const answer = await worker.ask('revokeKey', { keyId: key.keyId })
  if (answer.kind === 'ok') book.revokedKeys.push(key.keyHash)
  return answer.kind === 'ok'
}

/** Takes note of how far a ledger was seen to be. */
export function see(book: Book, seen: Witness): void {
  if (seen.nextSeq > book.witness.nextSeq) book.witness = seen
}

/**
 * Asks again for all that is in doubt or was acknowledged, and compares every sum. Throws a violation where something
 * acknowledged is not there, was done twice, or an amount is not what it must be.
 */
export async function reconcile(book: Book, worker: Worker): Promise<void> {
  if (book.witness.nextSeq > 0) {
    const isThere = await worker.demand<boolean>('hasHead', book.witness)
    must(isThere, `the journal must reach entry ${book.witness.nextSeq} as it was seen`)
  }
  await recheckCredits(book, worker)
  for (const keyHash of book.revokedKeys) {
    const answer = await worker.ask('keyInfo', { keyHash })
    const isRevoked = answer.kind === 'refused' && answer.code === 'api_key_revoked'
    must(isRevoked, 'a revoked key must stay revoked')
  }
  const { requests } = book
  const from = Math.max(0, Math.min(book.closedBefore, requests.length - CLOSED_AGAIN_MAX))
  await Promise.all(requests.slice(from).map((request) => recheck(worker, request)))
  const open = requests.findIndex(isOpen)
  book.closedBefore = open === -1 ? requests.length : open
  await compareBalances(book, worker)
  await compareReport(book, worker)
}

async function recheckCredits(book: Book, worker: Worker): Promise<void> {
  for (const credit of book.credits) {
    const { repeated } = await worker.demand<{ repeated: boolean }>('deposit', textOf(credit))
    must(repeated || !credit.isAcknowledged, `the acknowledged deposit ${credit.id} must be there`)
    credit.isAcknowledged = true
  }
}

async function compareBalances(book: Book, worker: Worker): Promise<void> {
  for (const accountId of new Set(book.credits.map((credit) => credit.accountId))) {
    const credits = book.credits.filter((credit) => credit.accountId === accountId)
    const requests = book.requests.filter(({ customer }) => customer.accountId === accountId)
    const spent = sum(requests.map((request) => costOf(request).cost))
    const wanted = sum(credits.map(({ amount }) => BigInt(amount))) - spent
    const wantedHeld = sum(requests.map(heldBy))
    const balance = await worker.demand<Record<string, string>>('balance', { accountId })
    const left = BigInt(balance['promoNanoUsd'] ?? 0) + BigInt(balance['paidNanoUsd'] ?? 0)
    const held = BigInt(balance['heldNanoUsd'] ?? 0)
    must(left === wanted, `${accountId} must have ${wanted}, and has ${left}`)
    must(held === wantedHeld, `${accountId} must hold ${wantedHeld}, and holds ${held}`)
    must(held <= left, `${accountId} must not be overspent`)
  }
}

interface Report {
  problems: string[]
  holds: Record<string, number>
  sumCaptured: string
  sumFees: string
  sumProviderShares: string
}

async function compareReport(book: Book, worker: Worker): Promise<void> {
  const report = await worker.demand<Report>('verify')
  must(report.problems.length === 0, `the books must balance: ${report.problems[0]}`)
  const costs = book.requests.map(costOf)
  const wanted = {
    sumCaptured: sum(costs.map(({ cost }) => cost)),
    sumFees: sum(costs.map(({ fee }) => fee)),
    sumProviderShares: sum(costs.map(({ share }) => share)),
  }
  for (const [name, amount] of Object.entries(wanted)) {
    const found = BigInt(report[name as keyof typeof wanted])
    must(found === amount, `${name} must be ${amount}, and is ${found}`)
  }
  const open = book.requests.filter(isOpen).length
  must(report.holds['open'] === open, `${open} holds must be open, not ${report.holds['open']}`)
}

/** Lets every lease run out. Only while nobody else asks. */
export async function expireAll(book: Book, worker: Worker): Promise<void> {
  await worker.demand('expire', { advanceMs: LEASE_OVER_MS })
  for (let left = await worker.demand<number>('openHolds'); left > 0; ) {
    await worker.demand('expire', { advanceMs: 0 })
    const now = await worker.demand<number>('openHolds')
    must(now < left, `leases that have run out must end, and ${now} do not`)
    left = now
  }
  for (const request of book.requests.filter(isOpen)) {
    request.state = request.claimed === 'acknowledged' ? 'settled' : 'expired'
  }
}

function isOpen({ holdId, state }: Request): boolean {
  return holdId !== '' && state === 'open'
}

function textOf({ id, accountId, amount }: Credit) {
  return { id, accountId, amount }
}

function sum(amounts: readonly bigint[]): bigint {
  return amounts.reduce((total, amount) => total + amount, 0n)
}
