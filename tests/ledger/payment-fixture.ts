import { createHttpEdge } from '../../ledger/src/http/http-edge.ts'
import { createRazorpay } from '../../ledger/src/payments/razorpay.ts'
import { createRazorpayDouble } from '../../scripts/razorpay-double/razorpay-double.ts'
import { type FixtureOptions, openLedger, SILENT } from './fixture.ts'

export const SECRETS = {
  keyId: 'rzp_test_double01',
  keySecret: 'key-secret-of-the-double',
  webhookSecret: 'webhook-secret-of-the-double',
}

/** Ten dollars in nano-USD, and in cents. */
export const TEN = 10_000_000_000n
export const TEN_CENTS = 1_000

/** A ledger that sells credit through the double, by the official package and over real HTTP. */
export async function openBank(
  options: FixtureOptions = {},
  settings: { webhookSecretPrevious?: string; timeoutMs?: number } = {},
) {
  const double = createRazorpayDouble(SECRETS)
  await double.start()
  const { timeoutMs = 2_000, ...previous } = settings
  const payments = createRazorpay({ ...SECRETS, ...previous, url: double.url() }, { timeoutMs })
  const { service, clock, store } = await openLedger({ ...options, payments })
  clock.nowMs = Date.now()
  const http = createHttpEdge({ service, log: SILENT }, { host: '127.0.0.1', port: 0 })
  await http.start()
  const { accountId } = await service.createAccount({ kind: 'developer', label: 'ada' })
  const webhookUrl = `${http.url()}/webhooks/razorpay`
  return {
    double,
    service,
    clock,
    store,
    accountId,
    webhookUrl,
    topUp: (id: string, amountCents = TEN_CENTS) =>
      service.createTopUp({ accountId, amountCents, id }),
    balance: () => service.balance(accountId),
    async problems() {
      return (await service.verify()).problems
    },
    async close() {
      await http.stop()
      await double.stop()
      await service.stop()
    },
  }
}

/** Every order of some things. */
export function* permutations<T>(things: readonly T[]): Generator<T[]> {
  if (things.length <= 1) yield [...things]
  for (const [index, thing] of things.entries()) {
    const rest = things.toSpliced(index, 1)
    if (rest.length > 0) for (const order of permutations(rest)) yield [thing, ...order]
  }
}
