import { LOAD_LIFETIME_MS } from '@lexora/protocol'
import { describe, expect, it } from 'vitest'
import {
  createDirectory,
  type Directory,
  PROVIDERS_MAX,
} from '../../../gateway/src/routing/directory.ts'
import {
  idleSession,
  load,
  MODEL,
  modelLoad,
  NOW,
  offer,
  record,
  type TestClock,
  testClock,
} from '../fixture.ts'

interface Setting {
  directory: Directory
  clock: TestClock
}

function setting(): Setting {
  const clock = testClock()
  return { directory: createDirectory({ clock }), clock }
}

function peers(directory: Directory, model: string = MODEL): string[] {
  return directory.candidates(model).map(({ peerId }) => peerId)
}

describe('who is a candidate', () => {
  it('is whoever has an open session and a record in force for the model', () => {
    const { directory, clock } = setting()
    const session = idleSession('a')
    directory.add(session, record('a'), load('a'))
    expect(peers(directory)).toEqual(['a'])
    expect(peers(directory, 'other/model')).toEqual([])
    session.isOpen = false
    expect(peers(directory)).toEqual([])
    expect(directory.get('a')).toBeUndefined()
    expect(directory.models().size).toBe(0)
    session.isOpen = true
    clock.advance(599_999)
    expect(directory.get('a')?.session).toBe(session)
    clock.advance(1)
    expect(peers(directory)).toEqual([])
    expect(directory.get('a')).toBeUndefined()
    directory.updateRecord('a', record('a', { sequence: 2, expiresAtMs: NOW + 1_200_000 }))
    expect(peers(directory)).toEqual(['a'])
  })

  it('takes only newer records, and every model that they add or drop', () => {
    const { directory } = setting()
    directory.add(idleSession('a'), record('a', { sequence: 5 }), undefined)
    const other = [offer({ id: 'other/model', contextTokens: 99 })]
    directory.updateRecord('a', record('a', { sequence: 5, models: other }))
    directory.updateRecord('a', record('a', { sequence: 4, models: other }))
    expect(peers(directory)).toEqual(['a'])
    directory.updateRecord('a', record('a', { sequence: 6, models: other }))
    expect(peers(directory)).toEqual([])
    expect(peers(directory, 'other/model')).toEqual(['a'])
    expect(directory.contextTokensMax(MODEL)).toBeUndefined()
    expect(directory.contextTokensMax('other/model')).toBe(99)
    expect(directory.offer('a', MODEL)).toBeUndefined()
    directory.updateRecord('b', record('b', { sequence: 6 }))
    expect(directory.has('b')).toBe(false)
  })

  it('refuses one more than it can hold, but never a new session of one that it has', () => {
    const { directory } = setting()
    for (let index = 0; index < PROVIDERS_MAX; index++) {
      directory.add(idleSession(`p${index}`), record(`p${index}`), undefined)
    }
    expect(() => directory.add(idleSession('more'), record('more'), undefined)).toThrow(
      expect.objectContaining({ code: 'rate_limited' }) as Error,
    )
    directory.add(idleSession('p7'), record('p7', { sequence: 2 }), undefined)
    expect(directory.size).toBe(PROVIDERS_MAX)
  })
})

describe('sessions of one provider', () => {
  it('a closed older one leaves the entry, a closed newer one falls back to the older', () => {
    const { directory } = setting()
    const [older, newer] = [idleSession('a'), idleSession('a')]
    directory.add(older, record('a'), undefined)
    directory.add(newer, record('a'), undefined)
    expect(directory.get('a')?.session).toBe(newer)
    directory.remove(older)
    expect(directory.get('a')?.session).toBe(newer)
    directory.add(older, record('a'), undefined)
    directory.remove(older)
    expect(directory.get('a')?.session).toBe(newer)
    directory.remove(newer)
    expect(directory.has('a')).toBe(false)
    directory.remove(newer)
    expect(directory.size).toBe(0)
  })

  it('a goodbye ends all of them', () => {
    const { directory } = setting()
    const [older, newer] = [idleSession('a'), idleSession('a')]
    directory.add(older, record('a'), undefined)
    directory.add(newer, record('a'), undefined)
    directory.forget('a')
    expect(peers(directory)).toEqual([])
    directory.remove(older)
    expect(directory.has('a')).toBe(false)
  })
})

describe('load', () => {
  const busy = (sequence: number, slotsBusy: number) =>
    load('a', { sequence, models: [modelLoad({ slotsBusy })] })

  it('takes newer states, ignores older ones, and begins again after a restart', () => {
    const { directory } = setting()
    directory.add(idleSession('a'), record('a'), busy(5, 1))
    const said = () => directory.candidates(MODEL)[0]?.slotsBusy
    expect(said()).toBe(1)
    directory.updateLoad('a', busy(4, 2))
    directory.updateLoad('a', busy(5, 3))
    expect(said()).toBe(1)
    directory.updateLoad('a', busy(6, 4))
    expect(said()).toBe(4)
    directory.updateLoad('a', { ...busy(1, 0), bootId: new Uint8Array(8).fill(1) })
    expect(said()).toBe(0)
    directory.updateLoad('nobody', busy(9, 1))
    expect(directory.size).toBe(1)
  })

  it('says nothing once it is old; then only our own requests count', () => {
    const { directory, clock } = setting()
    const draining = load('a', { draining: true, models: [modelLoad({ slots: 2, slotsBusy: 2 })] })
    directory.add(idleSession('a'), record('a'), draining)
    directory.add(
      idleSession('b'),
      record('b'),
      load('b', { models: [modelLoad({ slotsBusy: 3 })] }),
    )
    clock.advance(LOAD_LIFETIME_MS - 1)
    expect(directory.candidates(MODEL)[0]).toMatchObject({ draining: true, slots: 2, slotsBusy: 2 })
    directory.updateLoad('b', load('b', { sequence: 2, models: [modelLoad({ slotsBusy: 1 })] }))
    clock.advance(1)
    expect(directory.candidates(MODEL)).toMatchObject([
      { draining: false, slots: 4, slotsBusy: 0 },
      { slotsBusy: 1 },
    ])
    clock.advance(LOAD_LIFETIME_MS)
    expect(directory.candidates(MODEL)).toMatchObject([{ slotsBusy: 0 }, { slotsBusy: 0 }])
  })

  it('of models that the record does not offer changes nothing', () => {
    const { directory } = setting()
    const foreign = load('a', { models: [modelLoad({ model: 'other/model', slotsBusy: 4 })] })
    directory.add(idleSession('a'), record('a'), foreign)
    expect(directory.candidates(MODEL)).toMatchObject([{ slots: 4, slotsBusy: 0 }])
    expect(peers(directory, 'other/model')).toEqual([])
  })
})

