import type { Account, Enrolment, EnrolmentRole, Member } from '../records.ts'
import { accept, type Decision, refuse } from '../refusal.ts'
import type { LedgerState } from '../state.ts'
import { isActive, membersOf, noAccount, refuseInactive } from './accounts.ts'

/** Most tokens ever made: memory of about 60 MB, used ones included. */
const ENROLMENTS_MAX = 200_000

/** Makes an enrolment token known. Providers enrol into provider accounts, gateways and bootstrap peers into operator ones. */
export function createEnrolment(
  state: LedgerState,
  command: Omit<Enrolment, 'createdAtMs' | 'usedBy'>,
  nowMs: number,
): Decision<Enrolment> {
  const account = state.accounts.get(command.accountId)
  if (account === undefined) return noAccount(command.accountId)
  const wanted = accountKindFor(command.role)
  if (account.kind !== wanted) {
    return refuse('invalid_request', `a ${command.role} enrols into a ${wanted} account`)
  }
  if (!isActive(account, nowMs)) return refuseInactive(account)
  const { nodesMax } = account
  if (nodesMax !== undefined && nodesOf(state, account.accountId, nowMs) >= nodesMax) {
    return refuse('conflict', 'the account has as many nodes as its invite allows', { nodesMax })
  }
  if (command.expiresAtMs <= nowMs) {
    return refuse('invalid_request', 'the token would have expired already')
  }
  if (state.enrolments.size >= ENROLMENTS_MAX) {
    return refuse('conflict', 'the ledger has made as many tokens as it can keep')
  }
  if (state.enrolmentIds.has(command.hash)) return refuse('conflict', 'this token exists')
  const enrolment: Enrolment = { ...command, createdAtMs: nowMs }
  return accept(enrolment, [{ type: 'enrolment', enrolment }])
}

/**
 * Makes a peer a member by its token. The same peer may ask again with the same token, since its first answer may
 * have been lost.
 */
export function enrol(
  state: LedgerState,
  command: { tokenHash: string; peerId: string },
  nowMs: number,
): Decision<Member> {
  const enrolment = state.enrolments.get(state.enrolmentIds.get(command.tokenHash) ?? '')
  if (enrolment === undefined) return refuseEnrolment('the token is not known')
  const member = state.members.get(command.peerId)
  const isMember = member !== undefined && member.revokedAtMs === undefined
  if (enrolment.usedBy !== undefined) {
    const isRepeat = enrolment.usedBy === command.peerId && isMember
    return isRepeat ? accept(member) : refuseEnrolment('the token has been used')
  }
  if (enrolment.expiresAtMs <= nowMs) return refuseEnrolment('the token has expired')
  const account = state.accounts.get(enrolment.accountId)
  if (!isActive(account, nowMs)) return refuseInactive(account)
  if (isMember) return refuseEnrolment(`the peer is a ${member.role} already: revoke it first`)
  const enrolled: Member = {
    peerId: command.peerId,
    role: enrolment.role,
    accountId: enrolment.accountId,
    serial: state.serialLast + 1,
    enrolledAtMs: nowMs,
  }
  const { enrolmentId } = enrolment
  return accept(enrolled, [{ type: 'enrolled', enrolmentId, member: enrolled }])
}

/** Ends a membership. Again is harmless; the peer may come back with a new token. */
export function revokeMember(
  state: LedgerState,
  command: { peerId: string },
  nowMs: number,
): Decision<Member> {
  const member = state.members.get(command.peerId)
  if (member === undefined) return refuse('not_found', 'there is no such member')
  if (member.revokedAtMs !== undefined) return accept(member)
  const revoked = { ...member, revokedAtMs: nowMs }
  return accept(revoked, [{ type: 'memberRevoked', peerId: member.peerId }])
}

/** The kind of account that a role belongs to. */
export function accountKindFor(role: EnrolmentRole): Account['kind'] {
  return role === 'provider' ? 'provider' : 'operator'
}

/** Members and tokens that may still become members. */
function nodesOf(state: LedgerState, accountId: string, nowMs: number): number {
  const open = [...state.enrolments.values()].filter(
    (each) => each.accountId === accountId && each.usedBy === undefined && each.expiresAtMs > nowMs,
  )
  return membersOf(state, accountId).length + open.length
}

function refuseEnrolment(message: string): ReturnType<typeof refuse> {
  return refuse('enrolment_refused', message)
}
