import type { Invite } from '../core/records.ts'
import { createInvite } from '../core/rules/sign-up.ts'
import { checkCount, type Desk, hex, newId } from '../desk.ts'
import { hashSecret, makeSecret, SECRET_BYTES } from './secret.ts'

/** Nodes of one invited provider at most. */
const INVITE_NODES_MAX = 10_000

/** An invite without what only the ledger needs. */
export type InviteSummary = Omit<Invite, 'hash'>

/** Invites to open a provider account. */
export interface InviteDesk {
  /** Single use. The text is in this answer and nowhere else. Throws `invalid_request`. */
  createInvite(request: {
    expiresAtMs: number
    /** Most nodes that the account may enrol. */
    nodesMax: number
  }): Promise<{ text: string; invite: InviteSummary }>
  /** Oldest first, used and expired ones included. */
  listInvites(): InviteSummary[]
}

/** The part of the service that keeps invites. */
export function createInviteDesk(desk: Desk): InviteDesk {
  return {
    async createInvite({ expiresAtMs, nodesMax }) {
      checkCount(expiresAtMs, 'expiresAtMs', { min: 0, max: Number.MAX_SAFE_INTEGER })
      checkCount(nodesMax, 'nodesMax', { min: 1, max: INVITE_NODES_MAX })
      const text = makeSecret('invite', desk.random(SECRET_BYTES))
      const inviteId = newId(desk, 'inv')
      const command = { inviteId, hash: hex(hashSecret(text)), expiresAtMs, nodesMax }
      return { text, invite: summary(await desk.writer.submit(createInvite, command)) }
    },
    listInvites: () => [...desk.state.invites.values()].map(summary),
  }
}

function summary({ hash: _, ...invite }: Invite): InviteSummary {
  return invite
}
