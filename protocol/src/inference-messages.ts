import {
  INFER_REQUEST_BYTES_MAX,
  MAX_TOKENS_MAX,
  MESSAGES_MAX,
  MODEL_ID_LENGTH_MAX,
  RECORD_BYTES_MAX,
  SHORT_TEXT_LENGTH_MAX,
  STOP_TEXT_LENGTH_MAX,
  STOP_TEXTS_MAX,
  TEMPLATE_TOKENS_PER_MESSAGE,
  TEMPLATE_TOKENS_PER_PROMPT,
  TOKEN_IDS_PER_FRAME_MAX,
  TOKENS_BYTES_MAX,
} from './constants.ts'
import { assert } from './errors.ts'
import type { ChatRequest, ChatRole, FinishReason, Usage } from './inference.ts'
import { FINISH_REASONS } from './receipt.ts'
import { REQUEST_ID_BYTES } from './voucher.ts'
import { bytesOf, bytesUpTo, count, list, present, real, refuse, text, word } from './wire/check.ts'
import { type Codec, codec, view } from './wire/codec.ts'
import {
  ChatRequest as GeneratedChat,
  InferEvent as GeneratedEvent,
  InferRequest as GeneratedRequest,
  InferTerminal as GeneratedTerminal,
} from './wire/generated/inference.ts'

/** Session method by which a gateway asks a provider to infer. */
export const INFER_METHOD = 'infer'
/** Session notices that a provider pushes to its gateways. */
export const LOAD_NOTICE = 'load'
export const CAPABILITY_NOTICE = 'capability'
/** Session notice by which either end says that it leaves for good. */
export const GOODBYE_NOTICE = 'goodbye'

/** Bytes of the salt in front of a request hash. */
export const SALT_BYTES = 16

const UINT32_MAX = 0xffff_ffff
const ROLES: readonly ChatRole[] = ['system', 'developer', 'user', 'assistant']

/** What a gateway asks of a provider. */
export interface InferRequest {
  requestId: Uint8Array
  /** A sealed voucher. */
  voucher: Uint8Array
  salt: Uint8Array
  chat: ChatRequest
}

/**
 * What a provider answers while it works: one `accept`, then `tokens` with sequence numbers from 0 without a gap.
 * A refusal is the session's error frame instead.
 */
export type InferEvent =
  | { kind: 'accept'; promptTokens: number; cachedTokens: number }
  | { kind: 'tokens'; sequence: number; ids: number[]; text: string }

/** The signed end of an answer. Success is a valid terminal frame and nothing else. */
export interface InferTerminal {
  finishReason: FinishReason
  usage: Usage
  /** A sealed receipt. */
  receipt: Uint8Array
}

function chatFromWire(raw: GeneratedChat): ChatRequest {
  const sampling = present(raw.sampling, 'sampling')
  return {
    model: text(raw.model, 'model', MODEL_ID_LENGTH_MAX),
    messages: list(raw.messages, 'messages', MESSAGES_MAX, 1).map((message) => ({
      role: word(message.role, 'role', ROLES),
      content: message.content,
      ...(message.name === undefined
        ? {}
        : { name: text(message.name, 'name', SHORT_TEXT_LENGTH_MAX) }),
    })),
    sampling: {
      temperature: real(sampling.temperature, 'temperature', 0, 2),
      topP: real(sampling.topP, 'topP', 0, 1),
      minP: real(sampling.minP, 'minP', 0, 1),
      presencePenalty: real(sampling.presencePenalty, 'presencePenalty', -2, 2),
      frequencyPenalty: real(sampling.frequencyPenalty, 'frequencyPenalty', -2, 2),
      ...(sampling.seed === undefined ? {} : { seed: count(sampling.seed, 'seed', UINT32_MAX) }),
    },
    maxTokens: count(raw.maxTokens, 'maxTokens', MAX_TOKENS_MAX, 1),
    stop: list(raw.stop, 'stop', STOP_TEXTS_MAX).map((stop) =>
      text(stop, 'stop', STOP_TEXT_LENGTH_MAX),
    ),
  }
}

