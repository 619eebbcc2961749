import {
  CLOCK_SKEW_MS,
  checkCertificate,
  errorCodeOf,
  type GatewayAnnouncement,
  gatewayAnnouncementCodec,
  loadAnnouncementCodec,
  type MemberRole,
} from '@lexora/protocol'
import type { GossipVerdict } from '@lexora/protocol/mesh'
import { ANNOUNCERS_MAX } from '../constants.ts'

/** Whom announcements are checked against. */
export interface AnnouncementsOptions {
  /** The pinned ledger. Without it certificates cannot be checked, and only form, author and order are. */
  ledgerPeerId?: string
  /** Peers whose newest announcement is remembered. Default {@link ANNOUNCERS_MAX}. */
  announcersMax?: number
}

/** Judges gossip in which peers speak of themselves. `from` is the author, proven by the message's signature. */
export interface Announcements {
  /** Judges what a gateway says on the gateway topic. */
  gateway(from: string, bytes: Uint8Array): GossipVerdict
  /** Judges what a provider says on a load topic. */
  load(from: string, bytes: Uint8Array): GossipVerdict
}

/** What is remembered of a peer: its newest statement, and the certificate that was found good. */
interface Announcer {
  sentAtMs: number
  /** Order within one start of the peer. */
  bootId: Uint8Array
  sequence: number
  certificate: Uint8Array
  notAfterMs: number
}

interface Statement {
  certificate: Uint8Array
  sentAtMs: number
  bootId: Uint8Array
  sequence: number
}

/** A gateway's sequence goes on over restarts: it has one start. */
const NO_BOOT_ID = new Uint8Array(0)

/**
 * Makes a judge of announcements. What no honest peer sends is rejected, which counts against the peer that handed it
 * on; what is only late, repeated or just expired is ignored. The dear check, the certificate's signature, comes last
 * and once per certificate.
 */
export function createAnnouncements(
  clock: () => number,
  options: AnnouncementsOptions,
): Announcements {
  const announcers = new Map<string, Announcer>()
  const announcersMax = options.announcersMax ?? ANNOUNCERS_MAX

  function judge(from: string, role: MemberRole, statement: Statement): GossipVerdict {
    const nowMs = clock()
    if (Math.abs(nowMs - statement.sentAtMs) > CLOCK_SKEW_MS) return 'ignore'
    const last = announcers.get(from)
    if (last !== undefined && !isNewer(statement, last)) return 'ignore'
    let notAfterMs = Number.POSITIVE_INFINITY
    if (options.ledgerPeerId !== undefined) {
      const known =
        last !== undefined &&
        nowMs <= last.notAfterMs &&
        isSame(last.certificate, statement.certificate)
      const checked = known ? last.notAfterMs : check(statement.certificate, { from, role, nowMs })
      if (typeof checked === 'string') return checked
      notAfterMs = checked
    }
    remember(from, { ...statement, notAfterMs })
    return 'accept'
  }

  /** The end of a good certificate, or the verdict on a bad one. */
  function check(
    certificate: Uint8Array,
    { from, role, nowMs }: { from: string; role: MemberRole; nowMs: number },
  ): number | GossipVerdict {
    const ledgerPeerId = options.ledgerPeerId ?? ''
    try {
      return checkCertificate(certificate, { ledgerPeerId, nowMs, peerId: from, role }).notAfterMs
    } catch (error) {
      return errorCodeOf(error) === 'expired' ? 'ignore' : 'reject'
    }
  }

  /** The longest unheard is forgotten first: a map keeps the order in which its keys were added. */
  function remember(peerId: string, announcer: Announcer): void {
    announcers.delete(peerId)
    announcers.set(peerId, announcer)
    if (announcers.size <= announcersMax) return
    for (const oldest of announcers.keys()) {
      announcers.delete(oldest)
      return
    }
  }

  return {
    gateway(from, bytes) {
      const announcement = readGatewayAnnouncement(bytes)
      if (announcement === undefined) return 'reject'
      return judge(from, 'gateway', { ...announcement, bootId: NO_BOOT_ID })
    },
    load(from, bytes) {
      const announcement = readLoadAnnouncement(bytes)
      if (announcement === undefined || announcement.peerId !== from) return 'reject'
      return judge(from, 'provider', announcement)
    },
  }
}

/** An announcement that was judged before, or undefined where it cannot be read. */
export function readGatewayAnnouncement(bytes: Uint8Array): GatewayAnnouncement | undefined {
  try {
    return gatewayAnnouncementCodec.decode(bytes)
  } catch {
    return undefined
  }
}

function readLoadAnnouncement(bytes: Uint8Array): (Statement & { peerId: string }) | undefined {
  try {
    const { certificate, load } = loadAnnouncementCodec.decode(bytes)
    const { peerId, bootId, sequence, sentAtMs } = load
    return { certificate, peerId, bootId, sequence, sentAtMs }
  } catch {
    return undefined
  }
}

/** Within one start the sequence decides; over a restart, which begins it anew, the time does. */
function isNewer(statement: Statement, last: Announcer): boolean {
  if (isSame(statement.bootId, last.bootId)) return statement.sequence > last.sequence
  return statement.sentAtMs > last.sentAtMs
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}
