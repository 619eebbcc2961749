import type { NanoUsd } from '@lexora/protocol'
import type { FreeTierPolicy } from '../core/allowance.ts'
import type { Account } from '../core/records.ts'
import {
  accountsUnderReview,
  decideFreeTier,
  type FreeTierRefusal,
  freeCredit,
  setFreeTier,
} from '../core/rules/free-tier.ts'
import { checkText, type Desk } from '../desk.ts'

/** Where the free tier stands today. */
export interface FreeTierReport {
  policy?: FreeTierPolicy
  /** Given to all accounts on the latest day on which anything was given. */
  givenNanoUsd: NanoUsd
}

/** The daily allowance. */
export interface FreeTierDesk {
  freeTier(): FreeTierReport
  /** Throws `invalid_request`. */
  setFreeTier(policy: FreeTierPolicy): Promise<FreeTierPolicy>
  /** What an account may spend for free on a model now, or why nothing. */
  freeCredit(accountId: string, model: string): { available: NanoUsd; why?: FreeTierRefusal }
  /** Accounts that get no allowance because they share a device or an address, and that nobody has looked at. */
  listFreeTierReviews(lengthMax: number): Account[]
  /** Throws `not_found`. */
  decideFreeTier(accountId: string, word: 'allowed' | 'refused'): Promise<Account>
}

/** The part of the service that keeps the free tier. */
export function createFreeTierDesk({ writer, state, clock, log }: Desk): FreeTierDesk {
  return {
    freeTier() {
      const policy = state.freeTier.policies.at(-1)
      const givenNanoUsd = state.freeTier.given
      return policy === undefined ? { givenNanoUsd } : { policy, givenNanoUsd }
    },
    async setFreeTier(policy) {
      for (const model of policy.models) checkText(model, 'model')
      return writer.submit(setFreeTier, policy)
    },
    freeCredit(accountId, model) {
      const { available, why } = freeCredit(state, { accountId, model }, clock())
      return why === undefined ? { available } : { available, why }
    },
    listFreeTierReviews: (lengthMax) => accountsUnderReview(state, lengthMax),
    async decideFreeTier(accountId, word) {
      const account = await writer.submit(decideFreeTier, { accountId, word })
      log.info({ accountId, word }, 'free tier decided')
      return account
    },
  }
}
