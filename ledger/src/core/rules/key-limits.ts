import { type ModelPrice, type NanoUsd, PRICE_UNITS } from '@lexora/protocol'
import type { ApiKey, KeyLimits } from '../records.ts'
import type { Refusal } from '../refusal.ts'
import { SPEND_SPANS, type SpendSpan, spanEndMs, spentIn } from '../spending.ts'
import { type LedgerState, spendingOf } from '../state.ts'

/** A hold that is asked for, with what it can cost. */
export interface WantedHold {
  command: { model: string; promptTokensMax: number }
  price: ModelPrice
  ceiling: NanoUsd
}

const SPAN_LIMITS: Readonly<Record<SpendSpan, keyof KeyLimits & `${SpendSpan}NanoUsd`>> = {
  day: 'dayNanoUsd',
  week: 'weekNanoUsd',
  month: 'monthNanoUsd',
}

/**
 * Why a key's own limits forbid a hold. What running requests hold counts as spent, so that no number of them at any
 * number of gateways goes beyond a limit; a hold that runs over midnight counts in both days.
 */
export function limitFault(
  state: LedgerState,
  key: ApiKey,
  wanted: WantedHold,
  nowMs: number,
): Refusal | undefined {
  const { limits } = key
  if (limits === undefined) return undefined
  const { model } = wanted.command
  if (limits.models !== undefined && !limits.models.includes(model)) {
    const facts = { model, keyId: key.keyId }
    return { code: 'model_not_allowed', message: 'the API key is not for this model', facts }
  }
  const { spending } = spendingOf(state, key.keyId)
  for (const span of SPEND_SPANS) {
    const limit = limits[SPAN_LIMITS[span]]
    if (limit === undefined) continue
    const left = limit - spentIn(spending, span, nowMs)
    if (wanted.ceiling + spending.held <= left) continue
    return spendFault(wanted, { span, limit, left, held: spending.held, nowMs })
  }
  return undefined
}

interface SpendFacts {
  span: SpendSpan
  limit: NanoUsd
  left: NanoUsd
  held: NanoUsd
  nowMs: number
}

/** Final where the limit's rest does not cover it; `credit_reserved` where running requests hold what is missing. */
function spendFault(wanted: WantedHold, { span, limit, left, held, nowMs }: SpendFacts): Refusal {
  const costNanoUsd = wanted.ceiling.toString()
  const balanceNanoUsd = (left > 0n ? left : 0n).toString()
  const facts = { costNanoUsd, balanceNanoUsd, limit: span, limitNanoUsd: limit.toString() }
  if (wanted.ceiling <= left) {
    return {
      code: 'credit_reserved',
      message: `running requests reserve what the key may spend this ${span}`,
      facts: { ...facts, reservedNanoUsd: held.toString() },
    }
  }
  const maxTokensThatFit = tokensThatFit(wanted.price, wanted.command.promptTokensMax, left)
  return {
    code: 'key_limit_reached',
    message: `the key may not spend that much this ${span}`,
    facts: { ...facts, maxTokensThatFit, resetsAtMs: spanEndMs(span, nowMs) },
  }
}

/** The most output tokens that an amount covers after the prompt; 0 where not even the prompt fits. */
export function tokensThatFit(price: ModelPrice, promptTokens: number, amount: NanoUsd): number {
  const left = amount * PRICE_UNITS - BigInt(promptTokens) * price.inputNanoUsd
  if (left <= 0n || price.outputNanoUsd === 0n) return 0
  return Number(left / price.outputNanoUsd)
}
