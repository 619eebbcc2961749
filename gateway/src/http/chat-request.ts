import {
  type ChatMessage,
  type ChatRequest,
  type ChatRole,
  LexoraError,
  MESSAGES_MAX,
  MODEL_ID_LENGTH_MAX,
  STOP_TEXT_LENGTH_MAX,
  STOP_TEXTS_MAX,
} from '@lexora/protocol'
import * as z from 'zod'
import { CONTENT_PARTS_MAX, OUTPUT_TOKENS_MAX, PARTICIPANT_NAME_CHARS_MAX } from './constants.ts'
import { refuseUnbuilt, unsupported } from './unbuilt.ts'

/** What the body of a chat request asks for. */
export interface ChatParameters {
  request: ChatRequest
  stream: boolean
  /** Whether a stream ends with a usage chunk. */
  includeUsage: boolean
}

const ROLES: ReadonlySet<string> = new Set<ChatRole>(['system', 'developer', 'user', 'assistant'])
const TOOL_ROLES: ReadonlySet<string> = new Set(['tool', 'function'])

/** Marks an issue of the schema as "not built" rather than "wrong", and says what is supported. */
const notBuilt = (supports: string): { code: 'custom'; message: string; params: object } => ({
  code: 'custom',
  message: 'is not supported',
  params: { supports },
})

const role = z.string().transform((value, context): ChatRole => {
  if (ROLES.has(value)) return value as ChatRole
  if (TOOL_ROLES.has(value)) context.addIssue(notBuilt('no tools'))
  else {
    context.addIssue({
      code: 'custom',
      message: 'expected "system", "developer", "user" or "assistant"',
    })
  }
  return z.NEVER
})

/** Text, or a list of text parts. Parts are joined by a line break, as vLLM and llama-server do. */
const content = z.unknown().transform((value, context): string => {
  if (typeof value === 'string') return value
  if (!Array.isArray(value)) {
    const missing = value === undefined || value === null
    const message = missing ? 'is required' : 'expected a string or an array of text parts'
    context.addIssue({ code: 'custom', message })
    return z.NEVER
  }
  if (value.length === 0 || value.length > CONTENT_PARTS_MAX) {
    context.addIssue({ code: 'custom', message: `expected 1 to ${CONTENT_PARTS_MAX} parts` })
    return z.NEVER
  }
  return joinParts(value, context) ?? z.NEVER
})

function joinParts(
  parts: readonly unknown[],
  context: Pick<z.RefinementCtx, 'addIssue'>,
): string | undefined {
  const texts: string[] = []
  for (const [index, part] of parts.entries()) {
    const { type, text } = (part ?? {}) as { type?: unknown; text?: unknown }
    if (type === 'text' && typeof text === 'string') {
      texts.push(text)
      continue
    }
    if (typeof type !== 'string') {
      context.addIssue({ code: 'custom', path: [index, 'type'], message: 'expected "text"' })
    } else if (type === 'text') {
      context.addIssue({ code: 'custom', path: [index, 'text'], message: 'expected a string' })
    } else {
      context.addIssue({ ...notBuilt('only "text" parts'), path: [index, 'type'] })
    }
    return undefined
  }
  return texts.join('\n')
}

/** A field of a message that belongs to something not built: absent, null and empty are fine. */
const unbuiltField = (supports: string) =>
  z
    .unknown()
    .superRefine((value, context) => {
      const empty = value === null || (Array.isArray(value) && value.length === 0)
      if (!empty) context.addIssue(notBuilt(supports))
    })
    .optional()

const message = z.object({
  role,
  content,
  name: z.string().min(1).max(PARTICIPANT_NAME_CHARS_MAX).nullish(),
  tool_calls: unbuiltField('no tools'),
  function_call: unbuiltField('no tools'),
  audio: unbuiltField('text only'),
})

// The first of each pair bounds a list before anything looks into it: a body of a million empty items must cost little.
const messages = z.array(z.unknown()).min(1).max(MESSAGES_MAX).pipe(z.array(message))
/** The wire counts UTF-16 units, where the schema's own `max` counts characters: an emoji is two of the former. */
const textUpTo = (lengthMax: number): z.ZodString =>
  z
    .string()
    .min(1)
    .refine((value) => value.length <= lengthMax, {
      error: `expected string to have <=${lengthMax} characters`,
    })

const stopText = textUpTo(STOP_TEXT_LENGTH_MAX)
const stopTexts = z.array(z.unknown()).max(STOP_TEXTS_MAX).pipe(z.array(stopText))

const STOP_RULE = `expected a text of 1 to ${STOP_TEXT_LENGTH_MAX} characters, or up to ${STOP_TEXTS_MAX} of them`

const tokens = z.int().min(1).max(OUTPUT_TOKENS_MAX)
const within = (low: number, high: number): z.ZodNumber => z.number().min(low).max(high)

/**
 * The parameters that are honoured. Optional ones may be null, which means absent. Lengths are the wire's own limits:
 * a request beyond them would be refused by every provider, and all of them would be blamed for it.
 */
