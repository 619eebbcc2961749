import { describe, expect, it } from 'vitest'
import { chooseThreads } from '../../../node/src/engines/thread-choice.ts'

/** Measures by a table of milliseconds and notes what was tried. */
async function choose(
  table: Record<number, number>,
  threadsMax: number,
): Promise<{ chosen: number; tried: number[] }> {
  const tried: number[] = []
  let clock = 0
  const chosen = await chooseThreads(
    {
      now: () => clock,
      async measure(threads) {
        tried.push(threads)
        const ms = table[threads] ?? Number.NaN
        clock += ms
        return ms
      },
    },
    { threadsMax },
  )
  return { chosen, tried }
}

describe('chooseThreads()', () => {
  it('tries nothing where there is no choice', async () => {
    expect(await choose({}, 1)).toEqual({ chosen: 1, tried: [] })
    expect(await choose({}, 0)).toEqual({ chosen: 1, tried: [] })
  })

  it('stays with one where two are slower or hardly faster', async () => {
    expect(await choose({ 1: 1, 2: 250 }, 8)).toEqual({ chosen: 1, tried: [1, 2] })
    expect(await choose({ 1: 10, 2: 9 }, 8)).toEqual({ chosen: 1, tried: [1, 2] })
  })

  it('doubles while it helps', async () => {
    expect(await choose({ 1: 80, 2: 42, 4: 25, 8: 22 }, 16)).toEqual({
      chosen: 4,
      tried: [1, 2, 4, 8],
    })
  })

  it('never goes beyond the most', async () => {
    expect(await choose({ 1: 80, 2: 42, 4: 25, 6: 17 }, 6)).toEqual({
      chosen: 6,
      tried: [1, 2, 4, 6],
    })
  })

  it('stops trying when it took too long', async () => {
    expect(await choose({ 1: 700, 2: 360, 4: 200 }, 8)).toEqual({ chosen: 2, tried: [1, 2] })
  })
})
