import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  initHome,
  keptFiles,
  type LedgerHome,
  ledgerHome,
  openHome,
  restoreHome,
} from '../../ledger/src/home.ts'
import { createLedgerService, type LedgerService } from '../../ledger/src/service.ts'
import { checkBackup } from '../../ledger/src/store/backup.ts'
import { createSnapshotShelf } from '../../ledger/src/store/snapshot-shelf.ts'
import { verifyBooks } from '../../ledger/src/verify.ts'
import {
  codeOf,
  countingRandom,
  delivery,
  furnish,
  GATEWAY,
  MODEL,
  requestId,
  SILENT,
} from './fixture.ts'

const CREDIT = 10n ** 12n

describe('backup and restore', () => {
  let directory = ''
  let home: LedgerHome
  let target: LedgerHome
  const random = countingRandom()
  const clock = (): number => 1_800_000_000_000

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'lexora-backup-'))
    home = ledgerHome(join(directory, 'home'))
    target = ledgerHome(join(directory, 'restored'))
    await initHome(home, { clock, random })
    await writeFile(home.key, 'the key', { mode: 0o600 })
  })
  afterEach(() => rm(directory, { recursive: true, force: true }))

  async function openService(at: LedgerHome): Promise<LedgerService> {
    return createLedgerService({
      store: await openHome(at, { check: 'ends' }),
      clock,
      random,
      freeDiskBytes: () => 1024 ** 4,
      log: SILENT,
      snapshots: createSnapshotShelf(at.snapshots),
      keptFiles: () => keptFiles(at),
    })
  }

  function hold(service: LedgerService, keyHash: Uint8Array, number: number) {
    const request = { keyHash, requestId: requestId(number), gateway: GATEWAY, model: MODEL }
    return service.authorise({ ...request, promptTokensMax: 10, maxTokens: 10 })
  }

  const usage = { promptTokens: 5, completionTokens: 5 }

  it('gives back what was there, and goes on from it', async () => {
    const service = await openService(home)
    const { keyHash, accountId } = await furnish(service, { paid: CREDIT })
    const open = await hold(service, keyHash, 1)
    const closed = await hold(service, keyHash, 2)
    await service.settle(delivery(closed.holdId, usage))
    const balance = service.balance(accountId)
    const head = service.head()
    const manifest = await service.backUp(join(directory, 'copy'))
    expect(manifest.head).toEqual(head)
    await hold(service, keyHash, 3)
    await service.stop()

    expect(await restoreHome(target, join(directory, 'copy'))).toEqual(manifest)
    const store = await openHome(target)
    expect((await verifyBooks(store)).problems).toEqual([])
    await store.close()
    const restored = await openService(target)
    expect(restored.ledgerId()).toBe(service.ledgerId())
    expect(restored.head()).toEqual(head)
    expect(restored.balance(accountId)).toEqual(balance)
    expect((await restored.settle(delivery(closed.holdId, usage))).alreadySettled).toBe(true)
    expect((await restored.settle(delivery(open.holdId, usage))).alreadySettled).toBe(false)
    expect((await restored.verify()).problems).toEqual([])
    await restored.stop()
    expect(await readFile(target.key, 'utf8')).toBe('the key')
    expect((await stat(target.key)).mode & 0o777).toBe(0o600)
  })

  it('is of one moment, although the ledger goes on working', async () => {
    const service = await openService(home)
    const { keyHash } = await furnish(service, { paid: CREDIT })
    for (let number = 0; number < 200; number += 1) await hold(service, keyHash, number)
    let isDone = false
    const working = (async () => {
      for (let number = 1_000; !isDone; number += 1) {
        const { holdId } = await hold(service, keyHash, number)
        await service.settle(delivery(holdId, usage))
      }
    })()
    const manifest = await service.backUp(join(directory, 'copy'))
    isDone = true
    await working
    expect(manifest.head.nextSeq).toBeLessThan(service.head().nextSeq)
    await service.stop()
    await restoreHome(target, join(directory, 'copy'))
    const store = await openHome(target)
    expect(store.head()).toEqual(manifest.head)
    expect((await verifyBooks(store)).problems).toEqual([])
    await store.close()
  })

  async function backup(): Promise<string> {
    const copy = join(directory, 'copy')
    const service = await openService(home)
    await furnish(service, { paid: CREDIT })
    await service.backUp(copy)
    await service.stop()
    return copy
  }

  it('finds every changed, cut and missing file of a backup', async () => {
    const copy = await backup()
    await checkBackup(copy)
    for (const name of await readdir(copy)) {
      const path = join(copy, name)
      const bytes = await readFile(path)
      const flipped = Uint8Array.from(bytes)
      const at = bytes.length >> 1
      flipped[at] = (flipped[at] ?? 0) ^ 1
      for (const wrong of [flipped, bytes.subarray(0, bytes.length - 2), new Uint8Array()]) {
        await writeFile(path, wrong)
        expect(await codeOf(restoreHome(target, copy)), name).toBe('malformed')
      }
      await rm(path)
      const gone = name === 'backup.json' ? 'not_found' : 'malformed'
      expect(await codeOf(restoreHome(target, copy)), name).toBe(gone)
      await writeFile(path, bytes)
    }
    await restoreHome(target, copy)
  })

  it('overwrites nothing', async () => {
    const copy = await backup()
    const service = await openService(home)
    expect(await codeOf(service.backUp(copy))).toBe('conflict')
    await service.stop()
    await checkBackup(copy)
    const before = await readFile(home.marker, 'utf8')
    expect(await codeOf(restoreHome(home, copy))).toBe('conflict')
    expect(await readFile(home.marker, 'utf8')).toBe(before)
    await mkdir(target.directory)
    await writeFile(join(target.directory, 'note.txt'), 'mine')
    expect(await codeOf(restoreHome(target, copy))).toBe('conflict')
    expect(await readdir(target.directory)).toEqual(['note.txt'])
  })

  it('leaves nothing of a backup that failed', async () => {
    const service = await openService(home)
    await furnish(service, { paid: CREDIT })
    await rm(home.key)
    await mkdir(home.key)
    expect(await codeOf(service.backUp(join(directory, 'copy')))).toBe('EISDIR')
    expect(await readdir(join(directory, 'copy'))).toEqual([])
    await service.stop()
  })

  it('leads nowhere outside its folder', async () => {
    const copy = await backup()
    const path = join(copy, 'backup.json')
    const text = await readFile(path, 'utf8')
    await writeFile(path, text.replace('peer.key', '../peer.key'))
    expect(await codeOf(restoreHome(target, copy))).toBe('malformed')
  })
})
