import { describe, expect, it } from 'vitest'
import { createLeases } from '../../ledger/src/billing/leases.ts'

const HOUR_MS = 3_600_000

describe('leases', () => {
  it.each([
    ['ahead', HOUR_MS],
    ['back', -HOUR_MS],
  ])('run on when the wall clock jumps %s', (_way, jumpMs) => {
    const wall = { nowMs: 1_800_000_000_000 }
    const steady = { nowMs: 5 }
    const leases = createLeases(
      { clock: () => wall.nowMs, steadyClock: () => steady.nowMs },
      { leaseMs: 60_000 },
    )
    leases.grant('first')
    wall.nowMs += jumpMs
    expect(leases.takeDue(10)).toEqual([])
    steady.nowMs += 59_999
    expect(leases.renew('first')).toBe(true)
    leases.grant('second')
    steady.nowMs += 59_999
    expect(leases.takeDue(10)).toEqual([])
    steady.nowMs += 1
    expect(leases.takeDue(10)).toEqual(['first', 'second'])
    expect(leases.renew('first')).toBe(false)
    expect(leases.untilMs()).toBe(wall.nowMs + 60_000)
  })
})
