import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ClaimState, type ErrorCode, LexoraError } from '@lexora/protocol'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type Claims, createClaims } from '../../../node/src/outbox/claims.ts'
import { type Outbox, openOutbox } from '../../../node/src/outbox/outbox.ts'

let home: string
let outbox: Outbox
let claims: Claims
let nowMs: number
let asked: string[]
let answer: (holdId: string) => ClaimState | ErrorCode
let logged: string[]
const clock = (): number => nowMs

beforeEach(async () => {
  nowMs = 1_700_000_000_000
  asked = []
  logged = []
  answer = () => 'settled'
  home = await mkdtemp(join(tmpdir(), 'lexora-claims-'))
  outbox = await openOutbox(clock, { path: join(home, 'outbox') })
  claims = createClaims(
    {
      outbox,
      clock,
      log: {
        info: (_fields, message) => void logged.push(message),
        warn: (_fields, message) => void logged.push(message),
      },
      async claim(holdId, receipt) {
        await Promise.resolve()
        expect(Buffer.from(receipt).toString()).toBe(`receipt of ${holdId}`)
        asked.push(holdId)
        const said = answer(holdId)
        if (STATES.has(said)) return said as ClaimState
        throw new LexoraError(said as ErrorCode, 'scripted')
      },
    },
    { roundMs: 1 },
  )
})
afterEach(async () => {
  await claims.stop()
  await outbox.close()
  await rm(home, { recursive: true })
})

const STATES: ReadonlySet<string> = new Set(['settled', 'recorded', 'expired', 'voided'])

async function put(holdId: string, gatewayLost = false): Promise<void> {
  await outbox.put({ holdId, receipt: Buffer.from(`receipt of ${holdId}`), gatewayLost })
}

describe('createClaims()', () => {
  it('waits ten seconds for the gateway, and not at all where it is lost', async () => {
    await put('patient')
    await put('lost', true)
    expect(await claims.round()).toBe(1)
    expect(asked).toEqual(['lost'])
    nowMs += 9_999
    expect(await claims.round()).toBe(0)
    nowMs += 1
    expect(await claims.round()).toBe(1)
    expect(asked).toEqual(['lost', 'patient'])
    expect(outbox.size).toBe(0)
  })

  it.each(['settled', 'expired', 'voided'] as const)(
    'forgets a receipt that is %s',
    async (state) => {
      answer = () => state
      await put('a', true)
      await claims.round()
      expect(outbox.size).toBe(0)
      expect(logged).toEqual(state === 'settled' ? [] : ['receipt not paid'])
    },
  )

  it('keeps a recorded receipt and asks again, less and less often', async () => {
    answer = () => 'recorded'
    await put('a', true)
    const askedAtMs: number[] = []
    const startMs = nowMs
    while (nowMs < startMs + 3_600_000) {
      if ((await claims.round()) > 0) askedAtMs.push(nowMs)
      nowMs += 1_000
    }
    const gaps = askedAtMs.slice(1).map((at, index) => at - (askedAtMs[index] ?? 0))
    expect(gaps.length).toBeGreaterThan(5)
    expect(gaps.length).toBeLessThan(20)
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(7_000)
    expect(Math.max(...gaps)).toBeLessThanOrEqual(601_000)
    expect(outbox.size).toBe(1)
    answer = () => 'settled'
    nowMs += 601_000
    await claims.round()
    expect(outbox.size).toBe(0)
  })

  it.each(['hold_not_found', 'receipt_invalid', 'hold_closed'] as const)(
    'sets a receipt aside that is answered %s, and goes on',
    async (code) => {
      answer = (holdId) => (holdId === 'bad' ? code : 'settled')
      await put('bad', true)
      await put('good', true)
      await claims.round()
      expect({ size: outbox.size, aside: outbox.asideSize }).toEqual({ size: 0, aside: 1 })
      expect(await claims.round()).toBe(0)
    },
  )

  it('does not hammer a ledger that cannot be asked', async () => {
    answer = () => 'ledger_unavailable'
    for (let index = 0; index < 100; index += 1) await put(`hold ${index}`, true)
    await claims.round()
    expect(asked.length).toBeLessThanOrEqual(8)
    expect(outbox.size).toBe(100)
    answer = () => 'settled'
    for (let round = 0; round < 20 && outbox.size > 0; round += 1) await claims.round()
    expect(outbox.size).toBe(0)
    expect(new Set(asked).size).toBe(100)
  })

  it('tries a receipt again after any other error', async () => {
    answer = () => 'internal'
    await put('a', true)
    await claims.round()
    expect(await claims.round()).toBe(0)
    answer = () => 'settled'
    nowMs += 20_000
    await claims.round()
    expect(outbox.size).toBe(0)
  })

  it('goes on by itself once started', async () => {
    claims.start()
    await put('a', true)
    await vi.waitFor(() => {
      expect(outbox.size).toBe(0)
    })
    await claims.stop()
    await put('b', true)
    expect(asked).toEqual(['a'])
  })
})
