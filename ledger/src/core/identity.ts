import { assert } from '@lexora/protocol'
import type { Change, IdentityChange } from './entry.ts'
import type {
  Account,
  ApiKey,
  AuditRecord,
  Enrolment,
  Invite,
  Member,
  TermsVersion,
} from './records.ts'
import { Table } from './table.ts'

/** Most operator commands kept in memory for the list; all of them are in the journal. */
const AUDITS_MAX = 10_000

/** Who is known: accounts, keys, members, and what operators did. Part of the ledger's state. */
export interface IdentityState {
  accounts: Map<string, Account>
  keys: Map<string, ApiKey>
  /** Key hash to key id. */
  keyIds: Map<string, string>
  /** Account id to the ids of its keys, oldest first: looking through the keys of everybody takes too long. */
  accountKeys: Map<string, string[]>
  enrolments: Map<string, Enrolment>
  /** Token hash to enrolment id. */
  enrolmentIds: Map<string, string>
  invites: Map<string, Invite>
  /** Invite hash to invite id. */
  inviteIds: Map<string, string>
  /** By peer id, the latest membership of each. */
  members: Map<string, Member>
  serialLast: number
  /** Serials that are no longer good, with when that was. */
  revokedSerials: Map<number, number>
  /** Every version of the terms, oldest first. */
  terms: TermsVersion[]
  /** Verified accounts by the signals of their sign-up, the earliest verified first. */
  signalAccounts: Map<string, string[]>
  /** The latest commands of operators, oldest first. */
  audits: AuditRecord[]
}

/** Nobody is known. */
export function createIdentity(): IdentityState {
  return {
    accounts: new Table(),
    keys: new Table(),
    keyIds: new Table(),
    accountKeys: new Table(),
    enrolments: new Table(),
    enrolmentIds: new Table(),
    invites: new Table(),
    inviteIds: new Table(),
    members: new Table(),
    serialLast: 0,
    revokedSerials: new Map(),
    terms: [],
    signalAccounts: new Table(),
    audits: [],
  }
}

/** Where an entry stands in the journal. */
interface Place {
  seq: number
  atMs: number
}

/** Enters one change of who is known. Throws where it does not follow from those before it. */
export function enterIdentity(state: IdentityState, change: IdentityChange, place: Place): void {
  switch (change.type) {
    case 'key':
    case 'keyChanged':
    case 'keyRevoked':
      return enterKey(state, change, place)
    case 'terms':
      return enterTerms(state, change.terms)
    case 'audit':
      return enterAudit(state, { ...change.audit, seq: place.seq, notedAtMs: place.atMs })
    case 'enrolment':
    case 'enrolled':
    case 'memberRevoked':
    case 'memberReissued':
      return enterMembership(state, change, place.atMs)
    default:
      return enterAccount(state, change, place)
  }
}

type AccountChange = Extract<
  Change,
  {
    type:
      | 'account'
      | 'accountState'
      | 'accountVerified'
      | 'termsAccepted'
      | 'freeTierWord'
      | 'invite'
      | 'inviteUsed'
  }
>
type KeyChange = Extract<Change, { type: 'key' | 'keyChanged' | 'keyRevoked' }>
type MembershipChange = Extract<
  Change,
  { type: 'enrolment' | 'enrolled' | 'memberRevoked' | 'memberReissued' }
>

function enterAccount(state: IdentityState, change: AccountChange, { atMs }: Place): void {
  if (change.type === 'account') {
    const { account } = change
    assert(!state.accounts.has(account.accountId), 'account ids are new')
    state.accounts.set(account.accountId, account)
    return
  }
  if (change.type === 'invite') {
    state.invites.set(change.invite.inviteId, change.invite)
    state.inviteIds.set(change.invite.hash, change.invite.inviteId)
    return
  }
  if (change.type === 'inviteUsed') {
    const invite = existing(state.invites, change.inviteId)
    assert(invite.usedBy === undefined, 'an invite is used once')
    state.invites.set(change.inviteId, { ...invite, usedBy: change.accountId })
    return
  }
  const before = existing(state.accounts, change.accountId)
  state.accounts.set(change.accountId, changedAccount(before, change, atMs))
  if (change.type !== 'accountVerified' || before.verifiedAtMs !== undefined) return
  for (const signal of before.signals ?? []) {
    const sharers = state.signalAccounts.get(signal) ?? []
    state.signalAccounts.set(signal, [...sharers, before.accountId])
  }
}

