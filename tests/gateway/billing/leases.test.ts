import { LexoraError } from '@lexora/protocol'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createLeases, type Leases } from '../../../gateway/src/billing/leases.ts'
import { type TestLog, testLog } from '../fixture.ts'
import { ScriptedLedger } from '../scripted-ledger.ts'

let ledger: ScriptedLedger
let logged: TestLog
let leases: Leases

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  ledger = new ScriptedLedger('gateway')
  logged = testLog()
  leases = createLeases({ ledger, log: logged.log })
  leases.start()
})
afterEach(() => {
  leases.stop()
  vi.useRealTimers()
})

const turn = (): Promise<unknown> => vi.advanceTimersByTimeAsync(5_000)

describe('leases', () => {
  it('renew what runs, every 5 s, until it is let go', async () => {
    const letGo = leases.keep('a')
    leases.keep('b')
    ledger.open.add('a').add('b')
    await turn()
    expect(ledger.renewals).toEqual([['a', 'b']])
    letGo()
    letGo()
    await turn()
    expect(ledger.renewals).toEqual([['a', 'b'], ['b']])
    expect(logged.lines).toEqual([])
  })

  it('ask nothing while nothing runs', async () => {
    leases.keep('a')()
    await turn()
    expect(ledger.renewals).toEqual([])
  })

  it('come in batches that one message may name', async () => {
    for (let index = 0; index < 2_100; index++) leases.keep(`hold-${index}`)
    await turn()
    expect(ledger.renewals.map((batch) => batch.length)).toEqual([1_024, 1_024, 52])
    expect(new Set(ledger.renewals.flat()).size).toBe(2_100)
  })

  it('say how many holds were lost', async () => {
    leases.keep('a')
    leases.keep('b')
    ledger.open.add('a')
    await turn()
    expect(logged.lines).toMatchObject([{ level: 40, lost: 1 }])
  })

  it('go on after the ledger was away, and with the batches behind a failed one', async () => {
    for (let index = 0; index < 1_500; index++) leases.keep(`hold-${index}`)
    ledger.failure = new LexoraError('ledger_unavailable', '')
    await turn()
    expect(ledger.renewals.length).toBe(2)
    expect(logged.lines).toMatchObject([
      { code: 'ledger_unavailable', holds: 1_024 },
      { holds: 476 },
    ])
    ledger.comeBack()
    await turn()
    expect(ledger.renewals.length).toBe(4)
  })

  it('end with stop', async () => {
    leases.keep('a')
    leases.stop()
    await turn()
    expect(ledger.renewals).toEqual([])
  })
})