/** Enforced while parsing: a megabyte of empty messages would otherwise block the event loop for 0.1 s. */
const CHAT_LIMITS = { messages: MESSAGES_MAX, stop: STOP_TEXTS_MAX }

/** Wire form of a chat request alone: what the request hash covers. */
export const chatRequestCodec: Codec<ChatRequest> = codec(GeneratedChat, {
  name: 'chat request',
  bytesMax: INFER_REQUEST_BYTES_MAX,
  limits: CHAT_LIMITS,
  toWire: (value) => value,
  fromWire: chatFromWire,
})

/** Wire form of {@link InferRequest}. */
export const inferRequestCodec: Codec<InferRequest> = codec(GeneratedRequest, {
  name: 'inference request',
  bytesMax: INFER_REQUEST_BYTES_MAX,
  limits: { chat: CHAT_LIMITS },
  toWire: (value) => ({
    requestId: view(value.requestId),
    voucher: view(value.voucher),
    salt: view(value.salt),
    chat: value.chat,
  }),
  fromWire: (raw) => ({
    requestId: bytesOf(raw.requestId, 'requestId', REQUEST_ID_BYTES),
    voucher: bytesUpTo(raw.voucher, 'voucher', RECORD_BYTES_MAX),
    salt: bytesOf(raw.salt, 'salt', SALT_BYTES),
    chat: chatFromWire(present(raw.chat, 'chat')),
  }),
})

/** Wire form of {@link InferEvent}. */
export const inferEventCodec: Codec<InferEvent> = codec(GeneratedEvent, {
  name: 'inference event',
  bytesMax: TOKENS_BYTES_MAX,
  toWire: ({ kind, ...value }) =>
    (kind === 'accept' ? { accept: value } : { tokens: value }) as GeneratedEvent,
  fromWire: (raw) => {
    if (raw.tokens !== undefined && raw.accept !== undefined)
      refuse('event', 'must be one of accept and tokens')
    if (raw.tokens !== undefined) {
      return {
        kind: 'tokens',
        sequence: count(raw.tokens.sequence, 'sequence', UINT32_MAX),
        ids: list(raw.tokens.ids, 'ids', TOKEN_IDS_PER_FRAME_MAX),
        text: raw.tokens.text,
      }
    }
    if (raw.accept === undefined) return refuse('event', 'must be accept or tokens')
    const promptTokens = count(raw.accept.promptTokens, 'promptTokens', UINT32_MAX)
    return {
      kind: 'accept',
      promptTokens,
      cachedTokens: count(raw.accept.cachedTokens, 'cachedTokens', promptTokens),
    }
  },
})

/** Wire form of {@link InferTerminal}. */
export const inferTerminalCodec: Codec<InferTerminal> = codec(GeneratedTerminal, {
  name: 'terminal frame',
  bytesMax: TOKENS_BYTES_MAX,
  toWire: (value) => ({
    finishReason: value.finishReason,
    ...value.usage,
    receipt: view(value.receipt),
  }),
  fromWire: (raw) => {
    const promptTokens = count(raw.promptTokens, 'promptTokens', UINT32_MAX)
    return {
      finishReason: word(raw.finishReason, 'finishReason', FINISH_REASONS),
      usage: {
        promptTokens,
        cachedTokens: count(raw.cachedTokens, 'cachedTokens', promptTokens),
        completionTokens: count(raw.completionTokens, 'completionTokens', UINT32_MAX),
      },
      receipt: bytesUpTo(raw.receipt, 'receipt', RECORD_BYTES_MAX),
    }
  },
})

/**
 * Most tokens that the prompt of a request can become, before any tokenizer has seen it: a byte-level tokenizer makes
 * at most one token of a byte, and a template adds its markers. The hold is placed for this many.
 */
export function promptTokensBound(request: ChatRequest): number {
  let bytes = 0
  for (const message of request.messages) {
    bytes += Buffer.byteLength(message.content) + Buffer.byteLength(message.name ?? '')
  }
  const bound =
    bytes + request.messages.length * TEMPLATE_TOKENS_PER_MESSAGE + TEMPLATE_TOKENS_PER_PROMPT
  assert(Number.isSafeInteger(bound), 'a prompt bound is a whole number')
  return bound
}
