import { stopFilter } from './stop-filter.ts'
import { type Decode, type Piece, textDecoder } from './text-decoder.ts'

/** What an answer asks of its tokenizer. */
export interface AnswerTokenizer {
  decode: Decode
  /** Whether the id ends the turn. Such an id has no text and is not part of the answer. */
  isEnd(id: number): boolean
}

/** When an answer ends. */
export interface AnswerOptions {
  /** Texts that end it and are not part of it. */
  stop: readonly string[]
  /** Most ids, at least 1: the caller's limit or what the context has room for. */
  tokensMax: number
}

/** What one more id led to. */
export interface AnswerStep {
  /** What may be handed out now. */
  piece: Piece | undefined
  /** Set with the last id. */
  reason: 'stop' | 'length' | undefined
}

/** The rules of an answer, without any model: which ids and text go out when, and when it ends. */
export interface Answer {
  /** Takes the next id that the model drew. Not to be called after a reason was given. */
  push(id: number): AnswerStep
}

function join(first: Piece | undefined, second: Piece | undefined): Piece | undefined {
  if (first === undefined || second === undefined) return first ?? second
  return { ids: [...first.ids, ...second.ids], text: first.text + second.text }
}

/** An answer that begins empty. */
export function answer(tokenizer: AnswerTokenizer, options: AnswerOptions): Answer {
  const decoder = textDecoder(tokenizer.decode)
  const filter = stopFilter(options.stop)
  let taken = 0

  function pass(piece: Piece | undefined): AnswerStep {
    if (piece === undefined) return { piece: undefined, reason: undefined }
    const step = filter.push(piece)
    return { piece: step.piece, reason: step.stopped ? 'stop' : undefined }
  }

  /** No more ids come: what was held back is text after all, unless it completes a stop text. */
  function end(so: Piece | undefined, reason: 'stop' | 'length'): AnswerStep {
    const last = pass(decoder.flush())
    const piece = join(so, last.piece)
    if (last.reason === 'stop') return { piece, reason: 'stop' }
    return { piece: join(piece, filter.flush()), reason }
  }

  return {
    push(id) {
      if (tokenizer.isEnd(id)) return end(undefined, 'stop')
      taken++
      const step = pass(decoder.push(id))
      if (step.reason !== undefined || taken < options.tokensMax) return step
      return end(step.piece, 'length')
    },
  }
}
