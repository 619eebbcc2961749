import { findPrice, type ModelPrice, type NanoUsd, quote } from '@lexora/protocol'
import { availableIn, type Release, type Transfer, totalsOf } from '../books.ts'
import { freeAccount, paidAccount, promoAccount, SETTLE_ACCOUNT } from '../chart.ts'
import type { ApiKey, Hold, HoldPart } from '../records.ts'
import { accept, type Decision, type Refusal, refuse } from '../refusal.ts'
import { type LedgerState, requestKey, resolutionId } from '../state.ts'
import { isActive, refuseInactive } from './accounts.ts'
import { type FreeCredit, freeCredit } from './free-tier.ts'
import { limitFault, tokensThatFit, type WantedHold } from './key-limits.ts'
import { pricesAt, pricesOf } from './prices.ts'

/** Most holds that are open at once: what 10,000 requests per second keep open for 10 s. */
const OPEN_HOLDS_MAX = 100_000

/** Asks to set money aside for one request. */
export interface PlaceHoldCommand {
  /** Made by the ledger's service for this command; unused where the request has its hold already. */
  holdId: string
  keyHash: string
  requestId: string
  gateway: string
  model: string
  promptTokensMax: number
  maxTokens: number
  isStorageLow: boolean
}

/** A placed hold with the prices that it will be charged at. */
export interface PlacedHold {
  hold: Hold
  price: ModelPrice
  feeBasisPoints: number
}

/**
 * Sets money aside for the worst case of a request: all input fresh, all output used. Promotional credit first.
 * Steps: who asks; the same request again; what it can cost; whether it is there; the pending transfers.
 */
export function placeHold(
  state: LedgerState,
  command: PlaceHoldCommand,
  nowMs: number,
): Decision<PlacedHold> {
  const found = spendingKey(state, command.keyHash, nowMs)
  if ('ok' in found) return found
  const { key } = found
  const before = state.holdIds.get(requestKey(command.gateway, command.requestId))
  if (before !== undefined) return repeatHold(state, command, { holdId: before, keyId: key.keyId })

  const list = pricesAt(state, nowMs)
  const price = findPrice(list, command.model)
  if (price === undefined) {
    return refuse('model_not_found', 'the model is not for sale', { model: command.model })
  }
  const ceiling = quote(price, {
    promptTokens: command.promptTokensMax,
    cachedTokens: 0,
    completionTokens: command.maxTokens,
  })
  const wanted = { command, price, ceiling }
  const fault = placeFault(state, command) ?? limitFault(state, key, wanted, nowMs)
  if (fault !== undefined) return { ok: false, reason: fault }
  const { accountId } = key
  const free = freeCredit(state, { accountId, model: command.model }, nowMs)
  const parts = splitHold(state, accountId, { holdId: command.holdId, ceiling, free })
  if (parts === undefined) {
    return { ok: false, reason: refuseCredit(state, accountId, { ...wanted, free }) }
  }
  const hold: Hold = {
    holdId: command.holdId,
    requestId: command.requestId,
    accountId: key.accountId,
    keyId: key.keyId,
    gateway: command.gateway,
    model: command.model,
    priceVersion: list.version,
    promptTokensMax: command.promptTokensMax,
    maxTokens: command.maxTokens,
    ceiling,
    parts,
    placedAtMs: nowMs,
    state: 'open',
  }
  return accept({ hold, price, feeBasisPoints: list.feeBasisPoints }, [
    ...(parts.some((part) => part.source === 'free') ? free.changes : []),
    { type: 'hold', hold },
    { type: 'transfers', transfers: parts.map((part) => pendingTransfer(hold, part)) },
  ])
}

/** Why no hold at all can be placed now. */
function placeFault(state: LedgerState, command: PlaceHoldCommand): Refusal | undefined {
  if (command.isStorageLow) {
    const message = 'the ledger is short of disk space and makes no new promises'
    return { code: 'storage_full', message }
  }
  if (state.openHolds.size >= OPEN_HOLDS_MAX) {
    const facts = { max: OPEN_HOLDS_MAX }
    return { code: 'ledger_unavailable', message: 'too many requests are running', facts }
  }
  return undefined
}

/** Ends a hold on its gateway's word: nothing was delivered. Again is harmless; after a capture it is refused. */
export function voidHold(
  state: LedgerState,
  command: { holdId: string; gateway: string },
): Decision<Hold> {
  const hold = state.holds.get(command.holdId)
  if (hold === undefined) return refuseHoldUnknown(command.holdId)
  if (hold.gateway !== command.gateway) return refuseGateway()
  if (hold.state === 'captured') return { ok: false, reason: holdClosed(hold) }
  if (hold.state !== 'open') return accept(hold)
  return accept({ ...hold, state: 'voided' }, [
    { type: 'transfers', transfers: hold.parts.map((part) => release(part, 'void')) },
    { type: 'holdClosed', holdId: hold.holdId, state: 'voided' },
  ])
}

/** A hold with its prices. Price lists are never removed, so a hold's list is there. */
export function placedHold(state: LedgerState, hold: Hold): PlacedHold | undefined {
  const list = pricesOf(state, hold.priceVersion)
  const price = list === undefined ? undefined : findPrice(list, hold.model)
  if (list === undefined || price === undefined) return undefined
  return { hold, price, feeBasisPoints: list.feeBasisPoints }
}

