import { type IncomingHttpHeaders, request } from 'node:http'

/** Where and as whom to ask. */
export interface ChatTarget {
  /** A gateway's base, without `/v1`. */
  url: string
  apiKey: string
}

/** How an exchange went. Never thrown: a broken connection is a result too. */
export interface Exchange {
  /** 0 where no answer came. */
  status: number
  headers: IncomingHttpHeaders
  /** What came of the body. */
  body: string
  /** Whether the response was complete, by HTTP's own rules. */
  isWhole: boolean
}

/** What a chat client has understood of an exchange. */
export interface Heard extends Exchange {
  text: string
  /** The code of the error, from the body or the stream. */
  code: string | undefined
  message: string
  usage: { prompt_tokens: number; completion_tokens: number } | undefined
  /** A whole answer, or a stream with its end mark. */
  isSuccess: boolean
}

/** A running exchange. */
export interface Running {
  readonly heard: Promise<Heard>
  /** The text so far. */
  text(): string
  /** Milliseconds from the sending to the first text; undefined before. */
  readonly firstTextMs: number | undefined
  /** The client goes away. */
  leave(): void
}

/** What is asked. */
export interface Question {
  model: string
  content: string
  stream?: boolean
  max_tokens?: number
  temperature?: number
}

/** Asks one question over a connection of its own, so that nothing of an earlier one plays a part. */
export function ask(target: ChatTarget, question: Question): Running {
  const { content, ...rest } = question
  const stream = question.stream === true ? { stream_options: { include_usage: true } } : {}
  const body = { temperature: 0, ...rest, ...stream, messages: [{ role: 'user', content }] }
  return send(target, JSON.stringify(body))
}

/** Sends a body as it is. */
export function send(
  { url, apiKey }: ChatTarget,
  body: string,
  headers: Record<string, string> = {},
): Running {
  const startMs = performance.now()
  let soFar = ''
  let firstTextMs: number | undefined
  const exchange = Promise.withResolvers<Exchange>()
  const sent = request(`${url}/v1/chat/completions`, {
    method: 'POST',
    agent: false,
    headers: {
      authorization: `Bearer ${apiKey}`,
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      ...headers,
    },
  })
  let answer: Pick<Exchange, 'status' | 'headers'> = { status: 0, headers: {} }
  const finish = (isWhole: boolean): void => exchange.resolve({ ...answer, body: soFar, isWhole })
  sent.on('response', (response) => {
    answer = { status: response.statusCode ?? 0, headers: response.headers }
    response.setEncoding('utf8')
    response.on('data', (part: string) => {
      soFar += part
      if (firstTextMs === undefined && soFar.includes('"content":"')) {
        firstTextMs = performance.now() - startMs
      }
    })
    response.on('error', () => finish(false))
    response.on('close', () => finish(response.complete))
  })
  sent.on('error', () => finish(false))
  sent.on('close', () => finish(false))
  sent.end(body)
  return {
    heard: exchange.promise.then(understand),
    text: () => textOf(eventsOf(soFar)),
    get firstTextMs() {
      return firstTextMs
    },
    leave: () => sent.destroy(),
  }
}

interface Chunk {
  choices?: { delta?: { content?: string | null }; message?: { content: string } }[]
  usage?: Heard['usage'] | null
  error?: { code: string; message: string }
}

function understand(exchange: Exchange): Heard {
  const { status, headers, body, isWhole } = exchange
  const isStream = headers['content-type']?.startsWith('text/event-stream') === true
  const chunks = isStream ? eventsOf(body) : wholeOf(exchange)
  const error = chunks.map((chunk) => chunk.error).find((each) => each !== undefined)
  const isEnded = !isStream || body.endsWith('data: [DONE]\n\n')
  return {
    ...exchange,
    text: textOf(chunks),
    code: error?.code,
    message: error?.message ?? '',
    usage: chunks.findLast((chunk) => chunk.usage)?.usage ?? undefined,
    isSuccess: status === 200 && isEnded && isWhole && error === undefined,
  }
}

function wholeOf({ body, isWhole }: Exchange): Chunk[] {
  return isWhole ? [JSON.parse(body) as Chunk] : []
}

/** The whole events of a stream, its end mark and comments left out. */
function eventsOf(body: string): Chunk[] {
  return body
    .split('\n\n')
    .slice(0, -1)
    .filter((event) => event.startsWith('data: {'))
    .map((event) => JSON.parse(event.slice('data: '.length)) as Chunk)
}

function textOf(chunks: readonly Chunk[]): string {
  return chunks
    .map(({ choices }) => choices?.[0]?.delta?.content ?? choices?.[0]?.message?.content ?? '')
    .join('')
}
