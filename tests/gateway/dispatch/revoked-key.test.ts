import { describe, expect, it } from 'vitest'
import { createRunningKeys } from '../../../gateway/src/dispatch/running-keys.ts'
import { setting } from './support.ts'

const KEY = new Uint8Array(32)
const OTHER = new Uint8Array(32).fill(1)

describe('a key that is revoked while a request runs', () => {
  it('stops the provider, settles what was delivered and tells the client', async () => {
    const { provider, run, dispatcher, ledger } = await setting()
    const busy = await provider(async (turn) => {
      turn.accept()
      turn.tokens('one')
      await turn.aborted()
      return turn.end('cancelled')
    })
    let revokedAtMs = 0
    const { ended, text } = run({
      onEvent(event) {
        if (event.kind !== 'tokens') return
        dispatcher.revokeKeys([OTHER])
        revokedAtMs = performance.now()
        dispatcher.revokeKeys([KEY])
      },
    })
    await busyTurn()
    expect(performance.now() - revokedAtMs).toBeLessThan(1_000)
    expect(await ended).toMatchObject({ code: 'api_key_revoked' })
    expect(text()).toBe('one')
    expect(ledger.voided).toEqual([])
    expect(dispatcher.runningCount).toBe(0)

    async function busyTurn() {
      while (busy.turns[0] === undefined) await new Promise((resolve) => setImmediate(resolve))
      await busy.turns[0].aborted()
    }
  })

  it('leaves the requests of other keys alone', async () => {
    const { provider, run, dispatcher } = await setting()
    await provider((turn) => {
      turn.accept()
      dispatcher.revokeKeys([OTHER])
      turn.tokens('done')
      return turn.end()
    })
    const { ended, text } = run()
    expect(await ended).toBe(undefined)
    expect(text()).toBe('done')
  })
})

describe('createRunningKeys()', () => {
  it('stops every request of a key and forgets those that have ended', () => {
    const keys = createRunningKeys()
    const client = new AbortController()
    const [first, second, other] = [KEY, KEY, OTHER].map((key) => keys.watch(key, client.signal))
    first?.end()
    keys.revoke([KEY])
    expect([first, second, other].map((watch) => watch?.isRevoked())).toEqual([false, true, false])
    expect(other?.signal.aborted).toBe(false)
    client.abort()
    expect(other?.signal.aborted).toBe(true)
    expect(other?.isRevoked()).toBe(false)
  })
})
