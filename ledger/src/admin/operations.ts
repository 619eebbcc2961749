import { checkReceipt, errorCodeOf, LexoraError } from '@lexora/protocol'
import { z } from 'zod'
import type { LedgerService } from '../service.ts'
import type { VerifyOptions } from '../verify.ts'
import {
  IDENTITY_OPERATIONS,
  type IdentityOperationName,
  keyLimits,
} from './identity-operations.ts'
import { amount, limit, modelPrices, type Operation, operation, text, timeMs } from './operation.ts'
import { PAYMENT_OPERATIONS, type PaymentOperationName } from './payment-operations.ts'

/** Names of everything that an operator can do. */
export type OperationName =
  | IdentityOperationName
  | PaymentOperationName
  | 'account.create'
  | 'account.list'
  | 'account.grant'
  | 'account.deposit'
  | 'account.suspend'
  | 'account.resume'
  | 'key.create'
  | 'key.list'
  | 'key.revoke'
  | 'enrol.create'
  | 'enrol.list'
  | 'member.list'
  | 'member.revoke'
  | 'prices.show'
  | 'prices.set'
  | 'verify'
  | 'backup'

/** Ids are shorter; anything longer is no id. */
const TARGET_LENGTH_MAX = 128

const credit = z.strictObject({ accountId: text, amount, id: text })
const priceList = z.strictObject({
  /** Absent: one above the last. */
  version: z.number().int().positive().optional(),
  /** Absent: at once. */
  effectiveAtMs: timeMs.optional(),
  feeBasisPoints: z.number().int().min(0).max(10_000),
  models: modelPrices,
})

/** How operators' checks read receipts: with every signature. */
export const VERIFY_OPTIONS: VerifyOptions = {
  readReceipt(bytes) {
    const { holdId, provider, usage } = checkReceipt(bytes).receipt
    return { holdId, provider, usage }
  },
}

const OPERATIONS: Readonly<Record<OperationName, Operation>> = {
  ...IDENTITY_OPERATIONS,
  ...PAYMENT_OPERATIONS,
  'account.create': operation(
    z.strictObject({ kind: z.enum(['developer', 'provider', 'operator']), label: text }),
    (service, input) => service.createAccount(input),
  ),
  'account.list': operation(z.strictObject({ limit }), (service, input) =>
    service
      .listAccounts()
      .slice(-input.limit)
      .map((account) => ({
        ...account,
        ...(account.kind === 'developer' ? service.balance(account.accountId) : {}),
        ...(account.kind === 'provider' ? service.providerEarnings(account.accountId) : {}),
      })),
  ),
  'account.grant': operation(credit, (service, input) => service.grant(input)),
  'account.deposit': operation(credit, (service, input) => service.deposit(input)),
  'account.suspend': operation(
    z.strictObject({ accountId: text, reason: text, resumesAtMs: timeMs.optional() }),
    (service, { accountId, reason, resumesAtMs }) =>
      service.suspendAccount(accountId, reason, resumesAtMs),
  ),
  'account.resume': operation(z.strictObject({ accountId: text }), (service, { accountId }) =>
    service.resumeAccount(accountId),
  ),
  'key.create': operation(
    z.strictObject({
      accountId: text,
      name: text,
      mode: z.enum(['live', 'test']),
      expiresAtMs: timeMs.optional(),
      limits: keyLimits.optional(),
    }),
    (service, { expiresAtMs, limits, ...request }) =>
      service.createKey({
        ...request,
        ...(expiresAtMs === undefined ? {} : { expiresAtMs }),
        ...(limits === undefined ? {} : { limits }),
      }),
  ),
  'key.list': operation(z.strictObject({ accountId: text }), (service, { accountId }) =>
    service.listKeys(accountId),
  ),
  'key.revoke': operation(z.strictObject({ keyId: text }), (service, { keyId }) =>
    service.revokeKey(keyId),
  ),
  'enrol.create': operation(
    z.strictObject({
      role: z.enum(['provider', 'gateway', 'bootstrap']),
      accountId: text.optional(),
      expiresAtMs: timeMs,
    }),
    (service, { accountId, ...input }) =>
      service.createEnrolment(accountId === undefined ? input : { ...input, accountId }),
  ),
  'enrol.list': operation(z.strictObject({ limit }), (service, input) =>
    service.listEnrolments().slice(-input.limit),
  ),
  'member.list': operation(z.strictObject({ limit }), (service, input) =>
    service.listMembers().slice(-input.limit),
  ),
  'member.revoke': operation(z.strictObject({ peerId: text }), (service, { peerId }) =>
    service.revokeMember(peerId),
  ),
  'prices.show': operation(z.strictObject({}), (service) => service.prices()),
  'prices.set': operation(priceList, (service, input) => {
    const version = input.version ?? (service.listPrices().at(-1)?.version ?? 0) + 1
    return service.setPrices({ ...input, version, effectiveAtMs: input.effectiveAtMs ?? 0 })
  }),
  verify: operation(z.strictObject({}), (service) => service.verify(VERIFY_OPTIONS)),
  // An absolute path: the ledger may work in another folder than the command line.
  backup: operation(
    z.strictObject({ to: z.string().max(4_096).startsWith('/') }),
    (service, { to }) => service.backUp(to),
  ),
}

