import { LexoraError } from '@lexora/protocol'
import { z } from 'zod'
import type { LedgerService } from '../service.ts'

/** Checks its input, then has the service do it. Throws `invalid_request` and what the service throws. */
export type Operation = (service: LedgerService, input: unknown) => Promise<unknown>

/** Entries of one list at most, newest kept: what a terminal and a socket line can take. */
const LIST_LENGTH_MAX = 10_000

/** An id or another short text. */
export const text: z.ZodType<string> = z.string().min(1).max(128)
/** Nano-USD as decimal digits. */
export const amount: z.ZodType<bigint> = z
  .string()
  .regex(/^\d{1,19}$/)
  .transform((digits) => BigInt(digits))
/** Unix ms. */
export const timeMs: z.ZodType<number> = z.number().int().nonnegative()
/** Most entries of a list. */
export const limit: z.ZodType<number> = z.number().int().min(1).max(LIST_LENGTH_MAX)
/** What one model costs. */
export const modelPrices: z.ZodType<
  { model: string; inputNanoUsd: bigint; cachedInputNanoUsd: bigint; outputNanoUsd: bigint }[]
> = z
  .array(
    z.strictObject({
      model: text,
      inputNanoUsd: amount,
      cachedInputNanoUsd: amount,
      outputNanoUsd: amount,
    }),
  )
  .max(512)

/** An operation from the schema of its input and what it does. */
export function operation<I>(
  schema: z.ZodType<I>,
  run: (service: LedgerService, input: I) => unknown,
): Operation {
  return async (service, input) => {
    const parsed = schema.safeParse(input)
    if (parsed.success) return run(service, parsed.data)
    const [issue] = parsed.error.issues
    const where = issue?.path.join('.') ?? ''
    const fault = issue?.message ?? 'is not valid'
    throw new LexoraError('invalid_request', where === '' ? fault : `${where}: ${fault}`)
  }
}