/** The transfer that ends one part of a hold without taking anything. */
export function release(part: HoldPart, kind: Release['kind']): Release {
  return { id: resolutionId(part.transferId), kind, pendingId: part.transferId }
}

/** The refusal for a hold that has ended, with how. */
export function holdClosed(hold: Hold): Refusal {
  const { settlement } = hold
  const recorded =
    settlement === undefined
      ? {}
      : {
          capturedNanoUsd: settlement.cost.toString(),
          feeNanoUsd: settlement.fee.toString(),
          providerNanoUsd: settlement.providerShare.toString(),
          provider: settlement.provider,
          source: settlement.source,
        }
  return {
    code: 'hold_closed',
    message: `the hold has been ${hold.state}`,
    facts: { holdId: hold.holdId, state: hold.state, ...recorded },
  }
}

/** The refusal for a hold id that is not known, or forgotten long after it ended. */
export function refuseHoldUnknown(holdId: string): ReturnType<typeof refuse> {
  return refuse('hold_not_found', 'there is no such hold', { holdId })
}

/** The refusal for a gateway that speaks of another gateway's hold. */
export function refuseGateway(): ReturnType<typeof refuse> {
  return refuse('forbidden', 'the hold belongs to another gateway')
}

/** The key of a hash where it may spend, or why it may not. */
export function spendingKey(
  state: LedgerState,
  keyHash: string,
  nowMs: number,
): { key: ApiKey } | ReturnType<typeof refuse> {
  const key = state.keys.get(state.keyIds.get(keyHash) ?? '')
  if (key === undefined) return refuse('invalid_api_key', 'the API key is not known')
  const { keyId } = key
  if (key.revokedAtMs !== undefined) {
    return refuse('api_key_revoked', 'the API key has been revoked', { keyId })
  }
  const account = state.accounts.get(key.accountId)
  if (!isActive(account, nowMs)) return refuseInactive(account)
  if (key.expiresAtMs !== undefined && key.expiresAtMs <= nowMs) {
    return refuse('api_key_expired', 'the API key has expired', { keyId })
  }
  return { key }
}

function repeatHold(
  state: LedgerState,
  command: PlaceHoldCommand,
  known: { holdId: string; keyId: string },
): Decision<PlacedHold> {
  const hold = state.holds.get(known.holdId)
  const placed = hold === undefined ? undefined : placedHold(state, hold)
  if (hold === undefined || placed === undefined) return refuseHoldUnknown(known.holdId)
  const isSame =
    hold.keyId === known.keyId &&
    hold.model === command.model &&
    hold.promptTokensMax === command.promptTokensMax &&
    hold.maxTokens === command.maxTokens
  if (!isSame) return refuse('conflict', 'this request id was used for another request')
  return hold.state === 'open' ? accept(placed) : { ok: false, reason: holdClosed(hold) }
}

/** The parts of a hold: free, then promotional, then bought credit; undefined where they do not cover it. */
function splitHold(
  state: LedgerState,
  accountId: string,
  wanted: { holdId: string; ceiling: NanoUsd; free: FreeCredit },
): HoldPart[] | undefined {
  const sources = [
    ['free', wanted.free.available],
    ['promo', availableIn(state.books, promoAccount(accountId))],
    ['paid', availableIn(state.books, paidAccount(accountId))],
  ] as const
  const parts: HoldPart[] = []
  let left = wanted.ceiling
  for (const [source, available] of sources) {
    const amount = available < left ? available : left
    if (amount <= 0n) continue
    parts.push({ transferId: `${wanted.holdId}/${source}`, source, amount })
    left -= amount
  }
  if (left > 0n) return undefined
  return parts
}

const SOURCE_ACCOUNTS: Readonly<Record<HoldPart['source'], (accountId: string) => string>> = {
  free: freeAccount,
  promo: promoAccount,
  paid: paidAccount,
}

function pendingTransfer(hold: Hold, part: HoldPart): Transfer {
  const { transferId: id, source, amount } = part
  const debit = SOURCE_ACCOUNTS[source](hold.accountId)
  return { id, kind: 'hold', debit, credit: SETTLE_ACCOUNT, amount }
}

/** Final where even the whole balance does not cover it; `credit_reserved` where running requests hold what is missing. */
function refuseCredit(
  state: LedgerState,
  accountId: string,
  wanted: WantedHold & { free: FreeCredit },
): Refusal {
  const { free } = wanted
  const accounts = [promoAccount(accountId), paidAccount(accountId)]
  const totals = accounts.map((account) => totalsOf(state.books, account))
  const reserved = totals.reduce((sum, one) => sum + one.debitsPending, free.held)
  const bought = totals.reduce((sum, one) => sum + one.creditsPosted - one.debitsPosted, 0n)
  const balance = bought + free.available + free.held
  const why = free.why === undefined || free.why === 'off' ? {} : { freeTier: free.why }
  const costNanoUsd = wanted.ceiling.toString()
  const balanceNanoUsd = balance.toString()
  if (wanted.ceiling <= balance) {
    return {
      code: 'credit_reserved',
      message: 'running requests reserve the credit that this one needs',
      facts: { costNanoUsd, balanceNanoUsd, reservedNanoUsd: reserved.toString() },
    }
  }
  const maxTokensThatFit = tokensThatFit(wanted.price, wanted.command.promptTokensMax, balance)
  return {
    code: 'insufficient_credit',
    message: 'the balance does not cover what this request can cost',
    facts: { costNanoUsd, balanceNanoUsd, maxTokensThatFit, ...why },
  }
}
