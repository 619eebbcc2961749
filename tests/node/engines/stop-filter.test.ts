import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { stopFilter } from '../../../node/src/engines/stop-filter.ts'

/** Runs texts through a filter, one id each, and returns what came out and where. */
function run(
  stops: string[],
  texts: string[],
): { steps: string[]; ids: number[]; stopped: boolean } {
  const filter = stopFilter(stops)
  const steps: string[] = []
  const ids: number[] = []
  for (const [id, text] of texts.entries()) {
    const step = filter.push({ ids: [id], text })
    steps.push(step.piece?.text ?? '')
    ids.push(...(step.piece?.ids ?? []))
    if (step.stopped) return { steps, ids, stopped: true }
  }
  const rest = filter.flush()
  return {
    steps: [...steps, rest?.text ?? ''],
    ids: [...ids, ...(rest?.ids ?? [])],
    stopped: false,
  }
}

describe('stopFilter()', () => {
  it('passes everything on when there is nothing to stop at', () => {
    expect(run([], ['a', 'b']).steps).toEqual(['a', 'b', ''])
    expect(run([''], ['a', 'b']).steps).toEqual(['a', 'b', ''])
  })

  it('cuts a stop text that spans pieces and counts its ids', () => {
    expect(run(['END'], ['one E', 'N', 'D two'])).toEqual({
      steps: ['', '', 'one '],
      ids: [0, 1, 2],
      stopped: true,
    })
  })

  it('holds back whole pieces only', () => {
    expect(run(['END'], ['one', ' two E', 'x']).steps).toEqual(['one', '', ' two Ex', ''])
  })

  it('gives back at the end what only began like a stop text', () => {
    expect(run(['END'], ['one', 'EN'])).toEqual({
      steps: ['one', '', 'EN'],
      ids: [0, 1],
      stopped: false,
    })
  })

  it('finds a stop text inside a false start', () => {
    expect(run(['aab'], ['a', 'a', 'a', 'b'])).toEqual({
      steps: ['', '', 'a', ''],
      ids: [0, 1, 2, 3],
      stopped: true,
    })
  })

  it('cuts at the earliest of several', () => {
    expect(run(['lm', 'ij'], ['hijklm']).steps).toEqual(['h'])
  })

  it('agrees with a search of the whole text, and never shows a part of a stop text', () => {
    const letter = fc.constantFrom('a', 'b', 'c')
    const text = (minLength: number, maxLength: number): fc.Arbitrary<string> =>
      fc.array(letter, { minLength, maxLength }).map((letters) => letters.join(''))
    fc.assert(
      fc.property(
        fc.array(text(1, 4), { maxLength: 4 }),
        fc.array(text(0, 4), { maxLength: 30 }),
        (stops, texts) => {
          const { steps, ids, stopped } = run(stops, texts)
          let seen = ''
          let expected: string | undefined
          let taken = 0
          for (const part of texts) {
            seen += part
            taken++
            const cuts = stops.map((stop) => seen.indexOf(stop)).filter((index) => index >= 0)
            if (cuts.length > 0) {
              expected = seen.slice(0, Math.min(...cuts))
              break
            }
          }
          expect(stopped).toBe(expected !== undefined)
          expect(steps.join('')).toBe(expected ?? seen)
          expect(ids).toEqual(Array.from({ length: taken }, (_, id) => id))
        },
      ),
      { numRuns: 2_000 },
    )
  })
})
