import { type ChatMessage, LexoraError } from '@lexora/protocol'
import type { ChatHistoryItem, ChatWrapper, LlamaModel, Token } from 'node-llama-cpp'

/** A conversation in the model's own words. */
export interface Prompt {
  tokens: Token[]
  /** Ids with which the template ends a turn, beside those that the model file names. */
  endIds: ReadonlySet<Token>
  /** Texts with which the template ends a turn, for models that have no token for it. */
  endTexts: string[]
}

function historyItem(message: ChatMessage): ChatHistoryItem {
  switch (message.role) {
    case 'system':
    case 'developer':
      return { type: 'system', text: message.content }
    case 'user':
      return { type: 'user', text: message.content }
    case 'assistant':
      return { type: 'model', response: [message.content] }
  }
}

type State = ReturnType<ChatWrapper['generateContextState']>

/** Applies the template. Markers that a user wrote stay plain text: only the template's own become control tokens. */
function applyTemplate(wrapper: ChatWrapper, messages: readonly ChatMessage[]): State {
  const history = messages.map(historyItem)
  try {
    return wrapper.generateContextState({
      chatHistory: [...history, { type: 'model', response: [] }],
    })
  } catch (error) {
    throw new LexoraError(
      'invalid_request',
      'The template of this model does not allow the conversation as it stands; see the order of the roles.',
      { cause: error },
    )
  }
}

/**
 * Turns a conversation to the tokens that the model was trained on. An assistant message at the end is continued.
 * Throws `invalid_request` when the model's template refuses the conversation.
 */
export function buildPrompt(
  model: LlamaModel,
  wrapper: ChatWrapper,
  messages: readonly ChatMessage[],
): Prompt {
  const state = applyTemplate(wrapper, messages)
  const endIds = new Set<Token>()
  const endTexts: string[] = []
  for (const trigger of state.stopGenerationTriggers) {
    const [first] = trigger.tokenize(model.tokenizer)
    if (first === undefined) continue
    if (model.isSpecialToken(first)) endIds.add(first)
    else endTexts.push(trigger.toString())
  }
  return { tokens: state.contextText.tokenize(model.tokenizer), endIds, endTexts }
}
