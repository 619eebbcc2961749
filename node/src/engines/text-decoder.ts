/** Output tokens with exactly the text that they add. */
export interface Piece {
  ids: number[]
  text: string
}

/** Turns ids to text; `before` are the ids that precede them (some tokenizers place spaces by their neighbours). */
export type Decode = (ids: readonly number[], before: readonly number[]) => string

/** Collects ids until they are whole characters. */
export interface TextDecoder {
  /** The ids that became readable with this one. */
  push(id: number): Piece | undefined
  /** What is left at the end: a character that was never completed, as U+FFFD. */
  flush(): Piece | undefined
}

/** Stands in for bytes that are not (or not yet) a character. */
const REPLACEMENT = '\uFFFD'

/** How many ids of context a tokenizer gets. Spaces depend on one neighbour; node-llama-cpp looks at three. */
const CONTEXT_IDS = 4

/** A UTF-8 character has at most four bytes, so an unfinished one has at most three, in at most three tokens. */
const UNFINISHED_TOKENS_MAX = 3

/** A decoder over the tokenizer that `decode` reads. The texts of its pieces add up to the decoding of all ids. */
export function textDecoder(decode: Decode): TextDecoder {
  let before: number[] = []
  let held: number[] = []

  function release(count: number, text: string): Piece {
    const ids = held.slice(0, count)
    held = held.slice(count)
    before = [...before, ...ids].slice(-CONTEXT_IDS)
    return { ids, text }
  }

  /** Bytes that can never become a character are settled as soon as what follows them decodes on its own, the same. */
  function releaseSettled(text: string): Piece | undefined {
    for (let tail = 1; tail <= UNFINISHED_TOKENS_MAX && tail < held.length; tail++) {
      const head = held.slice(0, -tail)
      const headText = decode(head, before)
      const tailText = decode(held.slice(-tail), [...before, ...head])
      const whole = tailText.endsWith(REPLACEMENT) && headText + tailText === text
      if (whole) return release(head.length, headText)
    }
    return undefined
  }

  return {
    push(id) {
      held.push(id)
      const text = decode(held, before)
      return text.endsWith(REPLACEMENT) ? releaseSettled(text) : release(held.length, text)
    },
    flush() {
      return held.length === 0 ? undefined : release(held.length, decode(held, before))
    },
  }
}
