import { LexoraError } from '@lexora/protocol'
import type { Enrolment, EnrolmentRole, Member } from '../core/records.ts'
import { isActive, openAccount } from '../core/rules/accounts.ts'
import { accountKindFor, createEnrolment, enrol, revokeMember } from '../core/rules/members.ts'
import { checkCount, checkText, type Desk, hex, newId } from '../desk.ts'
import type { RevocationListener } from './revocations.ts'
import { hashSecret, makeSecret, SECRET_BYTES } from './secret.ts'

/** An enrolment without what only the ledger needs. */
export type EnrolmentSummary = Omit<Enrolment, 'hash'>

/** Who belongs to the network. Certificates are signed elsewhere, from what this part says. */
export interface MemberDesk {
  /** The token's text is in this answer and nowhere else. Throws `not_found`, `invalid_request`, `account_suspended`. */
  createEnrolment(request: {
    role: EnrolmentRole
    /** Absent: a new account of the kind that the role needs, labelled with the role. */
    accountId?: string
    /** Unix ms. */
    expiresAtMs: number
  }): Promise<{ token: string; enrolment: EnrolmentSummary }>
  /** Oldest first, used and expired ones included. */
  listEnrolments(): EnrolmentSummary[]
  /** Single use, but the same peer may repeat itself. Throws `enrolment_refused`, `account_suspended`. */
  enrol(request: { token: string; peerId: string }): Promise<Member>
  /** A member that may have a certificate now. Throws `not_a_member`, `account_suspended`. */
  member(peerId: string): Member
  /** Everybody, revoked ones included. */
  listMembers(): Member[]
  /** Again is harmless. Throws `not_found`. */
  revokeMember(peerId: string): Promise<Member>
}

/** The part of the service that keeps enrolments and members. */
export function createMemberDesk(desk: Desk, announce: RevocationListener): MemberDesk {
  const { writer, state, log } = desk
  return {
    async createEnrolment({ role, accountId, expiresAtMs }) {
      checkCount(expiresAtMs, 'expiresAtMs', { min: 0, max: Number.MAX_SAFE_INTEGER })
      const token = makeSecret('enrolment', desk.random(SECRET_BYTES))
      const enrolment = await writer.submit(createEnrolment, {
        role,
        expiresAtMs,
        accountId: accountId ?? (await openAccountFor(desk, role)),
        enrolmentId: newId(desk, 'enr'),
        hash: hex(hashSecret(token)),
      })
      return { token, enrolment: summary(enrolment) }
    },
    listEnrolments: () => [...state.enrolments.values()].map(summary),
    async enrol({ token, peerId }) {
      checkText(token, 'token')
      checkText(peerId, 'peerId')
      const member = await writer.submit(enrol, { tokenHash: hex(hashSecret(token)), peerId })
      log.info({ peer: peerId, role: member.role, serial: member.serial }, 'peer enrolled')
      return member
    },
    member(peerId) {
      const member = state.members.get(peerId)
      if (member === undefined || member.revokedAtMs !== undefined) {
        throw new LexoraError('not_a_member', 'this peer is not a member of the network')
      }
      if (!isActive(state.accounts.get(member.accountId), desk.clock())) {
        throw new LexoraError('account_suspended', 'the account of this peer is suspended')
      }
      return member
    },
    listMembers: () => [...state.members.values()],
    async revokeMember(peerId) {
      const member = await writer.submit(revokeMember, { peerId })
      log.info({ peer: peerId, serial: member.serial }, 'member revoked')
      announce({ keyHashes: [], serials: [member.serial] })
      return member
    },
  }
}

async function openAccountFor(desk: Desk, role: EnrolmentRole): Promise<string> {
  const account = { accountId: newId(desk, 'acc'), kind: accountKindFor(role), label: role }
  return (await desk.writer.submit(openAccount, account)).accountId
}

function summary({ hash: _, ...enrolment }: Enrolment): EnrolmentSummary {
  return enrolment
}
