import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { genesisChunk } from '../../ledger/src/genesis.ts'
import { initLevelStore, openLevelStore } from '../../ledger/src/store/level-store.ts'
import { verifyBooks } from '../../ledger/src/verify.ts'
import { codeOf, countingRandom, delivery, furnish, GATEWAY, MODEL, openLedger } from './fixture.ts'

const CHILD = fileURLToPath(new URL('./crash/child.ts', import.meta.url))
/** A different number of acknowledgements each time, so that the kill falls into different places of a group. */
const KILL_AFTER = [1, 40, 333, 701, 1_500]
const CREDIT = 10n ** 15n

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
      const { service, store } = await openLedger({ store: await openLevelStore(journal) })
      const settled = new Set<string>()
      for (const line of lines) {
        const [what, holdId = ''] = line.split(' ')
        if (what === 'settled') settled.add(holdId)
      }
      for (const line of lines) {
        const [what, holdId = '', requestId = ''] = line.split(' ')
        if (what === 'settled') {
          const usage = { promptTokens: 10, completionTokens: 5 }
          const again = await service.settle(delivery(holdId, usage))
          expect(again, line).toMatchObject({ alreadySettled: true, capturedNanoUsd: 20_000n })
        } else if (!settled.has(holdId)) {
          const call = { keyHash, gateway: GATEWAY, model: MODEL, promptTokensMax: 10, maxTokens: 20 }
          const again = service.authorise({ ...call, requestId: Buffer.from(requestId, 'hex') })
          // Acknowledged, and perhaps settled by the time of the kill, but never unknown or new.
          const code = await codeOf(again)
          if (code === 'ok') expect((await again).holdId, line).toBe(holdId)
          else expect(code, line).toBe('hold_closed')
        }
      }
      const report = await verifyBooks(store)
      expect(report.problems).toEqual([])
      expect(report.captures).toBeGreaterThanOrEqual(settled.size)
      expect(service.balance(accountId).paidNanoUsd).toBe(CREDIT - report.sumReceipts)
      await service.stop()
    }
  }, 120_000)
})
