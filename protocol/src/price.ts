import type { Usage } from './inference.ts'
import type { NanoUsd } from './money.ts'

/** Units that one price is quoted for: cheap models cost less than one nano-USD per token. */
export const PRICE_UNITS = 1_000_000n

/** Fee shares are basis points of the cost: 10,000 is all of it. */
export const BASIS_POINTS = 10_000n

/** What one model costs, each in nano-USD per million tokens. */
export interface ModelPrice {
  model: string
  inputNanoUsd: NanoUsd
  /** Price of prompt tokens that the provider's slot already held. */
  cachedInputNanoUsd: NanoUsd
  outputNanoUsd: NanoUsd
}

/** A whole price list. A request is charged at the version that its voucher names. */
export interface PriceList {
  version: number
  /** Unix time in ms from which this version applies to new holds. */
  effectiveAtMs: number
  /** The network's fee in basis points of the cost; the provider gets the rest. */
  feeBasisPoints: number
  models: ModelPrice[]
}

/** How one captured cost is divided. `fee + providerShare === cost`, exactly. */
export interface CostSplit {
  cost: NanoUsd
  fee: NanoUsd
  providerShare: NanoUsd
}

/**
 * What the usage costs: `ceil(sum(units x price) / 1e6)`, rounded up once per request (design: Money).
 * `usage.cachedTokens` are part of `usage.promptTokens` and are charged at the cached price.
 */
export function quote(price: ModelPrice, usage: Usage): NanoUsd {
  const fresh = BigInt(usage.promptTokens - usage.cachedTokens)
  const total =
    fresh * price.inputNanoUsd +
    BigInt(usage.cachedTokens) * price.cachedInputNanoUsd +
    BigInt(usage.completionTokens) * price.outputNanoUsd
  return (total + PRICE_UNITS - 1n) / PRICE_UNITS
}

/** Splits a cost: `fee = floor(cost x bps / 1e4)`; the provider gets the rest. */
export function splitCost(cost: NanoUsd, feeBasisPoints: number): CostSplit {
  const fee = (cost * BigInt(feeBasisPoints)) / BASIS_POINTS
  return { cost, fee, providerShare: cost - fee }
}

/** The price of a model in a list, or undefined where the list does not sell it. */
export function findPrice(list: PriceList, model: string): ModelPrice | undefined {
  return list.models.find((price) => price.model === model)
}
