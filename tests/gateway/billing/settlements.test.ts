import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  countersign,
  type ErrorCode,
  LexoraError,
  type Receipt,
  type Signer,
  sealReceipt,
} from '@lexora/protocol'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createSettlements, type Settlements } from '../../../gateway/src/billing/settlements.ts'
import { codeOf, MODEL, NOW, newSigner, testLog, until } from '../fixture.ts'
import { ScriptedLedger } from '../scripted-ledger.ts'

const gateway = newSigner()
const provider = newSigner()
let path: string
let ledger: ScriptedLedger
const opened: Settlements[] = []

beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), 'lexora-settlements-'))
  ledger = new ScriptedLedger(gateway.peerId)
})
afterEach(async () => {
  vi.useRealTimers()
  vi.restoreAllMocks()
  for (const settlements of opened.splice(0)) await settlements.stop()
  await rm(path, { recursive: true, force: true })
})

async function start(): Promise<Settlements> {
  const settlements = createSettlements({ ledger, log: testLog().log }, { path })
  opened.push(settlements)
  await settlements.start()
  return settlements
}

function receipt(holdId: string, signer: Signer = provider): Uint8Array {
  const content: Receipt = {
    holdId,
    requestId: new Uint8Array(16),
    requestHash: new Uint8Array(32),
    model: MODEL,
    modelSha256: new Uint8Array(32),
    provider: provider.peerId,
    gateway: gateway.peerId,
    tokenStart: 0,
    tokenEnd: 3,
    usage: { promptTokens: 1, cachedTokens: 0, completionTokens: 3 },
    finishReason: 'stop',
    queueMs: 0,
    prefillMs: 0,
    decodeMs: 0,
    priceVersion: 1,
    issuedAtMs: NOW,
  }
  return countersign(gateway, sealReceipt(signer, content))
}

async function put(settlements: Settlements, ...holdIds: string[]): Promise<void> {
  await Promise.all(holdIds.map((holdId) => settlements.put(holdId, receipt(holdId))))
}

/** Timers stand still; the store's own work goes on. */
function stopTimers(): void {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
}

