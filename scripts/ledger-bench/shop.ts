import { hashSecret } from '../../ledger/src/accounts/secret.ts'
import { initHome, ledgerHome, openHome } from '../../ledger/src/home.ts'
import { createRandom } from '../../ledger/src/random.ts'
import { createLedgerService, type LedgerService } from '../../ledger/src/service.ts'
import { createSnapshotShelf } from '../../ledger/src/store/snapshot-shelf.ts'
import type { Target } from './load.ts'

const GATEWAY = 'gateway'
const PROVIDER = 'provider'
const MODEL = 'bench'
export const USAGE = { promptTokens: 50, cachedTokens: 0, completionTokens: 50 }
export const TERMS = { model: MODEL, promptTokensMax: 100, maxTokens: 100 }

export const random: (length: number) => Uint8Array = createRandom()
const clock = (): number => Date.now()
const nothing = (): void => undefined

/** A ledger in a folder, made where there is none. `told` hears what it logs. */
export async function openLedger(
  directory: string,
  told: (facts: Record<string, unknown>, message: string) => void = nothing,
): Promise<LedgerService> {
  const home = ledgerHome(directory)
  await initHome(home, { clock, random })
  const info = (facts: unknown, message?: string): void =>
    told(facts as Record<string, unknown>, message ?? '')
  return createLedgerService({
    store: await openHome(home, { check: 'ends' }),
    snapshots: createSnapshotShelf(home.snapshots),
    clock,
    random,
    freeDiskBytes: () => Number.MAX_SAFE_INTEGER,
    log: { info, warn: console.warn, error: console.error } as never,
  })
}

/** Prices, a provider and a rich customer. */
export async function furnish(service: LedgerService): Promise<Target> {
  const price = {
    inputNanoUsd: 50_000_000n,
    cachedInputNanoUsd: 10_000_000n,
    outputNanoUsd: 200_000_000n,
  }
  const models = [{ model: MODEL, ...price }]
  await service.setPrices({ version: 1, effectiveAtMs: 0, feeBasisPoints: 1_000, models })
  await enrol(service, { peerId: PROVIDER, role: 'provider' })
  const keyHash = await customer(service, 'bench')
  return {
    async hold() {
      const order = { ...TERMS, keyHash, requestId: random(16), gateway: GATEWAY }
      return (await service.authorise(order)).holdId
    },
    capture: (holdId) =>
      service.settle({
        holdId,
        provider: PROVIDER,
        usage: USAGE,
        finishReason: 'stop',
        gateway: GATEWAY,
        signedByProvider: true,
        // As long as a real one with both signatures.
        receipt: new Uint8Array(400),
      }),
  }
}

/** Makes a peer a member with an account of its own. */
export async function enrol(
  service: LedgerService,
  peer: { peerId: string; role: 'provider' | 'gateway' },
): Promise<void> {
  const kind = peer.role === 'provider' ? 'provider' : 'operator'
  const { accountId } = await service.createAccount({ kind, label: peer.role })
  const expiresAtMs = clock() + 60_000
  const { token } = await service.createEnrolment({ role: peer.role, accountId, expiresAtMs })
  await service.enrol({ token, peerId: peer.peerId })
}

/** A customer with a million dollars; returns the hash of its key. */
export async function customer(service: LedgerService, label: string): Promise<Uint8Array> {
  const { accountId } = await service.createAccount({ kind: 'developer', label })
  await service.deposit({ accountId, amount: 10n ** 15n, id: label })
  const { text } = await service.createKey({ accountId, name: label, mode: 'live' })
  return hashSecret(text)
}
