/**
 * Durable money operations per second: each request is a hold and a capture, each answered only after fdatasync.
 *
 *     npx tsx scripts/bench-ledger.ts [requests]
 */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { hashSecret } from '../ledger/src/accounts/secret.ts'
import { initHome, ledgerHome, openHome } from '../ledger/src/home.ts'
import { createRandom } from '../ledger/src/random.ts'
import { createLedgerService } from '../ledger/src/service.ts'

const MODEL = 'bench'
const GATEWAY = 'gateway'
const PROVIDER = 'provider'
const requests = Number(process.argv[2] ?? 20_000)

const directory = await mkdtemp(join(tmpdir(), 'lexora-ledger-bench-'))
const clock = (): number => Date.now()
const random = createRandom()
const home = ledgerHome(directory)
await initHome(home, { clock, random })
const nothing = (): void => undefined
const service = await createLedgerService({
  store: await openHome(home),
  clock,
  random,
  freeDiskBytes: () => Number.MAX_SAFE_INTEGER,
  log: { info: nothing, warn: nothing, error: nothing },
})

try {
  const keyHash = await furnish()
  for (const clients of [1, 16, 64, 256]) await measure(clients, keyHash)
} finally {
  await service.stop()
  await rm(directory, { recursive: true })
}

/** Prices, a provider and a rich customer; returns the hash of the customer's key. */
async function furnish(): Promise<Uint8Array> {
  const price = {
    inputNanoUsd: 50_000_000n,
    cachedInputNanoUsd: 10_000_000n,
    outputNanoUsd: 200_000_000n,
  }
  const models = [{ model: MODEL, ...price }]
  await service.setPrices({ version: 1, effectiveAtMs: 0, feeBasisPoints: 1_000, models })
  const earner = await service.createAccount({ kind: 'provider', label: PROVIDER })
  const { token } = await service.createEnrolment({
    role: 'provider',
    accountId: earner.accountId,
    expiresAtMs: clock() + 60_000,
  })
  await service.enrol({ token, peerId: PROVIDER })
  const { accountId } = await service.createAccount({ kind: 'developer', label: 'bench' })
  await service.deposit({ accountId, amount: 10n ** 15n, id: 'bench' })
  const { text } = await service.createKey({ accountId, name: 'bench', mode: 'live' })
  return hashSecret(text)
}

async function measure(clients: number, keyHash: Uint8Array): Promise<void> {
  const count = clients === 1 ? Math.ceil(requests / 10) : requests
  const holdsMs: number[] = []
  let left = count
  const client = async (): Promise<void> => {
    while (left-- > 0) {
      const startMs = performance.now()
      const order = { keyHash, requestId: random(16), gateway: GATEWAY, model: MODEL }
      const { holdId } = await service.authorise({ ...order, promptTokensMax: 100, maxTokens: 100 })
      holdsMs.push(performance.now() - startMs)
      const usage = { promptTokens: 50, cachedTokens: 0, completionTokens: 50 }
      const delivery = { holdId, provider: PROVIDER, usage, finishReason: 'stop' as const }
      await service.settle({
        ...delivery,
        gateway: GATEWAY,
        signedByProvider: true,
        receipt: new Uint8Array(400),
      })
    }
  }
  const cpu = process.cpuUsage()
  const startMs = performance.now()
  await Promise.all(Array.from({ length: clients }, client))
  const seconds = (performance.now() - startMs) / 1_000
  const { user, system } = process.cpuUsage(cpu)
  holdsMs.sort((a, b) => a - b)
  const at = (share: number): string =>
    (holdsMs[Math.floor(holdsMs.length * share)] ?? 0).toFixed(2)
  const perSecond = Math.round((2 * count) / seconds)
  const each = ((user + system) / (2 * count)).toFixed(0)
  console.log(
    `${clients} clients: ${perSecond} durable operations/s, hold p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, CPU ${each} µs each`,
  )
}
