import { LexoraError } from '@lexora/protocol'

/** A documented parameter that is not built, and the values that change nothing. */
interface Unbuilt {
  /** Completes "this gateway supports …". */
  supports: string
  harmless(value: unknown): boolean
}

const isEmptyList = (value: unknown): boolean => Array.isArray(value) && value.length === 0
const isOneOf =
  (...values: unknown[]) =>
  (value: unknown): boolean =>
    values.includes(value)
const never = (): boolean => false

const NO_TOOLS: Unbuilt = { supports: 'no tools', harmless: isEmptyList }
const NO_TOOL_CHOICE: Unbuilt = { supports: 'no tools', harmless: isOneOf('none', 'auto') }

/**
 * Every parameter that OpenAI documents, that would change the answer, and that is not built. To build one, delete its
 * line and add the parameter to the schema in chat-request.ts.
 */
const UNBUILT: Readonly<Record<string, Unbuilt>> = {
  audio: { supports: 'text only', harmless: never },
  function_call: NO_TOOL_CHOICE,
  functions: NO_TOOLS,
  logit_bias: {
    supports: 'no bias',
    harmless: (value) =>
      typeof value === 'object' && value !== null && Object.keys(value).length === 0,
  },
  logprobs: { supports: 'only false', harmless: isOneOf(false) },
  modalities: {
    supports: 'only ["text"]',
    harmless: (value) => Array.isArray(value) && value.length === 1 && value[0] === 'text',
  },
  moderation: { supports: 'no moderation', harmless: never },
  n: { supports: 'only 1', harmless: isOneOf(1) },
  reasoning_effort: { supports: 'only "none"', harmless: isOneOf('none') },
  response_format: {
    supports: 'only {"type": "text"}',
    harmless: (value) => (value as { type?: unknown }).type === 'text',
  },
  service_tier: { supports: 'only "auto" and "default"', harmless: isOneOf('auto', 'default') },
  // Prompts and answers are never stored: a client that asks for it must not believe it was done.
  store: { supports: 'only false', harmless: isOneOf(false) },
  tool_choice: NO_TOOL_CHOICE,
  tools: NO_TOOLS,
  top_logprobs: { supports: 'only 0', harmless: isOneOf(0) },
  verbosity: { supports: 'only "medium"', harmless: isOneOf('medium') },
  web_search_options: { supports: 'no web search', harmless: never },
}

/**
 * Documented parameters that are taken and not used: marks for the caller's own books, hints about speed that leave the
 * answer as it is, and switches of features that {@link UNBUILT} refuses by themselves.
 */
export const IGNORED_PARAMETERS: readonly string[] = [
  'metadata',
  'parallel_tool_calls',
  'prediction',
  'prompt_cache_key',
  'prompt_cache_options',
  'prompt_cache_retention',
  'safety_identifier',
  'user',
]

/** Names of the documented parameters that are refused unless they change nothing. */
export const UNBUILT_PARAMETERS: readonly string[] = Object.keys(UNBUILT)

/** The refusal of one parameter by its name. `path` is a place in the request, never what stands there. */
export function unsupported(path: string, supports: string): LexoraError {
  return new LexoraError(
    'unsupported_parameter',
    `'${path}' is not supported here with this value: this gateway supports ${supports}.`,
    { facts: { param: path } },
  )
}

/** Throws `unsupported_parameter` for the first parameter that asks for something that is not built. */
export function refuseUnbuilt(body: Readonly<Record<string, unknown>>): void {
  for (const name of UNBUILT_PARAMETERS) {
    const value = Object.hasOwn(body, name) ? body[name] : undefined
    const rule = UNBUILT[name]
    if (value === undefined || value === null || rule === undefined) continue
    if (!rule.harmless(value)) throw unsupported(name, rule.supports)
  }
}
