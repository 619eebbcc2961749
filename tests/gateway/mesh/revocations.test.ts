import { REVOCATION_NOTICE, revocationNoticeCodec } from '@lexora/protocol'
import { expect, it } from 'vitest'
import { createRevocations } from '../../../gateway/src/mesh/revocations.ts'

it('tells every listener of the serials that the ledger pushes', () => {
  const revocations = createRevocations()
  const told: (readonly number[])[] = []
  revocations.onRevoked((serials) => told.push(serials))
  revocations.onRevoked((serials) => told.push(serials))
  const notice = revocationNoticeCodec.encode({ keyHashes: [], serials: [3, 4] })
  revocations.notices[REVOCATION_NOTICE]?.(notice)
  expect(told).toEqual([
    [3, 4],
    [3, 4],
  ])
})

it('tells of revoked keys apart from members', () => {
  const revocations = createRevocations()
  const keys: (readonly Uint8Array[])[] = []
  revocations.onKeysRevoked((keyHashes) => keys.push(keyHashes))
  const hash = new Uint8Array(32).fill(5)
  const notice = revocationNoticeCodec.encode({ keyHashes: [hash], serials: [] })
  revocations.notices[REVOCATION_NOTICE]?.(notice)
  expect(keys).toEqual([[hash]])
})