const schema = z.object({
  model: textUpTo(MODEL_ID_LENGTH_MAX),
  messages,
  temperature: within(0, 2).nullish(),
  top_p: z.number().gt(0).max(1).nullish(),
  // Not OpenAI's, but every llama.cpp and vLLM server's.
  min_p: within(0, 1).nullish(),
  presence_penalty: within(-2, 2).nullish(),
  frequency_penalty: within(-2, 2).nullish(),
  // Any 64-bit integer; JSON numbers beyond 2^53 are whole, but not "safe".
  seed: z.number().refine(Number.isInteger, { error: 'expected an integer' }).nullish(),
  max_tokens: tokens.nullish(),
  max_completion_tokens: tokens.nullish(),
  stop: z.union([stopText, stopTexts], { error: STOP_RULE }).nullish(),
  stream: z.boolean().nullish(),
  stream_options: z
    .object({ include_usage: z.boolean().nullish(), include_obfuscation: z.boolean().nullish() })
    .nullish(),
})

type Body = z.output<typeof schema>

/** Names of the documented parameters that the schema honours. */
export const HONOURED_PARAMETERS: readonly string[] = Object.keys(schema.shape)

/**
 * Reads the JSON body of a chat request. Throws `invalid_request` or `unsupported_parameter`, with the path of the
 * guilty field as the fact `param`; no message repeats a value.
 */
export function parseChatRequest(body: unknown, outputTokensDefault: number): ChatParameters {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new LexoraError('invalid_request', 'The request body must be a JSON object.')
  }
  refuseUnbuilt(body as Record<string, unknown>)
  const parsed = schema.safeParse(body)
  if (!parsed.success) throw fromIssue(parsed.error)
  checkStreamOptions(parsed.data)
  return {
    request: toChatRequest(parsed.data, maxTokensOf(parsed.data) ?? outputTokensDefault),
    stream: parsed.data.stream ?? false,
    includeUsage: parsed.data.stream_options?.include_usage ?? false,
  }
}

function toChatRequest(body: Body, maxTokens: number): ChatRequest {
  const stop = body.stop ?? []
  return {
    model: body.model,
    messages: body.messages.map(toMessage),
    sampling: {
      temperature: body.temperature ?? 1,
      topP: body.top_p ?? 1,
      minP: body.min_p ?? 0,
      presencePenalty: body.presence_penalty ?? 0,
      frequencyPenalty: body.frequency_penalty ?? 0,
      ...(body.seed === undefined || body.seed === null ? {} : { seed: foldSeed(body.seed) }),
    },
    maxTokens,
    stop: typeof stop === 'string' ? [stop] : stop,
  }
}

function toMessage(source: z.output<typeof message>): ChatMessage {
  const { role, content, name } = source
  return typeof name === 'string' ? { role, content, name } : { role, content }
}

/** The low 32 bits in two's complement: small seeds stay themselves, and every integer has one answer. */
function foldSeed(seed: number): number {
  return Number(BigInt.asUintN(32, BigInt(seed)))
}

/** OpenAI refuses a request that sets both names. Here both may stand if they agree, as some SDKs send both. */
function maxTokensOf(body: Body): number | undefined {
  const older = body.max_tokens ?? undefined
  const newer = body.max_completion_tokens ?? undefined
  if (older !== undefined && newer !== undefined && older !== newer) {
    throw invalid('max_tokens', "must not be set beside a different 'max_completion_tokens'")
  }
  return newer ?? older
}

function checkStreamOptions(body: Body): void {
  const options = body.stream_options
  if (options === undefined || options === null) return
  if (body.stream !== true) {
    throw invalid('stream_options', "is only allowed when 'stream' is true")
  }
  if (options.include_obfuscation === true) {
    throw unsupported('stream_options.include_obfuscation', 'only false')
  }
}

function fromIssue(error: z.ZodError): LexoraError {
  const [issue] = error.issues
  if (issue === undefined) return new LexoraError('invalid_request', 'The request is not valid.')
  const path = pathText(issue.path)
  const supports = issue.code === 'custom' ? issue.params?.['supports'] : undefined
  if (typeof supports === 'string') return unsupported(path, supports)
  return invalid(path, ruleText(issue.message))
}

function invalid(path: string, rule: string): LexoraError {
  return new LexoraError('invalid_request', `'${path}' is not valid: ${rule}.`, {
    facts: { param: path },
  })
}

/** The library's sentences name the expected and the received type, never a value. */
function ruleText(text: string): string {
  if (text.endsWith('received undefined')) return 'it is required'
  return text.replace(/^Invalid input: /, '').replace(/^Too (?:big|small): /, '')
}

/** As OpenAI writes it: `messages[0].content[1].type`. Its keys are the schema's own, never the client's. */
function pathText(path: readonly PropertyKey[]): string {
  let text = ''
  for (const key of path) {
    if (typeof key === 'number') text += `[${key}]`
    else text += text === '' ? String(key) : `.${String(key)}`
  }
  return text
}
