import { checkCertificate, helloCodec, LexoraError } from '@lexora/protocol'
import { REVOKED_SERIALS_MAX } from '../constants.ts'

/** Tells gateways of this network from strangers. */
export interface GatewayMembers {
  /** Judges a hello. Throws `not_a_member`, `expired`, `malformed` or `signature_invalid`. */
  admit(peerId: string, hello: Uint8Array): void
  /** The serial of the certificate in a hello; throws like `admit`, whatever was revoked. */
  serial(peerId: string, hello: Uint8Array): number
  /** Refuses certificates with these serials from now on. */
  revoke(serials: readonly number[]): void
}

/** Makes the judge of gateways by the pinned ledger's word. */
export function createGatewayMembers(clock: () => number, ledgerPeerId: string): GatewayMembers {
  const revoked = new Set<number>()

  function serial(peerId: string, hello: Uint8Array): number {
    const { certificate } = helloCodec.decode(hello)
    const check = { ledgerPeerId, nowMs: clock(), peerId, role: 'gateway' } as const
    return checkCertificate(certificate, check).serial
  }

  return {
    serial,
    admit(peerId, hello) {
      if (revoked.has(serial(peerId, hello))) throw revokedError()
    },
    revoke(serials) {
      for (const one of serials) {
        if (revoked.size >= REVOKED_SERIALS_MAX) return
        revoked.add(one)
      }
    },
  }
}

/** Why a session with a suspended gateway ends. */
export function revokedError(): LexoraError {
  return new LexoraError('not_a_member', 'the gateway’s certificate was revoked')
}
