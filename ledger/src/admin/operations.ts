import { checkReceipt, LexoraError } from '@lexora/protocol'
import { z } from 'zod'
import type { LedgerService } from '../service.ts'
import type { VerifyOptions } from '../verify.ts'

/** Names of everything that an operator can do. */
export type OperationName =
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

/** Checks its input, then has the service do it. Throws `invalid_request` and what the service throws. */
type Operation = (service: LedgerService, input: unknown) => Promise<unknown>

/** Entries of one list at most, newest kept: what a terminal and a socket line can take. */
const LIST_LENGTH_MAX = 10_000

const text = z.string().min(1).max(128)
const amount = z
  .string()
  .regex(/^\d{1,19}$/)
  .transform((digits) => BigInt(digits))
const timeMs = z.number().int().nonnegative()
const limit = z.number().int().min(1).max(LIST_LENGTH_MAX)
const credit = z.strictObject({ accountId: text, amount, id: text })
const priceList = z.strictObject({
  /** Absent: one above the last. */
  version: z.number().int().positive().optional(),
  /** Absent: at once. */
  effectiveAtMs: timeMs.optional(),
  feeBasisPoints: z.number().int().min(0).max(10_000),
  models: z
    .array(
      z.strictObject({
        model: text,
        inputNanoUsd: amount,
        cachedInputNanoUsd: amount,
        outputNanoUsd: amount,
      }),
    )
    .max(512),
})

/** How operators' checks read receipts: with every signature. */
export const VERIFY_OPTIONS: VerifyOptions = {
  readReceipt(bytes) {
    const { holdId, provider, usage } = checkReceipt(bytes).receipt
    return { holdId, provider, usage }
  },
}

const OPERATIONS: Readonly<Record<OperationName, Operation>> = {
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
    z.strictObject({ accountId: text, reason: text }),
    (service, { accountId, reason }) => service.suspendAccount(accountId, reason),
  ),
  'account.resume': operation(z.strictObject({ accountId: text }), (service, { accountId }) =>
    service.resumeAccount(accountId),
  ),
  'key.create': operation(
    z.strictObject({ accountId: text, name: text, mode: z.enum(['live', 'test']) }),
    (service, input) => service.createKey(input),
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

/**
 * Carries out a named operation: the one table for the admin socket and for a command line that has the ledger to
 * itself. The answer is plain JSON, money as decimal strings, so that both routes give the same. Throws
 * `unknown_method`, `invalid_request` and what the service throws.
 */
export async function runOperation(
  service: LedgerService,
  name: string,
  input: unknown,
): Promise<unknown> {
  if (!Object.hasOwn(OPERATIONS, name)) {
    throw new LexoraError('unknown_method', 'there is no such operation', { facts: { name } })
  }
  return plain(await OPERATIONS[name as OperationName](service, input))
}

function operation<I>(
  schema: z.ZodType<I>,
  run: (service: LedgerService, input: I) => unknown,
): Operation {
  return async (service, input) => {
    const parsed = schema.safeParse(input)
    if (parsed.success) return run(service, parsed.data)
    const [issue] = parsed.error.issues
    const where = issue?.path.join('.') ?? ''
    const fault = issue?.message ?? 'is not valid'
    throw new LexoraError('invalid_request', where === '' ? fault : `${where}: ${fault}`)
  }
}

/** A value as JSON has it, bigints as decimal strings. */
export function plain(value: unknown): unknown {
  const json = JSON.stringify(value, (_, each: unknown) =>
    typeof each === 'bigint' ? each.toString() : each,
  )
  return JSON.parse(json) as unknown
}
