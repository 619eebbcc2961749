import type { FinishReason, NanoUsd, Usage } from '@lexora/protocol'
import { type ApiError, errorObject } from './errors.ts'

/** What all chunks of one answer, or the answer as a whole, say about it. */
export interface CompletionHead {
  /** `chatcmpl-…`. */
  id: string
  /** Unix time in seconds. */
  created: number
  /** As the client wrote it. */
  model: string
}

/** How an answer ended, for the client. */
export interface CompletionEnd {
  reason: FinishReason
  usage: Usage
  costNanoUsd?: NanoUsd
}

/** The whole answer as JSON text. */
export function completionJson(head: CompletionHead, text: string, end: CompletionEnd): string {
  return JSON.stringify({
    id: head.id,
    object: 'chat.completion',
    created: head.created,
    model: head.model,
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content: text, refusal: null },
        logprobs: null,
        finish_reason: end.reason,
      },
    ],
    usage: usageObject(end),
  })
}

/** Writes the events of one streamed answer. Each text is whole: `data: {…}` and an empty line. */
export interface ChunkWriter {
  /** The first chunk: who speaks. */
  readonly role: string
  text(text: string): string
  /** The chunk with the finish reason, the usage chunk if it was asked for, and the end mark. */
  end(end: CompletionEnd): string
  /** What a broken stream says last. No end mark follows. */
  error(error: ApiError): string
}

/** The last event of a stream that ended well. */
const DONE = 'data: [DONE]\n\n'

/**
 * Makes a writer. All that stays the same in every chunk is written out once: a chunk costs one `JSON.stringify` of
 * its text. Clients rely on `finish_reason: null` in every chunk before the last; `usage: null` stands only where
 * usage was asked for.
 */
export function chunkWriter(head: CompletionHead, includeUsage: boolean): ChunkWriter {
  const envelope =
    `{"id":${JSON.stringify(head.id)},"object":"chat.completion.chunk","created":${head.created}` +
    `,"model":${JSON.stringify(head.model)}`
  const close = `${includeUsage ? ',"usage":null' : ''}}\n\n`
  const choice = `data: ${envelope},"choices":[{"index":0,"delta":`
  const textStart = `${choice}{"content":`
  const textEnd = `},"finish_reason":null}]${close}`
  return {
    role: `${choice}{"role":"assistant","content":null},"finish_reason":null}]${close}`,
    text: (text) => textStart + JSON.stringify(text) + textEnd,
    end: (end) => {
      const finish = `${choice}{},"finish_reason":${JSON.stringify(end.reason)}}]${close}`
      if (!includeUsage) return finish + DONE
      const usage = `data: ${envelope},"choices":[],"usage":${JSON.stringify(usageObject(end))}}\n\n`
      return finish + usage + DONE
    },
    error: (error) =>
      `data: ${envelope},"error":${JSON.stringify(errorObject(error))}` +
      ',"choices":[{"index":0,"delta":{},"finish_reason":"error"}]}\n\n',
  }
}

function usageObject(end: CompletionEnd): Record<string, unknown> {
  const { promptTokens, cachedTokens, completionTokens } = end.usage
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: cachedTokens },
    // Money is never a JSON number.
    ...(end.costNanoUsd === undefined ? {} : { cost_nano_usd: end.costNanoUsd.toString() }),
  }
}
