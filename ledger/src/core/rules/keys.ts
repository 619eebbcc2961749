import type { ApiKey } from '../records.ts'
import { accept, type Decision, refuse } from '../refusal.ts'
import type { LedgerState } from '../state.ts'
import { noAccount } from './accounts.ts'

/** Most keys of one account, revoked ones included: enough for a key per service and year. */
const KEYS_PER_ACCOUNT_MAX = 1_000

/** Enters a new key of a developer's account. */
export function issueKey(
  state: LedgerState,
  key: Omit<ApiKey, 'createdAtMs' | 'revokedAtMs'>,
  nowMs: number,
): Decision<ApiKey> {
  const account = state.accounts.get(key.accountId)
  if (account === undefined) return noAccount(key.accountId)
  if (account.kind !== 'developer') {
    return refuse('invalid_request', `a ${account.kind} account has no API keys`)
  }
  if (account.state !== 'active') return refuse('account_suspended', 'the account is suspended')
  if (keysOf(state, key.accountId).length >= KEYS_PER_ACCOUNT_MAX) {
    return refuse('conflict', 'the account has too many keys', { max: KEYS_PER_ACCOUNT_MAX })
  }
  if (state.keyIds.has(key.hash) || state.keys.has(key.keyId)) {
    return refuse('conflict', 'this key exists')
  }
  const issued: ApiKey = { ...key, createdAtMs: nowMs }
  return accept(issued, [{ type: 'key', key: issued }])
}

/** Revokes a key for good. Again is harmless. */
export function revokeKey(
  state: LedgerState,
  command: { keyId: string },
  nowMs: number,
): Decision<ApiKey> {
  const key = state.keys.get(command.keyId)
  if (key === undefined)
    return refuse('not_found', 'there is no such key', { keyId: command.keyId })
  if (key.revokedAtMs !== undefined) return accept(key)
  return accept({ ...key, revokedAtMs: nowMs }, [{ type: 'keyRevoked', keyId: key.keyId }])
}

/** All keys of an account, oldest first. */
export function keysOf(state: LedgerState, accountId: string): ApiKey[] {
  return [...state.keys.values()].filter((key) => key.accountId === accountId)
}
