import { LexoraError } from '@lexora/protocol'
import { describe, expect, it } from 'vitest'
import { openAccount } from '../../ledger/src/core/rules/accounts.ts'
import { createState } from '../../ledger/src/core/state.ts'
import type { Chunk } from '../../ledger/src/store/chunk.ts'
import { createMemoryStore } from '../../ledger/src/store/memory-store.ts'
import type { Store } from '../../ledger/src/store/store.ts'
import { createWriter, type WriterOptions } from '../../ledger/src/store/writer.ts'
import { codeOf } from './fixture.ts'

/** A store whose appends wait until the test lets them through. */
function heldStore() {
  const inner = createMemoryStore()
  const waiting: { chunk: Chunk; pass: () => Promise<void>; fail: (error: Error) => void }[] = []
  const store: Store = {
    ...inner,
    append: (chunk) =>
      new Promise((resolve, reject) => {
        const pass = () => inner.append(chunk).then(resolve, reject)
        waiting.push({ chunk, pass, fail: reject })
      }),
  }
  return { store, waiting }
}

/** Lets every microtask and immediate that is due run. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

const account = (accountId: string) => ({ accountId, kind: 'developer' as const, label: 'x' })

function writerOn(store: Store, options: WriterOptions = {}) {
  const state = createState()
  const writer = createWriter({ store, state, clock: () => 5 }, options)
  return { writer, state, open: (id: string) => writer.submit(openAccount, account(id)) }
}

describe('createWriter()', () => {
  it('answers nobody before the write is done: neither work nor refusal nor repeat', async () => {
    const { store, waiting } = heldStore()
    const { writer, open } = writerOn(store)
    const answers: string[] = []
    const note = (name: string, promise: Promise<unknown>): void => {
      void codeOf(promise).then((code) => answers.push(`${name} ${code}`))
    }
    note('first', open('a'))
    note('refused', open('a'))
    await turn()
    note('later', open('a'))
    await turn()
    await turn()
    expect(waiting).toHaveLength(1)
    expect(answers).toEqual([])
    await waiting[0]?.pass()
    await turn()
    expect(answers).toEqual(['first ok', 'refused conflict', 'later conflict'])
    await writer.stop()
  })

  it('never answers where the write never ends', async () => {
    const { store } = heldStore()
    const { open } = writerOn(store)
    const late = { answered: false }
    void open('a').then(() => {
      late.answered = true
    })
    for (let count = 0; count < 20; count += 1) await turn()
    expect(late.answered).toBe(false)
  })

  it('writes one group at a time and fills the next meanwhile', async () => {
    const { store, waiting } = heldStore()
    const { writer, open } = writerOn(store)
    const all = [open('a'), open('b')]
    await turn()
    all.push(open('c'), open('d'), open('e'))
    await turn()
    expect(waiting.map(({ chunk }) => [chunk.firstSeq, chunk.count])).toEqual([[0, 2]])
    await waiting[0]?.pass()
    await turn()
    expect(waiting.map(({ chunk }) => [chunk.firstSeq, chunk.count])).toEqual([
      [0, 2],
      [2, 3],
    ])
    await waiting[1]?.pass()
    await Promise.all(all)
    await writer.stop()
  })

  it('splits what is more than a group', async () => {
    const store = createMemoryStore()
    const { writer, open } = writerOn(store, { groupLengthMax: 4 })
    await Promise.all(Array.from({ length: 10 }, (_, index) => open(`a${index}`)))
    const counts: number[] = []
    for await (const chunk of store.readFrom(0)) counts.push(chunk.count)
    expect(counts).toEqual([4, 4, 2])
    await writer.stop()
  })

  it('writes nothing for refusals', async () => {
    const store = createMemoryStore()
    const { writer, open } = writerOn(store)
    await open('a')
    expect(await codeOf(open('a'))).toBe('conflict')
    expect(store.head().nextSeq).toBe(1)
    await writer.stop()
  })

  it('stops for good at the first failed write', async () => {
    const { store, waiting } = heldStore()
    const fatal: unknown[] = []
    const { open } = writerOn(store, { onFatal: (error) => fatal.push(error) })
    const inFlight = codeOf(open('a'))
    await turn()
    const queued = codeOf(open('b'))
    waiting[0]?.fail(new Error('no space left on device'))
    expect(await inFlight).toBe('ledger_unavailable')
    expect(await queued).toBe('ledger_unavailable')
    expect(await codeOf(open('c'))).toBe('ledger_unavailable')
    await turn()
    expect(waiting).toHaveLength(1)
    expect(fatal).toHaveLength(1)
    expect(fatal[0]).toMatchObject({ message: 'no space left on device' })
  })

  it('stops for good where a rule breaks', async () => {
    const fatal: unknown[] = []
    const { writer, open } = writerOn(createMemoryStore(), { onFatal: (e) => fatal.push(e) })
    const broken = (): never => {
      throw new Error('assertion failed')
    }
    expect(await codeOf(writer.submit(broken, {}))).toBe('ledger_unavailable')
    expect(await codeOf(open('a'))).toBe('ledger_unavailable')
    expect(fatal).toHaveLength(1)
  })

  it('refuses at once what does not fit into the queue', async () => {
    const { store, waiting } = heldStore()
    const { open } = writerOn(store, { queueLengthMax: 2 })
    const first = open('a')
    await turn()
    const fitting = [open('b'), open('c')]
    expect(await codeOf(open('d'))).toBe('ledger_unavailable')
    await waiting[0]?.pass()
    await turn()
    await waiting[1]?.pass()
    await Promise.all([first, ...fitting])
  })

  it('answers what was asked before it stops, and refuses the rest', async () => {
    const { store, waiting } = heldStore()
    const { writer, open } = writerOn(store)
    const first = open('a')
    await turn()
    const second = open('b')
    const stopped = writer.stop()
    const refused = open('c')
    await expect(refused).rejects.toBeInstanceOf(LexoraError)
    await waiting[0]?.pass()
    await turn()
    await waiting[1]?.pass()
    await stopped
    expect((await first).accountId + (await second).accountId).toBe('ab')
    await writer.stop()
  })
})
