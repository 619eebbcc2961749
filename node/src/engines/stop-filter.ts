import type { Piece } from './text-decoder.ts'

/** What may be handed out now, and whether a stop text was met. */
export interface FilterStep {
  piece: Piece | undefined
  stopped: boolean
}

/** Holds text back while it may be the beginning of a stop text. */
export interface StopFilter {
  push(piece: Piece): FilterStep
  /** The rest, once no more text comes: a beginning that never became a stop text. */
  flush(): Piece | undefined
}

/** The length of the longest end of text that begins a stop text without completing it. */
function unfinishedLength(text: string, stops: readonly string[]): number {
  let longest = 0
  for (const stop of stops) {
    for (let length = Math.min(stop.length - 1, text.length); length > longest; length--) {
      if (text.endsWith(stop.slice(0, length))) longest = length
    }
  }
  return longest
}

/** Where the earliest stop text begins, or -1. */
function stopIndex(text: string, stops: readonly string[]): number {
  const found = stops.map((stop) => text.indexOf(stop)).filter((index) => index >= 0)
  return found.length === 0 ? -1 : Math.min(...found)
}

/** A filter for the given stop texts; empty ones are ignored. A piece is handed out whole or held back whole. */
export function stopFilter(stops: readonly string[]): StopFilter {
  const texts = stops.filter((stop) => stop.length > 0)
  let held: Piece[] = []
  let heldText = ''

  function release(count: number, text: string): Piece | undefined {
    if (count === 0) return undefined
    const ids = held.slice(0, count).flatMap((piece) => piece.ids)
    held = held.slice(count)
    heldText = held.map((piece) => piece.text).join('')
    return { ids, text }
  }

  function releaseUpTo(length: number): Piece | undefined {
    let text = ''
    let count = 0
    for (const piece of held) {
      if (text.length + piece.text.length > length) break
      text += piece.text
      count++
    }
    return release(count, text)
  }

  return {
    push(piece) {
      if (texts.length === 0) return { piece, stopped: false }
      held.push(piece)
      heldText += piece.text
      const cut = stopIndex(heldText, texts)
      if (cut >= 0) return { piece: release(held.length, heldText.slice(0, cut)), stopped: true }
      const settled = heldText.length - unfinishedLength(heldText, texts)
      return { piece: releaseUpTo(settled), stopped: false }
    },
    flush() {
      return release(held.length, heldText)
    },
  }
}
