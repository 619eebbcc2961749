import { LexoraError } from '@lexora/protocol'
import { z } from 'zod'
import type { PeopleDesk } from '../accounts/people-desk.ts'
import type { KeyLimits } from '../core/records.ts'
import type { LedgerService } from '../service.ts'
import { amount, limit, modelPrices, type Operation, operation, text, timeMs } from './operation.ts'

/** Names of operations on people, keys, the free tier and prices to come. */
export type IdentityOperationName =
  | 'account.close'
  | 'account.person'
  | 'account.sessions.list'
  | 'account.sessions.end'
  | 'operator.create'
  | 'terms.publish'
  | 'terms.list'
  | 'invite.create'
  | 'invite.list'
  | 'key.change'
  | 'key.rotate'
  | 'free.show'
  | 'free.set'
  | 'free.reviews.list'
  | 'free.decide'
  | 'prices.list'
  | 'prices.draft'
  | 'prices.draft.show'
  | 'prices.schedule'
  | 'prices.cancel'
  | 'prices.notices.list'
  | 'audit.list'

/** What a key may do, as operators write it; null takes a limit away. */
export const keyLimits: z.ZodType<KeyLimits> = z
  .strictObject({
    dayNanoUsd: amount.optional(),
    weekNanoUsd: amount.optional(),
    monthNanoUsd: amount.optional(),
    models: z.array(text).max(512).optional(),
    requestsPerMinute: z.number().int().positive().optional(),
    tokensPerMinute: z.number().int().positive().optional(),
  })
  .transform(given)

const account = z.strictObject({ accountId: text })
const nothing = z.strictObject({})

/** Operations on people, keys, the free tier and prices to come. */
export const IDENTITY_OPERATIONS: Readonly<Record<IdentityOperationName, Operation>> = {
  'account.close': operation(
    z.strictObject({ accountId: text, reason: text }),
    async (service, { accountId, reason }) => {
      const closed = await service.closeAccount(accountId, reason)
      // Whoever has gone is forgotten; the books keep the account's number.
      await service.people?.erasePerson(accountId)
      return closed
    },
  ),
  'account.person': operation(account, (service, { accountId }) =>
    peopleOf(service).person(accountId),
  ),
  'account.sessions.list': operation(account, (service, { accountId }) =>
    peopleOf(service).listSessions(accountId),
  ),
  'account.sessions.end': operation(account, async (service, { accountId }) => {
    await peopleOf(service).endSessions(accountId)
    return { accountId }
  }),
  'operator.create': operation(
    z.strictObject({ email: z.string().max(254) }),
    (service, { email }) => peopleOf(service).createOperator(email),
  ),
  'terms.publish': operation(
    z.strictObject({ version: z.number().int(), url: text, sha256: text }),
    (service, terms) => service.publishTerms(terms),
  ),
  'terms.list': operation(nothing, (service) => service.listTerms()),
  'invite.create': operation(
    z.strictObject({ expiresAtMs: timeMs, nodesMax: z.number().int() }),
    (service, request) => service.createInvite(request),
  ),
  'invite.list': operation(z.strictObject({ limit }), (service, input) =>
    service.listInvites().slice(-input.limit),
  ),
  'key.change': operation(
    z
      .strictObject({
        keyId: text,
        name: text.optional(),
        expiresAtMs: timeMs.nullable().optional(),
        limits: keyLimits.nullable().optional(),
      })
      .transform(given),
    (service, change) => service.changeKey(change),
  ),
  'key.rotate': operation(z.strictObject({ keyId: text, graceMs: timeMs }), (service, request) =>
    service.rotateKey(request),
  ),
  'free.show': operation(nothing, (service) => service.freeTier()),
  'free.set': operation(
    z.strictObject({
      dailyNanoUsd: amount,
      globalDailyNanoUsd: amount,
      models: z.array(text).max(512),
      accountsPerSignalMax: z.number().int().positive(),
    }),
    (service, policy) => service.setFreeTier(policy),
  ),
  'free.reviews.list': operation(z.strictObject({ limit }), (service, input) =>
    service.listFreeTierReviews(input.limit),
  ),
  'free.decide': operation(
    z.strictObject({ accountId: text, word: z.enum(['allowed', 'refused']) }),
    (service, { accountId, word }) => service.decideFreeTier(accountId, word),
  ),
  'prices.list': operation(z.strictObject({ limit }), (service, input) =>
    service.listPrices().slice(-input.limit),
  ),
  'prices.draft': operation(
    z.strictObject({ feeBasisPoints: z.number().int().min(0).max(10_000), models: modelPrices }),
    (service, draft) => service.draftPrices(draft),
  ),
  'prices.draft.show': operation(nothing, (service) => service.priceDraft() ?? null),
  'prices.schedule': operation(
    z.strictObject({ effectiveAtMs: timeMs }),
    (service, { effectiveAtMs }) => service.schedulePrices(effectiveAtMs),
  ),
  'prices.cancel': operation(z.strictObject({ version: z.number().int() }), (service, input) =>
    service.cancelPrices(input.version),
  ),
  'prices.notices.list': operation(nothing, (service) => service.priceNotices()),
  'audit.list': operation(z.strictObject({ limit }), (service, input) =>
    service.listAudits(input.limit),
  ),
}

function peopleOf({ people }: LedgerService): PeopleDesk {
  if (people !== undefined) return people
  throw new LexoraError('not_found', 'this ledger was opened without the records about people')
}

type Given<T> = { [K in keyof T]: Exclude<T[K], undefined> }

/** Without the fields that were given as undefined. */
function given<T extends object>(fields: T): Given<T> {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined)
  return Object.fromEntries(entries) as Given<T>
}