describe('settlements', () => {
  it('bring receipts to the ledger and forget them', async () => {
    const settlements = await start()
    await put(settlements, 'a', 'b')
    await settlements.idle()
    expect([...ledger.settled.keys()].sort()).toEqual(['a', 'b'])
    expect(settlements.pendingCount).toBe(0)
    await settlements.stop()
    const again = await start()
    await again.idle()
    expect(ledger.settleCalls).toBe(2)
  })

  it('survive a restart: what was not confirmed is settled by the next run', async () => {
    ledger.goAway()
    const first = await start()
    await put(first, 'a', 'b', 'c')
    await expect.poll(() => ledger.settleCalls).toBeGreaterThan(0)
    await first.stop()
    expect(ledger.settled.size).toBe(0)
    ledger.comeBack()
    const second = await start()
    await second.idle()
    expect([...ledger.settled.keys()].sort()).toEqual(['a', 'b', 'c'])
    expect(ledger.settled.get('a')?.signedByProvider).toBe(true)
  })

  it('settle what was put while an earlier run’s receipts are still on their way', async () => {
    ledger.goAway()
    const first = await start()
    await put(first, 'a')
    await first.stop()
    ledger.comeBack()
    const second = await start()
    await put(second, 'b')
    await second.idle()
    expect([...ledger.settled.keys()].sort()).toEqual(['a', 'b'])
  })

  it.each<ErrorCode>([
    'hold_closed',
    'hold_not_found',
    'receipt_invalid',
    'conflict',
    'forbidden',
    'malformed',
    'frame_too_large',
  ])('drop a receipt that is refused for good: %s', async (code) => {
    ledger.settleFailure = () => new LexoraError(code, '')
    const settlements = await start()
    await put(settlements, 'a')
    await settlements.idle()
    expect(ledger.settleCalls).toBe(1)
    await settlements.stop()
    const again = await start()
    await again.idle()
    expect(ledger.settleCalls).toBe(1)
  })

  it.each<ErrorCode>(['ledger_unavailable', 'storage_full', 'timeout', 'not_a_member', 'internal'])(
    'ask again after an answer that may change: %s',
    async (code) => {
      stopTimers()
      ledger.settleFailure = () => new LexoraError(code, '')
      const settlements = await start()
      await put(settlements, 'a')
      await until(() => ledger.settleCalls === 1 && vi.getTimerCount() === 1)
      ledger.settleFailure = () => undefined
      const idle = settlements.idle()
      await vi.advanceTimersByTimeAsync(200)
      await idle
      expect(ledger.settleCalls).toBe(2)
      expect(ledger.settled.size).toBe(1)
    },
  )

  it('wait twice as long each time that the ledger is away, together and not one by one', async () => {
    stopTimers()
    // Jitter takes off up to half of a delay; here nothing.
    vi.spyOn(Math, 'random').mockReturnValue(1)
    ledger.goAway()
    const settlements = await start()
    await put(settlements, 'a', 'b', 'c')
    await until(() => vi.getTimerCount() === 1)
    for (const delayMs of [200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000]) {
      const calls = ledger.settleCalls
      await vi.advanceTimersByTimeAsync(delayMs - 1)
      expect(ledger.settleCalls, `within ${delayMs} ms`).toBe(calls)
      await vi.advanceTimersByTimeAsync(1)
      expect(ledger.settleCalls, `after ${delayMs} ms`).toBe(calls + 3)
    }
    ledger.comeBack()
    const idle = settlements.idle()
    await vi.advanceTimersByTimeAsync(10_000)
    await idle
    expect(ledger.settled.size).toBe(3)
  })

  it('are tried at once when the ledger is back, whatever was left of the wait', async () => {
    stopTimers()
    const settlements = await start()
    const away = new LexoraError('ledger_unavailable', 'away')
    const settle = vi.spyOn(ledger, 'settle').mockRejectedValue(away)
    await put(settlements, 'a')
    await until(() => vi.getTimerCount() === 1)
    settle.mockRestore()
    settlements.wake()
    await settlements.idle()
    expect([...ledger.settled.keys()]).toEqual(['a'])
    expect(vi.getTimerCount()).toBe(0)
  })

  it('run no more than 64 at once, and all of them in the end', async () => {
    let open = (): void => {}
    ledger.gate = new Promise((resolve) => {
      open = resolve
    })
    const settlements = await start()
    const holdIds = Array.from({ length: 300 }, (_, index) => `hold-${index}`)
    await put(settlements, ...holdIds)
    await expect.poll(() => ledger.settleCalls).toBe(64)
    expect(settlements.pendingCount).toBe(300)
    open()
    await settlements.idle()
    expect(ledger.concurrencyMax).toBe(64)
    expect(ledger.settled.size).toBe(300)
  })

  it('one refused receipt does not hold back the others', async () => {
    ledger.settleFailure = ({ holdId }) =>
      holdId === 'bad' ? new LexoraError('malformed', '') : undefined
    const settlements = await start()
    await put(settlements, 'bad', 'a', 'b')
    await settlements.idle()
    expect(ledger.settled.size).toBe(2)
  })

  it('stop waits for what is under way and starts nothing more', async () => {
    let open = (): void => {}
    ledger.gate = new Promise((resolve) => {
      open = resolve
    })
    const settlements = await start()
    const holdIds = Array.from({ length: 100 }, (_, index) => `hold-${index}`)
    await put(settlements, ...holdIds)
    await expect.poll(() => ledger.settleCalls).toBe(64)
    const stopped = settlements.stop()
    open()
    await stopped
    expect(ledger.settled.size).toBe(64)
    expect(await codeOf(settlements.put('late', receipt('late')))).toBe('storage_full')
    await settlements.stop()
    const next = await start()
    await next.idle()
    expect(ledger.settled.size).toBe(100)
    expect(ledger.settleCalls).toBe(100)
  })

  it('stop while the ledger is away leaves no timer behind', async () => {
    stopTimers()
    ledger.goAway()
    const settlements = await start()
    await put(settlements, 'a')
    await until(() => vi.getTimerCount() === 1)
    await settlements.stop()
    expect(vi.getTimerCount()).toBe(0)
  })

  it('keep a second process off their folder, with a clear text', async () => {
    await start()
    const second = createSettlements({ ledger, log: testLog().log }, { path })
    await expect(second.start()).rejects.toMatchObject({
      code: 'conflict',
      message: `the outbox ${path} cannot be opened: is another gateway running on it?`,
    })
    await second.stop()
  })
})
