import { LOAD_TOPIC_SHARDS, LOAD_TOPICS, loadTopic, modelRendezvous } from '@lexora/protocol'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

/** FNV-1a of ASCII text in exact arithmetic. */
function fnv1a(text: string): bigint {
  return [...Buffer.from(text, 'ascii')].reduce(
    (hash, byte) => ((hash ^ BigInt(byte)) * 16_777_619n) % 2n ** 32n,
    2_166_136_261n,
  )
}

describe('loadTopic()', () => {
  it('is one of the topics, for any name', () => {
    expect(new Set(LOAD_TOPICS).size).toBe(LOAD_TOPIC_SHARDS)
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (model) => {
        expect(LOAD_TOPICS).toContain(loadTopic(model))
      }),
    )
  })

  it('is FNV-1a', () => {
    // published test vector: FNV-1a of "foobar" is bf9cf968
    expect(fnv1a('foobar')).toBe(0xbf9cf968n)
    fc.assert(
      fc.property(fc.string({ unit: 'binary-ascii' }), (model) => {
        expect(loadTopic(model)).toBe(`/lexora/load/1/${fnv1a(model) % BigInt(LOAD_TOPIC_SHARDS)}`)
      }),
    )
  })

  it('spreads names that differ only at the end', () => {
    const counts = new Map<string, number>()
    const names = Array.from({ length: 8_000 }, (_, index) => `hf:owner/model-${index}:Q4_K_M`)
    for (const name of names) counts.set(loadTopic(name), (counts.get(loadTopic(name)) ?? 0) + 1)
    expect(counts.size).toBe(LOAD_TOPIC_SHARDS)
    const fair = names.length / LOAD_TOPIC_SHARDS
    for (const [topic, times] of counts) {
      expect(times, topic).toBeGreaterThan(fair * 0.8)
      expect(times, topic).toBeLessThan(fair * 1.2)
    }
  })
})

describe('modelRendezvous()', () => {
  it('keeps models apart from roles', () => {
    expect(modelRendezvous('m')).toBe('model:m')
    expect(modelRendezvous('role:gateway')).not.toBe('role:gateway')
  })
})