/** Who asks for an operation, and why. */
export interface OperatorNote {
  /** e.g. `cli:ada`, or the account id of an operator. */
  actor: string
  reason: string
}

/** Somebody who may open the admin socket. */
const UNNAMED: OperatorNote = { actor: 'socket', reason: 'none given' }

/**
 * Carries out a named operation: the one table for the admin socket, for HTTP and for a command line that has the
 * ledger to itself. Whatever is no mere look is entered in the audit log first, and there too where it was refused.
 * The answer is plain JSON, money as decimal strings, so that all routes give the same. Throws `unknown_method`,
 * `invalid_request` and what the service throws.
 */
export async function runOperation(
  service: LedgerService,
  name: string,
  input: unknown,
  note: OperatorNote = UNNAMED,
): Promise<unknown> {
  if (!Object.hasOwn(OPERATIONS, name)) {
    throw new LexoraError('unknown_method', 'there is no such operation', { facts: { name } })
  }
  const run = OPERATIONS[name as OperationName]
  if (isLook(name)) return plain(await run(service, input))
  const target = targetOf(input)
  const audit = { ...note, operation: name, ...(target === undefined ? {} : { target }) }
  // The writer keeps the order, so this is durable before anything that the operation enters.
  const noted = service.noteAudit(audit)
  try {
    const [answer] = await Promise.all([run(service, input), noted])
    return plain(answer)
  } catch (error) {
    await noted
    await service.noteAudit({ ...audit, refused: errorCodeOf(error) })
    throw error
  }
}

/** Whether an operation only looks. */
export function isLook(name: string): boolean {
  return /\.(list|show|person|export)$|^(verify|backup)$/.test(name)
}

const TARGETS = [
  'accountId',
  'keyId',
  'peerId',
  'version',
  'topUpId',
  'paymentId',
  'refundId',
  'disputeId',
  'batchId',
  'payoutId',
] as const

/** What an operation is done to: the first id in its input. Nothing else of the input is kept: it may name a person. */
function targetOf(input: unknown): string | undefined {
  if (typeof input !== 'object' || input === null) return undefined
  const fields = input as Record<string, unknown>
  const name = TARGETS.find((each) => ['string', 'number'].includes(typeof fields[each]))
  return name === undefined ? undefined : String(fields[name]).slice(0, TARGET_LENGTH_MAX)
}

/** A value as JSON has it, bigints as decimal strings. */
export function plain(value: unknown): unknown {
  const json = JSON.stringify(value, (_, each: unknown) =>
    typeof each === 'bigint' ? each.toString() : each,
  )
  return JSON.parse(json) as unknown
}
