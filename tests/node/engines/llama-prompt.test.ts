import { fileURLToPath } from 'node:url'
import {
  AlpacaChatWrapper,
  ChatWrapper,
  getLlama,
  type Llama,
  LlamaLogLevel,
  type LlamaModel,
  resolveChatWrapper,
} from 'node-llama-cpp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildPrompt } from '../../../node/src/engines/llama-prompt.ts'

const modelPath = fileURLToPath(
  new URL('../../../node/models/lexora-tiny-chat.gguf', import.meta.url),
)

describe('buildPrompt()', () => {
  let llama: Llama
  let model: LlamaModel
  let wrapper: ChatWrapper

  beforeAll(async () => {
    llama = await getLlama({ build: 'never', gpu: false, logLevel: LlamaLogLevel.disabled })
    model = await llama.loadModel({ modelPath })
    wrapper = resolveChatWrapper(model, { warningLogs: false })
  })

  afterAll(async () => await llama.dispose())

  it('applies the template of the model', () => {
    const { tokens } = buildPrompt(model, wrapper, [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'Hello' },
      { role: 'assistant', content: 'Hi' },
      { role: 'user', content: 'Again' },
    ])
    expect(model.detokenize(tokens, true)).toBe(
      '<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHello<|im_end|>\n' +
        '<|im_start|>assistant\nHi<|im_end|>\n<|im_start|>user\nAgain<|im_end|>\n<|im_start|>assistant\n',
    )
  })

  it('knows the token with which the template ends a turn', () => {
    const { endIds, endTexts } = buildPrompt(model, wrapper, [{ role: 'user', content: 'Hello' }])
    expect(endIds).toContain(model.tokenize('<|im_end|>', true)[0])
    expect(endTexts).toEqual([])
  })

  it('takes texts instead where a template has no token for the end', () => {
    const alpaca = new AlpacaChatWrapper()
    const { endTexts } = buildPrompt(model, alpaca, [{ role: 'user', content: 'Hello' }])
    expect(endTexts.some((text) => text.includes('### Instruction'))).toBe(true)
  })

  it('refuses what the template refuses, without a word of the conversation', () => {
    const broken = new (class extends ChatWrapper {
      readonly wrapperName = 'broken'
      override generateContextState(): never {
        throw new Error('no: secret')
      }
    })()
    const refused = (): unknown => buildPrompt(model, broken, [{ role: 'user', content: 'secret' }])
    expect(refused).toThrowError(expect.objectContaining({ code: 'invalid_request' }))
    expect(refused).not.toThrow(/secret/)
  })
})
