import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createHeartbeats } from '../../../node/src/capacity/heartbeat.ts'
import { createLoadFeed } from '../../../node/src/capacity/load-feed.ts'
import { createSlots, type Slot, type Slots } from '../../../node/src/capacity/slots.ts'

const twoModels = (): Slots =>
  createSlots([
    { id: 'a', slots: 2 },
    { id: 'b', slots: 1 },
  ])

describe('createSlots()', () => {
  it('gives as many slots as a model has, and each back once', () => {
    const slots = twoModels()
    const first = slots.reserve('a')
    slots.reserve('a')
    expect(() => slots.reserve('a')).toThrow(expect.objectContaining({ code: 'provider_busy' }))
    slots.reserve('b')
    first.release()
    first.release()
    expect(slots.running).toBe(2)
    slots.reserve('a')
    expect(() => slots.reserve('a')).toThrow(expect.objectContaining({ code: 'provider_busy' }))
  })

  it('knows no other model', () => {
    expect(() => twoModels().reserve('c')).toThrow(
      expect.objectContaining({ code: 'model_not_found' }),
    )
  })

  it('takes nothing while draining and says when nothing runs', async () => {
    const slots = twoModels()
    const slot = slots.reserve('a')
    slots.drain()
    expect(slots.isDraining).toBe(true)
    expect(() => slots.reserve('b')).toThrow(expect.objectContaining({ code: 'provider_draining' }))
    const idle = slots.idle(new AbortController().signal)
    slot.release()
    expect(await idle).toBe(true)
    expect(await slots.idle(AbortSignal.abort())).toBe(true)
  })

  it('stops waiting for what runs when told to', async () => {
    const slots = twoModels()
    slots.reserve('a')
    const controller = new AbortController()
    const idle = slots.idle(controller.signal)
    controller.abort()
    expect(await idle).toBe(false)
  })

  it('averages the decode speed of answers that are long enough', () => {
    const slots = twoModels()
    const speed = (): number | undefined => slots.loads()[0]?.decodeTokensPerSecond
    slots.reserve('a').release({ completionTokens: 7, decodeMs: 1 })
    slots.reserve('a').release({ completionTokens: 100, decodeMs: 0 })
    expect(speed()).toBe(0)
    slots.reserve('a').release({ completionTokens: 101, decodeMs: 1_000 })
    expect(speed()).toBe(100)
    slots.reserve('a').release({ completionTokens: 201, decodeMs: 1_000 })
    expect(speed()).toBeCloseTo(120)
    expect(slots.loads()[1]?.decodeTokensPerSecond).toBe(0)
  })
})

describe('createHeartbeats()', () => {
  it('says the load with a rising sequence under one boot id', () => {
    const slots = twoModels()
    const bootId = randomBytes(8)
    const heartbeats = createHeartbeats(
      { slots, clock: () => 1_700_000_000_000 },
      { peerId: 'p', bootId },
    )
    expect(heartbeats.next()).toMatchObject({ sequence: 1, draining: false, bootId, peerId: 'p' })
    slots.reserve('b')
    slots.drain()
    const { sequence, draining, models } = heartbeats.next()
    expect({ sequence, draining }).toEqual({ sequence: 2, draining: true })
    expect(models.map(({ model, slotsBusy }) => [model, slotsBusy])).toEqual([
      ['a', 0],
      ['b', 1],
    ])
  })
})

describe('createLoadFeed()', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it('pushes a change at once, a burst once, and the rest at intervals', () => {
    const slots = createSlots([{ id: 'a', slots: 1_000 }])
    const push = vi.fn()
    const feed = createLoadFeed({ slots, push }, { debounceMs: 100, intervalMs: 10_000 })
    feed.start()
    const held: Slot[] = [slots.reserve('a')]
    vi.advanceTimersByTime(0)
    expect(push).toHaveBeenCalledTimes(1)
    for (let index = 0; index < 500; index += 1) held.push(slots.reserve('a'))
    vi.advanceTimersByTime(99)
    expect(push).toHaveBeenCalledTimes(1)
    vi.advanceTimersByTime(1)
    expect(push).toHaveBeenCalledTimes(2)
    vi.advanceTimersByTime(9_999)
    expect(push).toHaveBeenCalledTimes(2)
    vi.advanceTimersByTime(1)
    expect(push).toHaveBeenCalledTimes(3)
    feed.stop()
    held[0]?.release()
    vi.advanceTimersByTime(60_000)
    expect(push).toHaveBeenCalledTimes(3)
  })
})