describe('debits', () => {
  const inFlight = (directory: Directory) => directory.candidates(MODEL)[0]?.inFlight

  it('count until they are released, once', () => {
    const { directory } = setting()
    directory.add(idleSession('a'), record('a'), undefined)
    const release = directory.debit('a', MODEL)
    directory.debit('a', MODEL)
    expect(inFlight(directory)).toBe(2)
    release()
    release()
    release()
    expect(inFlight(directory)).toBe(1)
  })

  it('of nobody, and of a model that is not served, are harmless', () => {
    const { directory } = setting()
    directory.add(idleSession('a'), record('a'), undefined)
    directory.debit('nobody', MODEL)()
    directory.debit('a', 'other/model')()
    expect(inFlight(directory)).toBe(0)
  })

  it('stay with a new session and a new record, and go with the provider', () => {
    const { directory } = setting()
    const [first, second] = [idleSession('a'), idleSession('a')]
    directory.add(first, record('a'), undefined)
    const release = directory.debit('a', MODEL)
    directory.add(second, record('a', { sequence: 2 }), undefined)
    directory.updateRecord('a', record('a', { sequence: 3, models: [offer({ slots: 9 })] }))
    expect(directory.candidates(MODEL)).toMatchObject([{ inFlight: 1, slots: 9 }])
    directory.remove(first)
    directory.remove(second)
    directory.add(second, record('a', { sequence: 4 }), undefined)
    expect(inFlight(directory)).toBe(0)
    release()
    expect(inFlight(directory)).toBe(0)
  })
})

describe('observations', () => {
  it('decide about speeds and rests', () => {
    const { directory } = setting()
    directory.add(idleSession('a'), record('a'), undefined)
    const seen = directory.observation('a', MODEL)
    seen?.answered({ promptTokens: 10, outputTokens: 11, firstTokenMs: 1_000, totalMs: 2_000 })
    seen?.failed(NOW)
    seen?.refused(NOW)
    expect(directory.candidates(MODEL)).toMatchObject([
      {
        prefillTokensPerSecond: 10,
        decodeTokensPerSecond: 10,
        restUntilMs: NOW + 1_000,
        fullUntilMs: NOW + 250,
      },
    ])
    expect(directory.observation('a', 'other/model')).toBeUndefined()
    expect(directory.observation('nobody', MODEL)).toBeUndefined()
  })

  it('outlive the session: a provider that breaks off and dials in again still rests', () => {
    const { directory } = setting()
    const session = idleSession('a')
    directory.add(session, record('a'), undefined)
    const seen = directory.observation('a', MODEL)
    directory.remove(session)
    seen?.failed(NOW)
    directory.add(idleSession('a'), record('a', { sequence: 2 }), undefined)
    expect(directory.candidates(MODEL)).toMatchObject([{ restUntilMs: NOW + 1_000 }])
  })

  it('of a rest are not shaken off by a record without the model', () => {
    const { directory, clock } = setting()
    directory.add(idleSession('a'), record('a'), undefined)
    directory.observation('a', MODEL)?.failed(NOW)
    const without = [offer({ id: 'other/model' })]
    directory.updateRecord('a', record('a', { sequence: 2, models: without }))
    directory.updateRecord('a', record('a', { sequence: 3 }))
    expect(directory.candidates(MODEL)).toMatchObject([{ restUntilMs: NOW + 1_000 }])
    clock.advance(1_000)
    directory.updateRecord('a', record('a', { sequence: 4, models: without }))
    directory.updateRecord('a', record('a', { sequence: 5 }))
    expect(directory.candidates(MODEL)).toMatchObject([{ restUntilMs: 0 }])
  })
})

describe('models()', () => {
  it('lists what is served now, with providers and the largest context', () => {
    const { directory } = setting()
    directory.add(idleSession('a'), record('a'), undefined)
    const larger = [offer({ contextTokens: 2_048 }), offer({ id: 'other/model' })]
    const session = idleSession('b')
    directory.add(session, record('b', { models: larger }), undefined)
    const summary = () =>
      [...directory.models()].map(([id, { offer: best, providers }]) => [
        id,
        providers,
        best.contextTokens,
      ])
    expect(summary()).toEqual([
      [MODEL, 2, 2_048],
      ['other/model', 1, 512],
    ])
    expect(directory.contextTokensMax(MODEL)).toBe(2_048)
    directory.remove(session)
    expect(summary()).toEqual([[MODEL, 1, 512]])
    expect(directory.contextTokensMax(MODEL)).toBe(512)
    directory.updateRecord(
      'a',
      record('a', { sequence: 2, models: [offer({ contextTokens: 64 })] }),
    )
    expect(directory.contextTokensMax(MODEL)).toBe(64)
  })
})
