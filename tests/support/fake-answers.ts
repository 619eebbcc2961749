import { createFakeEngine } from '../../node/src/engines/fake-engine.ts'

/** So many tokens make this text. */
export interface Said {
  tokens: number
  text: string
}

/** What the fake engine says at temperature 0, token by token, from nothing to the end. */
export async function foretell(model: string, content: string): Promise<Said[]> {
  const engine = createFakeEngine({}, { modelId: model })
  await engine.start()
  const sampling = { temperature: 0, topP: 1, minP: 0, presencePenalty: 0, frequencyPenalty: 0 }
  const messages = [{ role: 'user' as const, content }]
  const request = { model, messages, sampling, maxTokens: 512, stop: [] }
  const said: Said[] = [{ tokens: 0, text: '' }]
  for await (const event of engine.chat(request, { signal: new AbortController().signal })) {
    const { tokens, text } = said.at(-1) ?? { tokens: 0, text: '' }
    if (event.kind !== 'tokens') continue
    said.push({ tokens: tokens + event.ids.length, text: text + event.text })
  }
  await engine.stop()
  return said
}

/** A question whose answer has from so many to so many tokens. */
export async function questionFor(model: string, least: number, most: number): Promise<string> {
  for (let index = 0; index < 1_000; index += 1) {
    const question = `Tell me story number ${index}`
    const length = (await foretell(model, question)).at(-1)?.tokens ?? 0
    if (length >= least && length <= most) return question
  }
  throw new Error('no question has such an answer')
}
