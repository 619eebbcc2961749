import type { ChatMessage } from '@lexora/protocol'

/** Words of the fake model, one token each. */
const WORDS = [
  'amber anchor apple arrow autumn basket beacon birch bridge candle canvas castle cedar cloud copper',
  'coral cotton desert dolphin ember falcon feather fern forest garden ginger glacier granite harbor',
  'island ivory jasmine kettle lantern lemon linen maple marble meadow mirror morning mountain needle',
  'ocean olive orchard paper pebble pepper planet quartz river saddle silver thunder valley velvet',
].flatMap((line) => line.split(' '))

/** Words whose characters are spread over so many tokens, as with any tokenizer that falls back to bytes. */
const SPREAD_WORDS: ReadonlyMap<string, number> = new Map([
  ['crème', 2],
  ['Ærø', 3],
  ['日本', 4],
  ['🐌', 5],
])

/** The id that ends a turn. It has no text. */
export const END_ID = 0

/** Ids of words that are not in the vocabulary begin here; they are only ever read. */
const FOREIGN_IDS_FROM = 10_000
const FOREIGN_IDS = 1_000_000

/** Ids that open a message, by role. */
const ROLE_IDS = { system: 1, developer: 1, user: 2, assistant: 3 } as const
const WORD_IDS_FROM = 4

/** A made-up language with a tokenizer: every id always means the same bytes. */
export interface FakeLanguage {
  /** A conversation up to where the answer begins. */
  encode(messages: readonly ChatMessage[]): number[]
  decode(ids: readonly number[], before: readonly number[]): string
  /** The ids of the word that a random number from 0 to 2^32 - 1 picks. */
  word(random: number): readonly number[]
}

/** FNV-1a over 32-bit numbers: small, stable, good enough to tell conversations apart. */
export function hashOf(numbers: readonly number[]): number {
  let hash = 0x811c_9dc5
  for (const number of numbers) hash = Math.imul(hash ^ number, 0x0100_0193) >>> 0
  return (hash ^ (hash >>> 15)) >>> 0
}

function foreignId(word: string): number {
  return FOREIGN_IDS_FROM + (hashOf([...Buffer.from(word)]) % FOREIGN_IDS)
}

/** A new instance; all of them are alike. */
export function fakeLanguage(): FakeLanguage {
  const bytesOf = new Map<number, Uint8Array>()
  const idsOf = new Map<string, number[]>()
  let nextId = WORD_IDS_FROM

  function add(word: string, parts: number): void {
    const bytes = Buffer.from(` ${word}`)
    const size = Math.ceil(bytes.length / parts)
    const ids: number[] = []
    for (let from = 0; from < bytes.length; from += size) {
      ids.push(nextId)
      bytesOf.set(nextId++, bytes.subarray(from, from + size))
    }
    idsOf.set(word, ids)
  }

  for (const word of WORDS) add(word, 1)
  for (const [word, parts] of SPREAD_WORDS) add(word, parts)
  const words = [...idsOf.values()]

  return {
    encode(messages) {
      const ids: number[] = []
      for (const { role, content } of messages) {
        ids.push(ROLE_IDS[role])
        for (const word of content.split(/\s+/)) {
          if (word !== '') ids.push(...(idsOf.get(word) ?? [foreignId(word)]))
        }
        ids.push(END_ID)
      }
      return [...ids, ROLE_IDS.assistant]
    },
    decode(ids, before) {
      const text = Buffer.concat(ids.flatMap((id) => bytesOf.get(id) ?? [])).toString()
      return before.length === 0 && text.startsWith(' ') ? text.slice(1) : text
    },
    word: (random) => words[random % words.length] ?? [],
  }
}
