import type { RevocationNotice } from '@lexora/protocol'
import type { LedgerState } from '../core/state.ts'

/** Most keys and most serials of one notice, as the protocol has it. */
const NOTICE_LENGTH_MAX = 512

/** Told of every revocation once it is durable. */
export type RevocationListener = (notice: RevocationNotice) => void

/** Tells listeners of revoked keys and members. */
export interface Revocations {
  /** Returns the function that ends it. */
  onRevocation(listener: RevocationListener): () => void
  /** Everything revoked since then, for a peer that was away. */
  revokedSince(timeMs: number): RevocationNotice
  /** Memberships that were revoked since then, oldest first: their certificates may still be in somebody's hands. */
  serialsRevokedSince(timeMs: number): number[]
}

/** Keeps the listeners: one per ledger session, so as many as there are gateways. */
export function createRevocations(
  state: LedgerState,
): Revocations & { announce: RevocationListener } {
  const listeners = new Set<RevocationListener>()
  return {
    onRevocation(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    revokedSince(timeMs) {
      const keys = [...state.keys.values()].filter((key) => (key.revokedAtMs ?? -1) >= timeMs)
      const serials = [...state.revokedSerials].filter(([, atMs]) => atMs >= timeMs)
      return {
        keyHashes: keys.map((key) => Buffer.from(key.hash, 'hex')),
        serials: serials.map(([serial]) => serial),
      }
    },
    serialsRevokedSince: (timeMs) =>
      [...state.revokedSerials].filter(([, atMs]) => atMs >= timeMs).map(([serial]) => serial),
    announce({ keyHashes, serials }) {
      // An account may have more keys than one message can carry.
      const length = Math.max(keyHashes.length, serials.length)
      for (let start = 0; start < length; start += NOTICE_LENGTH_MAX) {
        const end = start + NOTICE_LENGTH_MAX
        const part = { keyHashes: keyHashes.slice(start, end), serials: serials.slice(start, end) }
        for (const listener of listeners) listener(part)
      }
    },
  }
}
