/** Run as a process of its own by llama-engine.test.ts: whatever else appears on its outputs, the engine printed. */
import '../../../protocol/src/mesh/polyfill.ts'
import { pino } from 'pino'
import { createLlamaEngine } from '../../../node/src/engines/llama-engine.ts'

const [, , modelPath = ''] = process.argv
const engine = createLlamaEngine(
  { log: pino({ level: 'silent' }) },
  { modelPath, modelId: 'quiet', slots: 2 },
)
await engine.start()
const stream = engine.chat(
  {
    model: 'quiet',
    messages: [{ role: 'user', content: 'What is the capital of France?' }],
    sampling: { temperature: 0, topP: 1, minP: 0, presencePenalty: 0, frequencyPenalty: 0 },
    maxTokens: 50,
    stop: [],
  },
  { signal: new AbortController().signal },
)
let text = ''
for await (const event of stream) if (event.kind === 'tokens') text += event.text
await engine.stop()
console.log(text.includes('Paris') ? 'answered' : 'wrong answer')