function changedAccount(
  before: Account,
  change: Exclude<AccountChange, { type: 'account' | 'invite' | 'inviteUsed' }>,
  atMs: number,
): Account {
  switch (change.type) {
    case 'accountVerified':
      return { ...before, verifiedAtMs: before.verifiedAtMs ?? atMs }
    case 'termsAccepted':
      return { ...before, terms: { version: change.version, acceptedAtMs: atMs } }
    case 'freeTierWord':
      return { ...before, freeTier: change.word }
    case 'accountState': {
      const { reason: _, resumesAtMs: __, ...rest } = before
      return {
        ...rest,
        state: change.state,
        ...(change.reason === undefined ? {} : { reason: change.reason }),
        ...(change.resumesAtMs === undefined ? {} : { resumesAtMs: change.resumesAtMs }),
      }
    }
  }
}

function enterTerms(state: IdentityState, terms: TermsVersion): void {
  assert((state.terms.at(-1)?.version ?? 0) < terms.version, 'versions of terms rise')
  state.terms.push(terms)
}

function enterAudit(state: IdentityState, audit: AuditRecord): void {
  state.audits.push(audit)
  if (state.audits.length > AUDITS_MAX) state.audits.shift()
}

function enterKey(state: IdentityState, change: KeyChange, { atMs }: Place): void {
  if (change.type === 'keyRevoked') {
    const key = existing(state.keys, change.keyId)
    state.keys.set(change.keyId, { ...key, revokedAtMs: atMs })
    return
  }
  const { key } = change
  if (change.type === 'key') {
    assert(!state.keyIds.has(key.hash), 'key hashes are new')
    const before = state.accountKeys.get(key.accountId) ?? []
    state.accountKeys.set(key.accountId, [...before, key.keyId])
  }
  state.keys.set(key.keyId, key)
  state.keyIds.set(key.hash, key.keyId)
}

function enterMembership(state: IdentityState, change: MembershipChange, atMs: number): void {
  switch (change.type) {
    case 'enrolment':
      state.enrolments.set(change.enrolment.enrolmentId, change.enrolment)
      state.enrolmentIds.set(change.enrolment.hash, change.enrolment.enrolmentId)
      return
    case 'enrolled': {
      const enrolment = existing(state.enrolments, change.enrolmentId)
      assert(enrolment.usedBy === undefined, 'an enrolment token is used once')
      assert(change.member.serial > state.serialLast, 'serials rise')
      const usedBy = change.member.peerId
      state.enrolments.set(change.enrolmentId, { ...enrolment, usedBy })
      state.members.set(usedBy, change.member)
      state.serialLast = change.member.serial
      return
    }
    case 'memberRevoked': {
      const member = existing(state.members, change.peerId)
      state.members.set(change.peerId, { ...member, revokedAtMs: atMs })
      state.revokedSerials.set(member.serial, atMs)
      return
    }
    case 'memberReissued': {
      const member = existing(state.members, change.peerId)
      assert(change.serial > state.serialLast, 'serials rise')
      state.members.set(change.peerId, { ...member, serial: change.serial })
      state.revokedSerials.set(member.serial, atMs)
      state.serialLast = change.serial
      return
    }
  }
}

function existing<V>(map: ReadonlyMap<string, V>, id: string): V {
  const value = map.get(id)
  assert(value !== undefined, `${id} was entered before`)
  return value
}
