import { CLOCK_SKEW_MS, VOUCHER_LIFETIME_MS } from '@lexora/protocol'
import { describe, expect, it } from 'vitest'
import { createVoucherMemory } from '../../../node/src/serving/vouchers.ts'

describe('createVoucherMemory()', () => {
  it('remembers a voucher for as long as one could be believed', () => {
    let nowMs = 1_000_000
    const memory = createVoucherMemory(() => nowMs)
    memory.use('a')
    nowMs += VOUCHER_LIFETIME_MS + 2 * CLOCK_SKEW_MS
    expect(() => {
      memory.use('a')
    }).toThrow(expect.objectContaining({ code: 'voucher_invalid' }))
    nowMs += 1
    memory.use('a')
  })

  it('refuses when it is full and takes again once something can be forgotten', () => {
    let nowMs = 1_000_000
    const memory = createVoucherMemory(() => nowMs, { vouchersMax: 2 })
    memory.use('a')
    nowMs += 1_000
    memory.use('b')
    expect(() => {
      memory.use('c')
    }).toThrow(expect.objectContaining({ code: 'provider_busy' }))
    nowMs += VOUCHER_LIFETIME_MS + 2 * CLOCK_SKEW_MS - 999
    memory.use('c')
    expect(() => {
      memory.use('d')
    }).toThrow(expect.objectContaining({ code: 'provider_busy' }))
  })

  it('lets a voucher be used again that came to nothing', () => {
    const memory = createVoucherMemory(() => 1_000_000)
    memory.use('a')
    memory.unuse('a')
    memory.use('a')
  })
})
