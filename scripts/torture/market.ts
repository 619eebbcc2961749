import { createHash } from 'node:crypto'
import type { Random } from './random.ts'
import type { Worker } from './tortured-process.ts'

/** What is for sale. Odd prices, so that every amount has to be rounded. */
export const MODEL = 'tortured'
const INPUT = 50_000_017n
const CACHED = 10_000_003n
const OUTPUT = 200_000_033n
const FEE_BASIS_POINTS = 1_013n
const UNITS = 1_000_000n

/** Peers that ask; the ledger trusts the edge in front of it for who they are. */
export const GATEWAYS = ['gateway-one', 'gateway-two', 'gateway-three'] as const
const PROVIDERS = ['provider-one', 'provider-two'] as const

/** Far above a lease of 60 s. */
export const LEASE_OVER_MS = 61_000

/** Tokens of one delivery; `cachedTokens` are part of `promptTokens`. */
export interface Tokens {
  promptTokens: number
  cachedTokens: number
  completionTokens: number
}

/** What a delivery costs and who gets it, worked out here and not by the code under torture. */
export function priceOf(tokens: Tokens): { cost: bigint; fee: bigint; share: bigint } {
  const fresh = BigInt(tokens.promptTokens - tokens.cachedTokens)
  const units =
    fresh * INPUT + BigInt(tokens.cachedTokens) * CACHED + BigInt(tokens.completionTokens) * OUTPUT
  const cost = (units + UNITS - 1n) / UNITS
  const fee = (cost * FEE_BASIS_POINTS) / 10_000n
  return { cost, fee, share: cost - fee }
}

/** What is set aside for a request: all input fresh, all output used. */
export function ceilingOf(promptTokensMax: number, maxTokens: number): bigint {
  const tokens = { promptTokens: promptTokensMax, cachedTokens: 0, completionTokens: maxTokens }
  return priceOf(tokens).cost
}

/** A customer with a key. */
export interface Customer {
  accountId: string
  keyHash: string
}

/** Opens customers with a key each. */
export async function openCustomers(worker: Worker, count: number): Promise<Customer[]> {
  const customers: Customer[] = []
  for (let index = 0; index < count; index += 1) {
    const account = { kind: 'developer', label: `customer ${index}` }
    const { accountId } = await worker.demand<{ accountId: string }>('createAccount', account)
    customers.push({ accountId, keyHash: (await issueKey(worker, accountId)).keyHash })
  }
  return customers
}

/** Makes another key of an account. */
export async function issueKey(
  worker: Worker,
  accountId: string,
): Promise<{ keyId: string; keyHash: string }> {
  const request = { accountId, name: 'torture', mode: 'live' }
  const made = await worker.demand<{ text: string; key: { keyId: string } }>('createKey', request)
  const keyHash = createHash('sha256').update(made.text).digest('hex')
  return { keyId: made.key.keyId, keyHash }
}

/** Puts prices and providers into a new ledger. */
export async function openMarket(worker: Worker): Promise<void> {
  const price = { inputNanoUsd: INPUT, cachedInputNanoUsd: CACHED, outputNanoUsd: OUTPUT }
  const texts = Object.entries(price).map(([name, amount]) => [name, amount.toString()])
  await worker.demand('setPrices', {
    version: 1,
    effectiveAtMs: 0,
    feeBasisPoints: Number(FEE_BASIS_POINTS),
    models: [{ model: MODEL, ...Object.fromEntries(texts) }],
  })
  for (const peerId of PROVIDERS) {
    const account = { kind: 'provider', label: peerId }
    const { accountId } = await worker.demand<{ accountId: string }>('createAccount', account)
    const enrolment = { role: 'provider', accountId, expiresAtMs: 4_000_000_000_000 }
    const { token } = await worker.demand<{ token: string }>('createEnrolment', enrolment)
    await worker.demand('enrol', { token, peerId })
  }
}

/** What a client means to do with one request. */
export interface Plan {
  requestId: string
  gateway: string
  provider: string
  promptTokensMax: number
  maxTokens: number
  tokens: Tokens
  /**
   * `settle`: the ordinary way. `void`: nothing was delivered. `claim`: the gateway died and the provider claims.
   * `both`: a claim and then a settlement. `race`: settlement and void at once. `abandon`: nobody comes back.
   */
  end: 'settle' | 'void' | 'claim' | 'both' | 'race' | 'abandon'
  /** Says everything twice. */
  repeats: boolean
}

/** How often each end comes up: half of the requests go the ordinary way. */
const ENDS: readonly Plan['end'][] = [
  'settle',
  'settle',
  'settle',
  'settle',
  'settle',
  'both',
  'race',
  'void',
  'claim',
  'abandon',
]

/** The next request of a client. */
export function planRequest(random: Random): Plan {
  const promptTokensMax = random.between(1, 2_000)
  const maxTokens = random.between(1, 500)
  const promptTokens = random.between(0, promptTokensMax)
  const cachedTokens = random.between(0, promptTokens)
  const completionTokens = random.between(0, maxTokens)
  return {
    requestId: random.bytes(16).toString('hex'),
    gateway: random.pick(GATEWAYS),
    provider: random.pick(PROVIDERS),
    promptTokensMax,
    maxTokens,
    tokens: { promptTokens, cachedTokens, completionTokens },
    end: random.pick(ENDS),
    repeats: random.chance(0.2),
  }
}
