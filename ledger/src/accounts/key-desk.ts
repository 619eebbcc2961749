import type { KeyInfo } from '@lexora/protocol'
import type { ApiKey, KeyLimits } from '../core/records.ts'
import { spendingKey } from '../core/rules/holds.ts'
import {
  type ChangeKeyCommand,
  changeKey,
  issueKey,
  keysOf,
  revokeKey,
  rotateKey,
} from '../core/rules/keys.ts'
import { type LedgerState, spendingOf, usageOf } from '../core/state.ts'
import { checkBytes, checkCount, checkText, type Desk, hex, newId } from '../desk.ts'
import { refused } from '../store/writer.ts'
import { balanceOf } from './account-desk.ts'
import type { RevocationListener } from './revocations.ts'
import { hashSecret, makeSecret, SECRET_BYTES, SECRET_PREFIXES } from './secret.ts'

/** Longest time for which a rotated key's old text stays good: a month of roll-outs. */
const GRACE_MS_MAX = 30 * 86_400_000

/** A key without what only the ledger needs. */
export interface KeySummary extends Omit<ApiKey, 'hash' | 'spendsAs'> {
  /** When its last hold was placed; absent: never. Keys that continue each other share it. */
  lastUsedAtMs?: number
}

/** What a new key may do. */
export interface KeyRequest {
  accountId: string
  name: string
  mode: 'live' | 'test'
  expiresAtMs?: number
  limits?: KeyLimits
}

/** API keys. */
export interface KeyDesk {
  /**
   * The text is in this answer and nowhere else, ever. Throws `not_found`, `invalid_request`, `account_suspended` and,
   * where new terms wait to be accepted, `forbidden`.
   */
  createKey(request: KeyRequest): Promise<{ text: string; key: KeySummary }>
  /** Throws `not_found`, `invalid_request`, `api_key_revoked`. */
  changeKey(request: ChangeKeyCommand): Promise<KeySummary>
  /**
   * A new text with the same name, limits and spending. The old one is revoked now, or expires after a grace. Throws
   * as {@link KeyDesk.createKey}, and `api_key_revoked`.
   */
  rotateKey(request: { keyId: string; graceMs: number }): Promise<{ text: string; key: KeySummary }>
  /** Good nowhere from the moment of the answer. Again is harmless. Throws `not_found`. */
  revokeKey(keyId: string): Promise<KeySummary>
  /** Oldest first, revoked ones included. */
  listKeys(accountId: string): KeySummary[]
  /** What a key's owner may know. Throws `invalid_api_key`, `api_key_revoked`, `api_key_expired`, `account_suspended`. */
  keyInfo(keyHash: Uint8Array): KeyInfo
}

/** The part of the service that keeps API keys. */
export function createKeyDesk(desk: Desk, announce: RevocationListener): KeyDesk {
  const { writer, state, log } = desk
  const summary = (key: ApiKey): KeySummary => summaryOf(state, key)
  const revoked = (hash: string): void =>
    announce({ keyHashes: [Buffer.from(hash, 'hex')], serials: [] })

  return {
    async createKey({ accountId, name, mode, expiresAtMs, limits }) {
      checkText(name, 'name')
      const text = makeSecret(mode, desk.random(SECRET_BYTES))
      const key = await writer.submit(issueKey, {
        keyId: newId(desk, 'key'),
        accountId,
        hash: hex(hashSecret(text)),
        prefix: SECRET_PREFIXES[mode],
        last4: text.slice(-4),
        name,
        ...(expiresAtMs === undefined ? {} : { expiresAtMs }),
        ...(limits === undefined ? {} : { limits }),
      })
      return { text, key: summary(key) }
    },
    async changeKey(request) {
      if (request.name !== undefined) checkText(request.name, 'name')
      return summary(await writer.submit(changeKey, request))
    },
    async rotateKey({ keyId, graceMs }) {
      checkCount(graceMs, 'graceMs', { min: 0, max: GRACE_MS_MAX })
      const old = state.keys.get(keyId)
      const mode = old?.prefix === SECRET_PREFIXES.test ? 'test' : 'live'
      const text = makeSecret(mode, desk.random(SECRET_BYTES))
      const key = await writer.submit(rotateKey, {
        keyId,
        newKeyId: newId(desk, 'key'),
        hash: hex(hashSecret(text)),
        prefix: SECRET_PREFIXES[mode],
        last4: text.slice(-4),
        graceMs,
      })
      log.info({ keyId, newKeyId: key.keyId, accountId: key.accountId, graceMs }, 'key rotated')
      if (graceMs === 0 && old !== undefined) revoked(old.hash)
      return { text, key: summary(key) }
    },
    async revokeKey(keyId) {
      const key = await writer.submit(revokeKey, { keyId })
      log.info({ keyId, accountId: key.accountId }, 'key revoked')
      revoked(key.hash)
      return summary(key)
    },
    listKeys: (accountId) => keysOf(state, accountId).map(summary),
    keyInfo(keyHash) {
      checkBytes(keyHash, 'keyHash', SECRET_BYTES)
      const found = spendingKey(state, hex(keyHash), desk.clock())
      if ('ok' in found) throw refused(found.reason)
      const { keyId, accountId, name } = found.key
      const { freeNanoUsd, ...balance } = balanceOf(state, accountId)
      // The wire knows two kinds of credit: an allowance is promotional.
      const promoNanoUsd = balance.promoNanoUsd + freeNanoUsd
      const used = usageOf(state, keyId)
      return { accountRef: accountId, keyId, label: name, ...balance, promoNanoUsd, ...used }
    },
  }
}

function summaryOf(state: LedgerState, { hash: _, spendsAs: __, ...key }: ApiKey): KeySummary {
  const { lastUsedAtMs } = spendingOf(state, key.keyId).spending
  return lastUsedAtMs === 0 ? key : { ...key, lastUsedAtMs }
}
