import '@lexora/protocol/polyfill'
import { randomBytes } from 'node:crypto'
import { writeSync } from 'node:fs'
import { createLedgerService } from '../../../ledger/src/service.ts'
import { openLevelStore } from '../../../ledger/src/store/level-store.ts'
import { createSnapshotShelf } from '../../../ledger/src/store/snapshot-shelf.ts'
import { delivery, GATEWAY, MODEL, SILENT } from '../fixture.ts'

/** Works a ledger as hard as it can and says on stdout what was acknowledged, until it is killed. */
const [directory = '', keyHash = ''] = process.argv.slice(2)
const service = await createLedgerService(
  {
    store: await openLevelStore(directory, { check: 'ends' }),
    snapshots: createSnapshotShelf(`${directory}.snapshots`),
    clock: () => Date.now(),
    random: (length) => randomBytes(length),
    freeDiskBytes: () => 1024 ** 4,
    log: SILENT,
  },
  // So often that some are cut off by the kill.
  { snapshotEveryEntries: 100 },
)

async function work(): Promise<never> {
  for (;;) {
    const requestId = randomBytes(16)
    const { holdId } = await service.authorise({
      keyHash: Buffer.from(keyHash, 'hex'),
      requestId,
      gateway: GATEWAY,
      model: MODEL,
      promptTokensMax: 10,
      maxTokens: 20,
    })
    writeSync(1, `hold ${holdId} ${requestId.toString('hex')}\n`)
    await service.settle(delivery(holdId, { promptTokens: 10, completionTokens: 5 }))
    writeSync(1, `settled ${holdId}\n`)
  }
}

await Promise.all(Array.from({ length: 32 }, work))
