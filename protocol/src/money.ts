/** An amount in nano-USD (1e-9 US dollar). A cent is 10,000,000. Never a `number`: those are exact only to $9.0 million. */
export type NanoUsd = bigint

/** Nano-USD in one US dollar. */
export const NANO_USD_PER_USD = 1_000_000_000n

/** Nano-USD in one US cent. */
export const NANO_USD_PER_CENT = 10_000_000n

/**
 * Writes an amount as dollars with nine decimals trimmed to at least two, e.g. `$0.0012`, `-$3.50`.
 * For people; wires carry the plain decimal string of the bigint.
 */
export function formatUsd(amount: NanoUsd): string {
  const sign = amount < 0n ? '-' : ''
  const absolute = amount < 0n ? -amount : amount
  const whole = absolute / NANO_USD_PER_USD
  const fraction = (absolute % NANO_USD_PER_USD)
    .toString()
    .padStart(9, '0')
    .replace(/0{1,7}$/, '')
  return `${sign}$${whole}.${fraction}`
}

/**
 * Reads a dollar amount such as `5`, `5.00` or `$0.0012` into nano-USD.
 * Returns undefined for anything else: a sign, more than nine decimals, exponents, separators.
 */
export function parseUsd(text: string): NanoUsd | undefined {
  const match = /^\$?(\d{1,12})(?:\.(\d{1,9}))?$/.exec(text.trim())
  if (match === null) return undefined
  const [, whole = '0', fraction = ''] = match
  return BigInt(whole) * NANO_USD_PER_USD + BigInt(fraction.padEnd(9, '0'))
}
