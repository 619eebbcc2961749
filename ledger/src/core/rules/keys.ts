import type { ApiKey, KeyLimits } from '../records.ts'
import { accept, type Decision, refuse } from '../refusal.ts'
import type { LedgerState } from '../state.ts'
import { isActive, noAccount, refuseInactive, termsDue } from './accounts.ts'

/** Most keys of one account, revoked ones included: enough for a key per service and year. */
const KEYS_PER_ACCOUNT_MAX = 1_000
/** Most models that a key can be limited to; what one price list can name. */
const KEY_MODELS_MAX = 512

/** A key as its owner asks for it. */
export type NewKey = Omit<ApiKey, 'createdAtMs' | 'revokedAtMs' | 'spendsAs'>

/** Enters a new key of a developer's account. */
export function issueKey(state: LedgerState, key: NewKey, nowMs: number): Decision<ApiKey> {
  const account = state.accounts.get(key.accountId)
  if (account === undefined) return noAccount(key.accountId)
  if (account.kind !== 'developer') {
    return refuse('invalid_request', `a ${account.kind} account has no API keys`)
  }
  if (!isActive(account, nowMs)) return refuseInactive(account)
  const version = termsDue(state, account)
  if (version !== undefined) {
    return refuse('forbidden', 'the terms have changed: accept them first', { terms: version })
  }
  const fault = keyFault(key, nowMs)
  if (fault !== undefined) return refuse('invalid_request', fault)
  if (keysOf(state, key.accountId).length >= KEYS_PER_ACCOUNT_MAX) {
    return refuse('conflict', 'the account has too many keys', { max: KEYS_PER_ACCOUNT_MAX })
  }
  if (state.keyIds.has(key.hash) || state.keys.has(key.keyId)) {
    return refuse('conflict', 'this key exists')
  }
  const issued: ApiKey = { ...key, createdAtMs: nowMs }
  return accept(issued, [{ type: 'key', key: issued }])
}

/** What of a key can be changed. Absent: as it is; null: no such limit any more. */
export interface ChangeKeyCommand {
  keyId: string
  name?: string
  expiresAtMs?: number | null
  limits?: KeyLimits | null
}

/** Changes a key's name, expiry or limits. What it has spent stays counted. */
export function changeKey(
  state: LedgerState,
  command: ChangeKeyCommand,
  nowMs: number,
): Decision<ApiKey> {
  const key = goodKey(state, command.keyId)
  if ('ok' in key) return key
  const { expiresAtMs: expires, limits: limited, ...rest } = key
  const { name = key.name, expiresAtMs = expires, limits = limited } = command
  const changed: ApiKey = {
    ...rest,
    name,
    ...(expiresAtMs === undefined || expiresAtMs === null ? {} : { expiresAtMs }),
    ...(limits === undefined || limits === null ? {} : { limits }),
  }
  const fault = keyFault(changed, nowMs)
  if (fault !== undefined) return refuse('invalid_request', fault)
  return accept(changed, [{ type: 'keyChanged', key: changed }])
}

/** A new text for a key. */
export interface RotateKeyCommand extends Pick<NewKey, 'hash' | 'prefix' | 'last4'> {
  keyId: string
  newKeyId: string
  /** How long the old text is good still; 0: not at all. */
  graceMs: number
}

/** Enters a key in place of another, with its name, limits and what it has spent; the old one ends now or after a grace. */
export function rotateKey(
  state: LedgerState,
  command: RotateKeyCommand,
  nowMs: number,
): Decision<ApiKey> {
  const old = goodKey(state, command.keyId)
  if ('ok' in old) return old
  const { graceMs, newKeyId, hash, prefix, last4 } = command
  const spendsAs = old.spendsAs ?? old.keyId
  const issued = issueKey(state, { ...old, keyId: newKeyId, hash, prefix, last4 }, nowMs)
  if (!issued.ok) return issued
  const key: ApiKey = { ...issued.answer, spendsAs }
  const endsAtMs = Math.min(nowMs + graceMs, old.expiresAtMs ?? Number.POSITIVE_INFINITY)
  return accept(key, [
    { type: 'key', key },
    graceMs === 0
      ? { type: 'keyRevoked', keyId: old.keyId }
      : { type: 'keyChanged', key: { ...old, expiresAtMs: endsAtMs } },
  ])
}

/** Revokes a key for good. Again is harmless. */
export function revokeKey(
  state: LedgerState,
  command: { keyId: string },
  nowMs: number,
): Decision<ApiKey> {
  const key = state.keys.get(command.keyId)
  if (key === undefined) return noKey(command.keyId)
  if (key.revokedAtMs !== undefined) return accept(key)
  return accept({ ...key, revokedAtMs: nowMs }, [{ type: 'keyRevoked', keyId: key.keyId }])
}

/** All keys of an account, oldest first. */
export function keysOf(state: LedgerState, accountId: string): ApiKey[] {
  const keyIds = state.accountKeys.get(accountId) ?? []
  return keyIds.flatMap((keyId) => state.keys.get(keyId) ?? [])
}

function goodKey(state: LedgerState, keyId: string): ApiKey | ReturnType<typeof refuse> {
  const key = state.keys.get(keyId)
  if (key === undefined) return noKey(keyId)
  return key.revokedAtMs === undefined
    ? key
    : refuse('api_key_revoked', 'the API key has been revoked', { keyId })
}

function keyFault(key: Pick<ApiKey, 'expiresAtMs' | 'limits'>, nowMs: number): string | undefined {
  if (key.expiresAtMs !== undefined && key.expiresAtMs <= nowMs) {
    return 'the key would have expired already'
  }
  const { dayNanoUsd, weekNanoUsd, monthNanoUsd, models, requestsPerMinute, tokensPerMinute } =
    key.limits ?? {}
  const amounts = [dayNanoUsd, weekNanoUsd, monthNanoUsd]
  if (amounts.some((amount) => amount !== undefined && amount < 0n)) {
    return 'a spend limit is at least 0'
  }
  const rates = [requestsPerMinute, tokensPerMinute]
  if (rates.some((rate) => rate !== undefined && (!Number.isSafeInteger(rate) || rate < 1))) {
    return 'a rate limit is a whole number from 1'
  }
  if ((models?.length ?? 0) > KEY_MODELS_MAX) return `at most ${KEY_MODELS_MAX} models`
  return undefined
}

function noKey(keyId: string): ReturnType<typeof refuse> {
  return refuse('not_found', 'there is no such key', { keyId })
}
