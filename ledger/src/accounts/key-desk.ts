import type { KeyInfo } from '@lexora/protocol'
import type { ApiKey } from '../core/records.ts'
import { spendingKey } from '../core/rules/holds.ts'
import { issueKey, keysOf, revokeKey } from '../core/rules/keys.ts'
import { usageOf } from '../core/state.ts'
import { checkBytes, checkText, type Desk, hex, newId } from '../desk.ts'
import { refused } from '../store/writer.ts'
import { balanceOf } from './account-desk.ts'
import type { RevocationListener } from './revocations.ts'
import { hashSecret, makeSecret, SECRET_BYTES, SECRET_PREFIXES } from './secret.ts'

/** A key without what only the ledger needs. */
export type KeySummary = Omit<ApiKey, 'hash'>

/** API keys. */
export interface KeyDesk {
  /** The text is in this answer and nowhere else, ever. Throws `not_found`, `invalid_request`, `account_suspended`. */
  createKey(request: {
    accountId: string
    name: string
    mode: 'live' | 'test'
  }): Promise<{ text: string; key: KeySummary }>
  /** Good nowhere from the moment of the answer. Again is harmless. Throws `not_found`. */
  revokeKey(keyId: string): Promise<KeySummary>
  /** Oldest first, revoked ones included. */
  listKeys(accountId: string): KeySummary[]
  /** What a key's owner may know. Throws `invalid_api_key`, `api_key_revoked`, `account_suspended`. */
  keyInfo(keyHash: Uint8Array): KeyInfo
}

/** The part of the service that keeps API keys. */
export function createKeyDesk(desk: Desk, announce: RevocationListener): KeyDesk {
  const { writer, state, log } = desk
  return {
    async createKey({ accountId, name, mode }) {
      checkText(name, 'name')
      const text = makeSecret(mode, desk.random(SECRET_BYTES))
      const key = await writer.submit(issueKey, {
        keyId: newId(desk, 'key'),
        accountId,
        hash: hex(hashSecret(text)),
        prefix: SECRET_PREFIXES[mode],
        last4: text.slice(-4),
        name,
      })
      return { text, key: summary(key) }
    },
    async revokeKey(keyId) {
      const key = await writer.submit(revokeKey, { keyId })
      log.info({ keyId, accountId: key.accountId }, 'key revoked')
      announce({ keyHashes: [Buffer.from(key.hash, 'hex')], serials: [] })
      return summary(key)
    },
    listKeys: (accountId) => keysOf(state, accountId).map(summary),
    keyInfo(keyHash) {
      checkBytes(keyHash, 'keyHash', SECRET_BYTES)
      const found = spendingKey(state, hex(keyHash))
      if ('ok' in found) throw refused(found.reason)
      const { keyId, accountId, name } = found.key
      const balance = balanceOf(state, accountId)
      return { accountRef: accountId, keyId, label: name, ...balance, ...usageOf(state, keyId) }
    },
  }
}

function summary({ hash: _, ...key }: ApiKey): KeySummary {
  return key
}
