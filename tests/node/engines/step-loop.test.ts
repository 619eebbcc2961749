import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import { type Lane, stepLoop } from '../../../node/src/engines/step-loop.ts'

const log = pino({ level: 'silent' })

interface TestLane extends Lane {
  name: string
  left: number
  failed: boolean
}

/** Resolves in a later turn of the event loop. */
const later = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Resolves once the condition holds. The test's own time limit ends a wait in vain. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await later()
}

/** A lane that reads its prompt, draws `answer` tokens and notes each step as `name:share`. */
function lane(
  name: string,
  sizes: { prompt?: number; answer?: number },
  notes: string[],
): TestLane {
  let prompt = sizes.prompt ?? 0
  let drawn = 0
  const self: TestLane = {
    name,
    left: 0,
    failed: false,
    get promptLeft() {
      return prompt
    },
    ready: true,
    get closed() {
      return self.failed || drawn >= (sizes.answer ?? 1)
    },
    async step(share) {
      notes.push(`${name}:${share}`)
      await later()
      prompt -= share
      if (prompt === 0) drawn++
    },
    fail() {
      self.failed = true
    },
    leave() {
      self.left++
    },
  }
  return self
}

describe('stepLoop()', () => {
  it('steps all lanes together', async () => {
    const notes: string[] = []
    const loop = stepLoop({ log }, { promptTokensPerTurn: 10 })
    const lanes = ['a', 'b', 'c'].map((name) => lane(name, { answer: 3 }, notes))
    for (const each of lanes) loop.add(each)
    await until(() => lanes.every(({ left }) => left === 1))
    expect(notes.join(' ')).toBe('a:0 b:0 c:0 a:0 b:0 c:0 a:0 b:0 c:0')
    await loop.stop()
  })

  it('takes a new lane in with the next turn', async () => {
    const notes: string[] = []
    const loop = stepLoop({ log }, { promptTokensPerTurn: 10 })
    const first = lane('a', { answer: 4 }, notes)
    loop.add(first)
    await until(() => notes.length === 1)
    const second = lane('b', { answer: 1 }, notes)
    loop.add(second)
    await until(() => first.left + second.left === 2)
    expect(notes.join(' ')).toBe('a:0 a:0 b:0 a:0 a:0')
    await loop.stop()
  })

  it('reads prompts in the order of arrival within the limit of a turn', async () => {
    const notes: string[] = []
    const loop = stepLoop({ log }, { promptTokensPerTurn: 10 })
    const lanes = [
      lane('a', { prompt: 14 }, notes),
      lane('b', { prompt: 8 }, notes),
      lane('c', { answer: 3 }, notes),
    ]
    for (const each of lanes) loop.add(each)
    await until(() => lanes.every(({ left }) => left === 1))
    // Writing is never held up by reading.
    expect(notes.join(' ')).toBe('a:10 c:0 a:4 b:6 c:0 b:2 c:0')
    await loop.stop()
  })

  it('leaves lanes out that are not ready, until it is woken', async () => {
    const notes: string[] = []
    const loop = stepLoop({ log }, { promptTokensPerTurn: 10 })
    const slow: { ready: boolean } & TestLane = { ...lane('a', {}, notes), ready: false }
    const paused = lane('b', {}, notes)
    Object.defineProperty(paused, 'ready', { get: () => slow.ready })
    const other = lane('c', { answer: 2 }, notes)
    loop.add(paused)
    loop.add(other)
    await until(() => other.left === 1)
    expect(notes).toEqual(['c:0', 'c:0'])
    slow.ready = true
    loop.wake()
    await until(() => paused.left === 1)
    expect(notes).toEqual(['c:0', 'c:0', 'b:0'])
    await loop.stop()
  })

  it('fails what is left when it stops, and what comes later', async () => {
    const notes: string[] = []
    const loop = stepLoop({ log }, { promptTokensPerTurn: 10 })
    const endless = lane('a', { answer: 1_000_000 }, notes)
    loop.add(endless)
    await until(() => notes.length > 3)
    await loop.stop()
    await loop.stop()
    expect(endless).toMatchObject({ failed: true, left: 1 })
    const late = lane('b', {}, notes)
    loop.add(late)
    expect(late).toMatchObject({ failed: true, left: 1 })
    expect(notes).not.toContain('b:0')
  })

  it('fails all lanes when one breaks the rules', async () => {
    const notes: string[] = []
    const loop = stepLoop({ log }, { promptTokensPerTurn: 10 })
    const rogue = { ...lane('a', { answer: 5 }, notes), promptLeft: 0, closed: false }
    let left = 0
    const broken: Lane = {
      ...rogue,
      step: async () => {
        throw new Error('broken')
      },
      leave: () => left++,
      get closed() {
        return rogue.failed
      },
      fail: () => {
        rogue.failed = true
      },
    }
    const other = lane('b', { answer: 1_000_000 }, notes)
    loop.add(broken)
    loop.add(other)
    await until(() => left === 1 && other.left === 1)
    expect(other.failed).toBe(true)
    await loop.stop()
  })
})
