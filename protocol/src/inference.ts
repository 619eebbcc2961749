/** Who speaks in a chat message. `developer` is OpenAI's newer name for `system`. */
export type ChatRole = 'system' | 'developer' | 'user' | 'assistant'

/** One message of a conversation. Content parts have been joined to text by the gateway. */
export interface ChatMessage {
  role: ChatRole
  content: string
  name?: string
}

/** How tokens are drawn. Ranges are checked where the request enters the gateway. */
export interface Sampling {
  /** 0 is greedy. 0 to 2. */
  temperature: number
  /** Nucleus mass, above 0 to 1; 1 is off. */
  topP: number
  /** Minimum probability relative to the best token, 0 to 1; 0 is off. */
  minP: number
  /** -2 to 2; 0 is off. */
  presencePenalty: number
  /** -2 to 2; 0 is off. */
  frequencyPenalty: number
  /** Unsigned 32-bit. Same seed, same output. Absent: the provider draws one. */
  seed?: number
}

/** A chat request as it travels from gateway to provider to engine. */
export interface ChatRequest {
  model: string
  messages: ChatMessage[]
  sampling: Sampling
  /** Most output tokens. At least 1. */
  maxTokens: number
  /** Up to 4 texts that end the answer; they are not part of it. */
  stop: string[]
}

/**
 * Why an answer ended. `stop`: the model's end or a stop text; `length`: maxTokens or the context is full;
 * `cancelled`: the client went away, what was delivered stands; `failed`: the engine broke after it had begun.
 */
export type FinishReason = 'stop' | 'length' | 'cancelled' | 'failed'

/** What a request used. Counted by the provider's tokenizer, never estimated from text. */
export interface Usage {
  promptTokens: number
  /** Prompt tokens whose work was reused from the slot; part of promptTokens. */
  cachedTokens: number
  completionTokens: number
}
