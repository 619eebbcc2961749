import { REVOCATION_NOTICE, revocationNoticeCodec } from '@lexora/protocol'

/** What the ledger pushes about members that are no longer good. */
export interface Revocations {
  /** For the ledger client. */
  readonly notices: Record<string, (payload: Uint8Array) => void>
  /** Calls the listener with the serials of each notice. */
  onRevoked(listener: (serials: readonly number[]) => void): void
}

/** Makes the revocations of one ledger client. Revoked API keys need nothing here: the ledger is asked for each request. */
export function createRevocations(): Revocations {
  const listeners: ((serials: readonly number[]) => void)[] = []
  return {
    notices: {
      [REVOCATION_NOTICE]: (payload) => {
        const { serials } = revocationNoticeCodec.decode(payload)
        for (const listener of listeners) listener(serials)
      },
    },
    onRevoked: (listener) => void listeners.push(listener),
  }
}
