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
