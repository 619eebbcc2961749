import { createHash } from 'node:crypto'
import type { PriceList } from '@lexora/protocol'
import { hashSecret } from '../../ledger/src/accounts/secret.ts'
import { genesisChunk } from '../../ledger/src/genesis.ts'
import type { PaymentProvider } from '../../ledger/src/payments/payment-provider.ts'
import {
  createLedgerService,
  type LedgerService,
  type LedgerServiceOptions,
} from '../../ledger/src/service.ts'
import { createMemoryStore } from '../../ledger/src/store/memory-store.ts'
import type { SnapshotShelf } from '../../ledger/src/store/snapshot-shelf.ts'
import type { Store } from '../../ledger/src/store/store.ts'

export const GATEWAY = 'gateway-one'
export const PROVIDER = 'provider-one'
export const MODEL = 'tiny'

/** 1,000 nano-USD a fresh prompt token, 100 a cached one, 2,000 an output token; a quarter of it is the fee. */
export const PRICES: PriceList = {
  version: 1,
  effectiveAtMs: 0,
  feeBasisPoints: 2_500,
  models: [
    {
      model: MODEL,
      inputNanoUsd: 1_000_000_000n,
      cachedInputNanoUsd: 100_000_000n,
      outputNanoUsd: 2_000_000_000n,
    },
    { model: 'free', inputNanoUsd: 0n, cachedInputNanoUsd: 0n, outputNanoUsd: 0n },
  ],
}

/** A clock that a test moves. */
export interface TestClock {
  nowMs: number
}

/** Pseudo-random bytes that never repeat: the tests' own source, so that runs are alike. */
export function countingRandom(): (length: number) => Uint8Array {
  let count = 0
  return (length) => {
    count += 1
    return createHash('sha512').update(`random ${count}`).digest().subarray(0, length)
  }
}

/** Swallows the log. */
export const SILENT = { info: () => {}, warn: () => {}, error: () => {} }

/** A request id with this number in it. */
export function requestId(number: number): Uint8Array {
  const bytes = Buffer.alloc(16)
  bytes.writeUInt32BE(number, 12)
  return bytes
}

/** What {@link openLedger} may vary. */
export interface FixtureOptions extends LedgerServiceOptions {
  store?: Store
  snapshots?: SnapshotShelf
  freeDiskBytes?: () => number
  payments?: PaymentProvider
}

/** A ledger over a store (its own memory store by default) that has at least its genesis entry. */
export async function openLedger(options: FixtureOptions = {}) {
  const { store = createMemoryStore(), snapshots, ...others } = options
  const { freeDiskBytes = () => 1024 ** 4, payments, ...rest } = others
  const clock: TestClock = { nowMs: 1_800_000_000_000 }
  const random = countingRandom()
  if (store.head().nextSeq === 0) {
    await store.append(genesisChunk({ clock: () => clock.nowMs, random }))
  }
  const parts = { store, clock: () => clock.nowMs, random, freeDiskBytes, log: SILENT }
  const components = {
    ...parts,
    ...(snapshots === undefined ? {} : { snapshots }),
    ...(payments === undefined ? {} : { payments }),
  }
  const service = await createLedgerService(components, rest)
  return { service, clock, store }
}

/** A ledger with prices, a funded customer with a key, and an enrolled provider. */
export async function openShop(
  credit: { promo?: bigint; paid?: bigint } = {},
  options: FixtureOptions = {},
) {
  const opened = await openLedger(options)
  return { ...opened, ...(await furnish(opened.service, credit)) }
}

/** Puts prices, a funded customer with a key, and an enrolled provider into a ledger. */
export async function furnish(service: LedgerService, credit: { promo?: bigint; paid?: bigint }) {
  await service.setPrices(PRICES)
  const customer = await service.createAccount({ kind: 'developer', label: 'ada' })
  const { accountId } = customer
  const { text, key } = await service.createKey({ accountId, name: 'first', mode: 'live' })
  if (credit.promo !== undefined) {
    await service.grant({ accountId, amount: credit.promo, id: 'start' })
  }
  if (credit.paid !== undefined) {
    await service.deposit({ accountId, amount: credit.paid, id: 'start' })
  }
  const earner = await enrolProvider(service, PROVIDER)
  return { accountId, key, keyText: text, keyHash: hashSecret(text), earnerId: earner }
}

/** Enrols a provider with an account of its own; returns the account's id. */
export async function enrolProvider(service: LedgerService, peerId: string): Promise<string> {
  const { accountId } = await service.createAccount({ kind: 'provider', label: peerId })
  const { token } = await service.createEnrolment({
    role: 'provider',
    accountId,
    expiresAtMs: 4_000_000_000_000,
  })
  await service.enrol({ token, peerId })
  return accountId
}

/** A settlement of a hold with this usage. */
export function delivery(
  holdId: string,
  usage: { promptTokens: number; cachedTokens?: number; completionTokens: number },
) {
  return {
    holdId,
    gateway: GATEWAY,
    provider: PROVIDER,
    usage: { cachedTokens: 0, ...usage },
    finishReason: 'stop' as const,
    receipt: new TextEncoder().encode(`receipt of ${holdId}`),
    signedByProvider: true,
  }
}

/** The code that a promise is refused with, or `ok`. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
    return 'ok'
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error)
  }
}
