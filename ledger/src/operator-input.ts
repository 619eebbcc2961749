import { LexoraError, type NanoUsd, parseUsd } from '@lexora/protocol'
import { z } from 'zod'

const usd = z.string().transform((text, context) => {
  const amount = parseUsd(text)
  if (amount !== undefined) return amount
  context.addIssue('must be dollars such as "0.15"')
  return z.NEVER
})

const schema = z.strictObject({
  version: z.number().int().positive().optional(),
  effectiveAt: z.iso.datetime({ offset: true }).optional(),
  feeBasisPoints: z.number().int().min(0).max(10_000),
  models: z.array(
    z.strictObject({
      model: z.string().min(1),
      inputUsd: usd,
      cachedInputUsd: usd.optional(),
      outputUsd: usd,
    }),
  ),
})

/** A price list as an operator writes it, ready for the operation `prices.set`. */
export interface PriceFile {
  version?: number
  effectiveAtMs?: number
  feeBasisPoints: number
  models: {
    model: string
    inputNanoUsd: string
    cachedInputNanoUsd: string
    outputNanoUsd: string
  }[]
}

/**
 * Reads a price file: JSON with dollars per million tokens, e.g. `{"feeBasisPoints": 2000, "models": [{"model": "m",
 * "inputUsd": "0.15", "cachedInputUsd": "0.05", "outputUsd": "0.60"}]}`. Cached input costs as fresh input where it is
 * not named. Throws `invalid_request` that names the field.
 */
export function parsePriceFile(text: string): PriceFile {
  const parsed = schema.safeParse(parseJson(text))
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    const where = issue?.path.join('.') ?? ''
    throw new LexoraError('invalid_request', `price file: ${where}: ${issue?.message ?? ''}`)
  }
  const { version, effectiveAt, feeBasisPoints, models } = parsed.data
  return {
    ...(version === undefined ? {} : { version }),
    ...(effectiveAt === undefined ? {} : { effectiveAtMs: Date.parse(effectiveAt) }),
    feeBasisPoints,
    models: models.map(({ model, inputUsd, cachedInputUsd = inputUsd, outputUsd }) => ({
      model,
      inputNanoUsd: digits(inputUsd),
      cachedInputNanoUsd: digits(cachedInputUsd),
      outputNanoUsd: digits(outputUsd),
    })),
  }
}

/** Nano-USD, as decimal digits, of dollars such as `5.00`. Throws `invalid_request`. */
export function parseAmount(usdText: string): string {
  const amount = parseUsd(usdText)
  if (amount !== undefined) return amount.toString()
  throw new LexoraError('invalid_request', `"${usdText}" is not an amount of dollars such as 5.00`)
}

/** Milliseconds of `30s`, `15m`, `24h` or `7d`. Throws `invalid_request`. */
export function parseDuration(text: string): number {
  const match = /^(\d{1,6})([smhd])$/.exec(text)
  const unitMs = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }
  if (match === null) {
    throw new LexoraError('invalid_request', `"${text}" is not a time span such as 30m, 24h or 7d`)
  }
  return Number(match[1]) * unitMs[match[2] as keyof typeof unitMs]
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new LexoraError('invalid_request', 'price file: it is not JSON', { cause })
  }
}

function digits(amount: NanoUsd): string {
  return amount.toString()
}
