import fc from 'fast-check'
import { expect, it } from 'vitest'
import { type Edge, type ErrorBody, MESSAGES, MODEL, postChat, says, startEdge } from './support.ts'

const FULL = {
  model: MODEL,
  messages: [
    ...MESSAGES,
    { role: 'assistant', content: [{ type: 'text', text: 'Hello.' }], name: 'ann' },
  ],
  temperature: 0.5,
  top_p: 0.9,
  min_p: 0.1,
  presence_penalty: 1,
  frequency_penalty: -1,
  seed: 7,
  max_tokens: 5,
  max_completion_tokens: 5,
  stop: ['x'],
  stream: true,
  stream_options: { include_usage: true },
  n: 1,
  tools: [],
  response_format: { type: 'text' },
  logit_bias: {},
  metadata: { a: 'b' },
}

/** The full body with the values at some places replaced, or some bytes of its text changed. */
const wrongValues = fc
  .array(fc.tuple(fc.nat(), fc.jsonValue({ maxDepth: 3 })), { minLength: 1, maxLength: 3 })
  .map((changes) => {
    const body = structuredClone(FULL) as unknown
    for (const [place, value] of changes) replaceAt(body, place, value)
    return Buffer.from(JSON.stringify(body))
  })

const wrongBytes = fc
  .array(fc.tuple(fc.nat(), fc.uint8Array({ maxLength: 4 }), fc.nat({ max: 4 })), {
    minLength: 1,
    maxLength: 4,
  })
  .map((changes) => {
    let bytes = Buffer.from(JSON.stringify(FULL))
    for (const [place, inserted, removed] of changes) {
      const at = place % (bytes.length + 1)
      bytes = Buffer.concat([bytes.subarray(0, at), inserted, bytes.subarray(at + removed)])
    }
    return bytes
  })

/** Deep and odd documents, whole. */
const oddities = fc.oneof(
  fc.jsonValue().map((value) => Buffer.from(JSON.stringify(value))),
  fc.nat({ max: 100_000 }).map((depth) => Buffer.from('['.repeat(depth) + ']'.repeat(depth))),
  fc.nat({ max: 20_000 }).map((depth) => {
    const nested = `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`
    return Buffer.from(`{"model":"m","messages":[{"role":"user","content":${nested}}]}`)
  }),
  fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes)),
)

/** Replaces the value at the nth place of a document, counted depth first, wrapping around. */
function replaceAt(body: unknown, place: number, value: unknown): void {
  const places: { owner: Record<string, unknown>; key: string }[] = []
  const walk = (owner: Record<string, unknown>): void => {
    for (const key of Object.keys(owner)) {
      places.push({ owner, key })
      const child = owner[key]
      if (typeof child === 'object' && child !== null) walk(child as Record<string, unknown>)
    }
  }
  walk(body as Record<string, unknown>)
  const chosen = places[place % places.length]
  if (chosen !== undefined) chosen.owner[chosen.key] = value
}

async function check(edge: Edge, body: Buffer): Promise<number> {
  const response = await postChat(edge, {}, { body, signal: AbortSignal.timeout(5_000) })
  const text = await response.text()
  const shown = body.subarray(0, 2_000).toString()
  if (response.status === 200) {
    const isStream = response.headers.get('content-type') === 'text/event-stream'
    if (isStream) expect(text.endsWith('data: [DONE]\n\n'), shown).toBe(true)
    else expect((JSON.parse(text) as { object: string }).object, shown).toBe('chat.completion')
  } else {
    expect(response.status, shown).toBe(400)
    const { error } = JSON.parse(text) as ErrorBody
    expect(Object.keys(error), shown).toEqual(['message', 'type', 'param', 'code'])
    expect(error.message.length, shown).toBeLessThan(300)
  }
  return response.status
}

it('answers 2,000 mutated bodies with an answer or a 400, and never hangs', async () => {
  const edge = await startEdge()
  edge.backend.script = says('ok')
  const statuses = new Map<number, number>()
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        { arbitrary: wrongValues, weight: 3 },
        { arbitrary: wrongBytes, weight: 2 },
        oddities,
      ),
      async (body) => {
        const status = await check(edge, body)
        statuses.set(status, (statuses.get(status) ?? 0) + 1)
      },
    ),
    { numRuns: 2_000 },
  )
  // Otherwise the mutations are too wild, or too tame, to show anything.
  expect(statuses.get(200)).toBeGreaterThan(50)
  expect(statuses.get(400)).toBeGreaterThan(500)
  expect(edge.lines.filter((line) => line.includes('"request failed"'))).toEqual([])
}, 120_000)
