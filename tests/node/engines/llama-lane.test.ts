import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import { answer } from '../../../node/src/engines/answer.ts'
import { type LlamaLane, llamaLane } from '../../../node/src/engines/llama-lane.ts'

const log = pino({ level: 'silent' })

/** A lane over tokens that are letters; `!` breaks the evaluation and `.` ends the turn. */
function lane(
  text: string,
  signal = new AbortController().signal,
): { lane: LlamaLane; freed: string[] } {
  const ids = [...Buffer.from(text)]
  const freed: string[] = []
  const made = llamaLane({
    log,
    signal,
    answer: answer(
      { decode: (some) => Buffer.from(some).toString(), isEnd: (id) => id === 0x2e },
      { stop: [], tokensMax: 1_000 },
    ),
    drawing: {
      promptLeft: 0,
      async step() {
        const id = ids.shift()
        if (id === 0x21) throw new Error('evaluation broke')
        return id as never
      },
    },
    wake() {},
    free: (state) => freed.push(state),
  })
  return { lane: made, freed }
}

/** Steps until the lane closes and lets it leave, as the loop does. */
async function drive(made: LlamaLane): Promise<void> {
  while (!made.closed) await made.step(0)
  made.leave()
}

async function read(made: LlamaLane): Promise<string> {
  let text = ''
  for (;;) {
    const item = await made.next()
    if (item.kind === 'end') return `${text}|${item.reason}`
    text += item.piece.text
  }
}

describe('llamaLane()', () => {
  it('hands out the answer and gives the slot back whole', async () => {
    const { lane: made, freed } = lane('hi.')
    await drive(made)
    expect(await read(made)).toBe('hi|stop')
    expect(freed).toEqual(['whole'])
  })

  it('ends as failed when the evaluation breaks, with what came before and the slot marked', async () => {
    const { lane: made, freed } = lane('hi!there.')
    await drive(made)
    expect(await read(made)).toBe('hi|failed')
    expect(freed).toEqual(['broken'])
  })

  it('frees the slot before the reader learns of the end', async () => {
    const { lane: made, freed } = lane('.')
    const reading = read(made).then(() => expect(freed).toEqual(['whole']))
    await drive(made)
    await reading
  })

  it('pauses while its reader is behind', async () => {
    const { lane: made } = lane(`${'x'.repeat(100)}.`)
    let steps = 0
    for (; made.ready && steps < 100; steps++) await made.step(0)
    expect(steps).toBe(32)
    await made.next()
    expect(made.ready).toBe(true)
  })

  it('drops what waits when the chat is aborted, and resolves cancel() once it has left', async () => {
    const controller = new AbortController()
    const { lane: made, freed } = lane('hello.', controller.signal)
    await made.step(0)
    controller.abort()
    expect(await made.next()).toEqual({ kind: 'end', reason: 'cancelled' })
    const cancelled = made.cancel()
    expect(made.closed).toBe(true)
    expect(freed).toEqual([])
    made.leave()
    await cancelled
    expect(freed).toEqual(['whole'])
  })

  it('ends a next() that is pending when the chat is aborted', async () => {
    const controller = new AbortController()
    const { lane: made } = lane('hello.', controller.signal)
    const pending = made.next()
    controller.abort()
    expect(await pending).toEqual({ kind: 'end', reason: 'cancelled' })
  })

  it('does not let cancel() wait for a step that takes long', async () => {
    const { lane: made, freed } = lane('hello.')
    // It never leaves: the step under way never ends.
    await made.cancel()
    expect(freed).toEqual([])
  })
})
