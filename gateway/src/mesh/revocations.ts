import { REVOCATION_NOTICE, revocationNoticeCodec } from '@lexora/protocol'

/** What the ledger pushes about members and keys that are no longer good. */
export interface Revocations {
  /** For the ledger client. */
  readonly notices: Record<string, (payload: Uint8Array) => void>
  /** Calls the listener with the serials of each notice. */
  onRevoked(listener: (serials: readonly number[]) => void): void
  /** Calls the listener with the hashes of the API keys of each notice. */
  onKeysRevoked(listener: (keyHashes: readonly Uint8Array[]) => void): void
}

/** Makes the revocations of one ledger client. Nothing is kept: the ledger is asked for each new request. */
export function createRevocations(): Revocations {
  const listeners: ((serials: readonly number[]) => void)[] = []
  const keyListeners: ((keyHashes: readonly Uint8Array[]) => void)[] = []
  return {
    notices: {
      [REVOCATION_NOTICE]: (payload) => {
        const { serials, keyHashes } = revocationNoticeCodec.decode(payload)
        for (const listener of listeners) listener(serials)
        for (const listener of keyListeners) listener(keyHashes)
      },
    },
    onRevoked: (listener) => void listeners.push(listener),
    onKeysRevoked: (listener) => void keyListeners.push(listener),
  }
}
