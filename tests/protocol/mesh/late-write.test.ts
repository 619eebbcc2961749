import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { StreamStateError } from '@libp2p/interface'
import { describe, expect, it } from 'vitest'
import { isLateWrite } from '../../../protocol/src/mesh/late-write.ts'

const SCRIPT = fileURLToPath(new URL('fixtures/late-write.ts', import.meta.url))

describe('isLateWrite()', () => {
  it('knows what libp2p throws when a connection dies while a stream is opened on it', async () => {
    const args = ['--import', 'tsx', SCRIPT]
    const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 30_000 })
    expect(JSON.parse(stdout)).toEqual({ uncaught: 'StreamStateError', isLateWrite: true })
  })

  it('takes nothing else for it', () => {
    const elsewhere = new StreamStateError('Cannot write')
    elsewhere.stack = 'StreamStateError: Cannot write\n    at file:///app/main.js:1:1'
    expect([new Error('x'), elsewhere, 'StreamStateError', undefined].map(isLateWrite)).toEqual([
      false,
      false,
      false,
      false,
    ])
  })
})
