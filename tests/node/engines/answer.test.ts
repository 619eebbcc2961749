import { describe, expect, it } from 'vitest'
import { type AnswerStep, answer } from '../../../node/src/engines/answer.ts'

/** Bytes are ids; 0 ends the turn. */
const TOKENIZER = {
  decode: (ids: readonly number[]): string => Buffer.from(ids).toString(),
  isEnd: (id: number): boolean => id === 0,
}

function run(text: string, options: { stop?: string[]; tokensMax?: number } = {}): AnswerStep[] {
  const rules = answer(TOKENIZER, { stop: [], tokensMax: 100, ...options })
  const steps: AnswerStep[] = []
  for (const id of [...Buffer.from(text), 0]) {
    const step = rules.push(id)
    steps.push(step)
    if (step.reason !== undefined) break
  }
  return steps
}

const textOf = (steps: AnswerStep[]): string => steps.map(({ piece }) => piece?.text ?? '').join('')
const idsOf = (steps: AnswerStep[]): number[] => steps.flatMap(({ piece }) => piece?.ids ?? [])

describe('answer()', () => {
  it('ends with the turn, which is not part of it', () => {
    const steps = run('hi')
    expect(steps.at(-1)).toEqual({ piece: undefined, reason: 'stop' })
    expect(idsOf(steps)).toEqual([...Buffer.from('hi')])
  })

  it('may be empty', () => {
    expect(run('')).toEqual([{ piece: undefined, reason: 'stop' }])
  })

  it('ends with the last token that is allowed', () => {
    const steps = run('hello', { tokensMax: 3 })
    expect(steps.at(-1)).toEqual({ piece: { ids: [108], text: 'l' }, reason: 'length' })
    expect(steps).toHaveLength(3)
  })

  it('hands out what was held back when it ends, as text', () => {
    expect(textOf(run('one EN', { stop: ['END'] }))).toBe('one EN')
    expect(textOf(run('one END', { stop: ['END!'], tokensMax: 7 }))).toBe('one END')
  })

  it('hands out half a character only at the end', () => {
    const steps = run('é', { tokensMax: 1 })
    expect(steps).toEqual([{ piece: { ids: [0xc3], text: '\uFFFD' }, reason: 'length' }])
  })

  it('prefers the stop text when it is completed by the last token', () => {
    const steps = run('one END', { stop: ['END'], tokensMax: 7 })
    expect(steps.at(-1)?.reason).toBe('stop')
    expect(textOf(steps)).toBe('one ')
    expect(idsOf(steps)).toHaveLength(7)
  })
})
