import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Outbox, openOutbox } from '../../../node/src/outbox/outbox.ts'

let home: string
let path: string
let outbox: Outbox | undefined
let child: ChildProcess | undefined
let nowMs = 1_700_000_000_000
const clock = (): number => nowMs

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'lexora-outbox-'))
  path = join(home, 'outbox')
})
afterEach(async () => {
  child?.kill('SIGKILL')
  await outbox?.close()
  outbox = undefined
  await rm(home, { recursive: true })
})

const entry = (holdId: string): { holdId: string; receipt: Uint8Array; gatewayLost: boolean } => ({
  holdId,
  receipt: Buffer.from(`receipt of ${holdId}`),
  gatewayLost: false,
})

const holdIds = (kept: Outbox): string[] => Array.from(kept.items(), ({ holdId }) => holdId)

describe('openOutbox()', () => {
  it('keeps receipts over a restart, oldest first', async () => {
    outbox = await openOutbox(clock, { path })
    for (const holdId of ['c', 'a', 'b']) {
      await outbox.put(entry(holdId))
      nowMs += 1
    }
    await outbox.remove('a')
    await outbox.close()
    outbox = await openOutbox(clock, { path })
    expect(holdIds(outbox)).toEqual(['c', 'b'])
    expect(Buffer.from((await outbox.receipt('c')) ?? []).toString()).toBe('receipt of c')
    expect(await outbox.receipt('a')).toBeUndefined()
  })

  it('takes no more than its bound, running requests included', async () => {
    outbox = await openOutbox(clock, { path, receiptsMax: 3 })
    await outbox.put(entry('a'))
    expect(outbox.refusal(1)).toBeUndefined()
    expect(outbox.refusal(2)).toMatchObject({ code: 'storage_full' })
    await Promise.all([outbox.put(entry('b')), outbox.put(entry('c'))])
    await expect(outbox.put(entry('d'))).rejects.toMatchObject({ code: 'storage_full' })
    await outbox.remove('a')
    await outbox.put(entry('d'))
    expect(outbox.size).toBe(3)
  })

  it('sets receipts aside and keeps the newest of them', async () => {
    outbox = await openOutbox(clock, { path, asideMax: 2 })
    for (const holdId of ['a', 'b', 'c']) {
      await outbox.put(entry(holdId))
      await outbox.setAside(holdId, 'receipt_invalid')
      nowMs += 1
    }
    expect(outbox.size).toBe(0)
    expect(outbox.asideSize).toBe(2)
    await outbox.close()
    outbox = await openOutbox(clock, { path, asideMax: 2 })
    expect({ size: outbox.size, aside: outbox.asideSize }).toEqual({ size: 0, aside: 2 })
  })

  it('refuses everything after a write that failed, for none after it would be kept', async () => {
    outbox = await openOutbox(clock, { path })
    await outbox.close()
    await expect(outbox.put(entry('a'))).rejects.toMatchObject({ code: 'storage_full' })
    expect(outbox.refusal(0)).toMatchObject({ code: 'storage_full' })
    expect(outbox.size).toBe(0)
  })

  it('refuses a second process, and loses nothing that was put when the first is killed', async () => {
    const fixture = fileURLToPath(new URL('../fixtures/outbox-writer.ts', import.meta.url))
    const writer = fork(fixture, [path], { execArgv: ['--import', 'tsx'] })
    child = writer
    const kept: string[] = []
    await new Promise<void>((resolve, reject) => {
      writer.once('exit', () => {
        reject(new Error('the writer ended by itself'))
      })
      writer.on('message', (holdId: string) => {
        kept.push(holdId)
        if (kept.length === 100) resolve()
      })
    })
    await expect(openOutbox(clock, { path })).rejects.toMatchObject({ code: 'conflict' })
    const exited = once(writer, 'exit')
    writer.removeAllListeners('exit')
    const ended = once(writer, 'exit')
    writer.kill('SIGKILL')
    await Promise.race([exited, ended])

    outbox = await openOutbox(clock, { path })
    const found = new Set(holdIds(outbox))
    expect(kept.filter((holdId) => !found.has(holdId))).toEqual([])
    for (const item of outbox.items()) {
      const receipt = await outbox.receipt(item.holdId)
      expect(Buffer.from(receipt ?? []).toString(), item.holdId).toBe(`receipt of ${item.holdId}`)
      expect(item.gatewayLost, item.holdId).toBe(Number(item.holdId.slice(5)) % 2 === 1)
    }
  })
})
