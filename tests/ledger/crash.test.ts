import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { LexoraError } from '@lexora/protocol'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { genesisChunk } from '../../ledger/src/genesis.ts'
import type { LedgerService } from '../../ledger/src/service.ts'
import { initLevelStore, openLevelStore } from '../../ledger/src/store/level-store.ts'
import { createSnapshotShelf } from '../../ledger/src/store/snapshot-shelf.ts'
import { verifyBooks } from '../../ledger/src/verify.ts'
import { countingRandom, delivery, furnish, GATEWAY, MODEL, openLedger } from './fixture.ts'

const CHILD = fileURLToPath(new URL('./crash/child.ts', import.meta.url))
/** A different number of acknowledgements each time, so that the kill falls into different places of a group. */
const KILL_AFTER = [1, 40, 333, 701, 1_500]
const CREDIT = 10n ** 15n

/** Asks again for everything that was acknowledged; the ledger must remember it all. Returns how much was settled. */
async function checkAcknowledged(
  service: LedgerService,
  lines: string[],
  keyHash: Uint8Array,
): Promise<number> {
  const acks = lines.map((line) => line.split(' '))
  const settled = acks.filter(([what]) => what === 'settled').map(([, holdId = '']) => holdId)
  for (const holdId of settled) {
    const usage = { promptTokens: 10, completionTokens: 5 }
    const again = await service.settle(delivery(holdId, usage))
    expect(again, holdId).toMatchObject({ alreadySettled: true, capturedNanoUsd: 20_000n })
  }
  const isSettled = new Set(settled)
  for (const [what, holdId = '', requestId = ''] of acks) {
    if (what !== 'hold' || isSettled.has(holdId)) continue
    const request = { gateway: GATEWAY, model: MODEL, promptTokensMax: 10, maxTokens: 20 }
    const again = service.authorise({
      ...request,
      keyHash,
      requestId: Buffer.from(requestId, 'hex'),
    })
    // Acknowledged, and perhaps settled by the time of the kill, but never unknown and never placed anew.
    const answer = await again.then(
      (hold) => hold.holdId,
      (error: LexoraError) => error.facts['holdId'],
    )
    expect(answer).toBe(holdId)
  }
  return settled.length
}

describe('kill -9 of a working ledger', () => {
  let directory = ''

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'lexora-crash-'))
  })
  afterAll(() => rm(directory, { recursive: true, force: true }))

  /** Lets a child work until it has acknowledged so much, kills it, and returns all that it acknowledged. */
  async function workAndDie(journal: string, keyHash: Uint8Array, acks: number): Promise<string[]> {
    const hash = Buffer.from(keyHash).toString('hex')
    const child = spawn(process.execPath, ['--import', 'tsx', CHILD, journal, hash], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const exited = once(child, 'exit')
    const lines: string[] = []
    for await (const line of createInterface({ input: child.stdout })) {
      lines.push(line)
      if (lines.length === acks) child.kill('SIGKILL')
    }
    const [, signal] = await exited
    expect(signal).toBe('SIGKILL')
    return lines
  }

  it('loses nothing that was acknowledged', async () => {
    const journal = join(directory, 'journal')
    const random = countingRandom()
    await initLevelStore(journal, genesisChunk({ clock: () => 1, random }))
    const first = await openLedger({ store: await openLevelStore(journal) })
    const { keyHash, accountId } = await furnish(first.service, { paid: CREDIT })
    await first.service.stop()

    for (const acks of KILL_AFTER) {
      const lines = await workAndDie(journal, keyHash, acks)
      expect(lines.length).toBeGreaterThanOrEqual(acks)
      const { service, store } = await openLedger({
        store: await openLevelStore(journal),
        snapshots: createSnapshotShelf(`${journal}.snapshots`),
      })
      const settled = await checkAcknowledged(service, lines, keyHash)
      const report = await verifyBooks(store)
      expect(report.problems).toEqual([])
      expect(report.captures).toBeGreaterThanOrEqual(settled)
      expect(service.balance(accountId).paidNanoUsd).toBe(CREDIT - report.sumReceipts)
      await service.stop()
    }
    // Otherwise the starts above have proved nothing about snapshots.
    const names = await readdir(`${journal}.snapshots`)
    expect(names.filter((name) => name.endsWith('.snapshot')).length).toBeGreaterThan(0)
  }, 120_000)
})
