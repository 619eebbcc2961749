import { describe, expect, it } from 'vitest'
import { type EventQueue, eventQueue } from '../../../gateway/src/dispatch/event-queue.ts'

async function collect(queue: EventQueue<number>): Promise<number[]> {
  const all: number[] = []
  for await (const event of queue.events) all.push(event)
  return all
}

function counted(): { queue: EventQueue<number>; left: () => number } {
  let calls = 0
  const queue = eventQueue<number>(() => {
    calls++
  })
  return { queue, left: () => calls }
}

describe('eventQueue()', () => {
  it('hands over what was pushed before, between and after the reader came', async () => {
    const { queue, left } = counted()
    queue.push(1)
    queue.push(2)
    const all = collect(queue)
    await Promise.resolve()
    queue.push(3)
    await new Promise((resolve) => setImmediate(resolve))
    queue.push(4)
    queue.end()
    queue.push(5)
    expect(await all).toEqual([1, 2, 3, 4])
    expect(left()).toBe(1)
  })

  it('gives everything that came before an error, then the error', async () => {
    const { queue } = counted()
    queue.push(1)
    queue.end(new Error('over'))
    queue.end(new Error('too late'))
    const seen: number[] = []
    const reading = (async () => {
      for await (const event of queue.events) seen.push(event)
    })()
    await expect(reading).rejects.toThrow('over')
    expect(seen).toEqual([1])
  })

  it('tells of a reader that leaves in the middle, once', async () => {
    const { queue, left } = counted()
    for (const event of [1, 2, 3]) queue.push(event)
    for await (const event of queue.events) if (event === 2) break
    expect(left()).toBe(1)
    queue.push(4)
    queue.end()
    expect(left()).toBe(1)
    expect(await collect(queue)).toEqual([])
  })

  it('tells of a reader that leaves before it has read anything', async () => {
    const { queue, left } = counted()
    queue.push(1)
    await queue.events[Symbol.asyncIterator]().return?.()
    expect(left()).toBe(1)
  })

  it('lets a reader leave while it waits, at once', async () => {
    const { queue, left } = counted()
    const iterator = queue.events[Symbol.asyncIterator]()
    const pending = iterator.next()
    await Promise.resolve()
    const leaving = iterator.return?.()
    expect(left()).toBe(1)
    expect(await pending).toMatchObject({ done: true })
    expect(await leaving).toMatchObject({ done: true })
  })
})
