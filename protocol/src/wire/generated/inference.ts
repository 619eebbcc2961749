import { decodeMessage, encodeMessage, MaxLengthError, message, streamMessage } from 'protons-runtime'
import { alloc as uint8ArrayAlloc } from 'uint8arrays/alloc'
import type { Codec, DecodeOptions } from 'protons-runtime'
import type { Uint8ArrayList } from 'uint8arraylist'

export interface ChatMessage {
  role: string
  content: string
  name?: string
}

export namespace ChatMessage {
  let _codec: Codec<ChatMessage>

  export const codec = (): Codec<ChatMessage> => {
    if (_codec == null) {
      _codec = message<ChatMessage>((obj, w, opts = {}) => {
        if (opts.lengthDelimited !== false) {
          w.fork()
        }

        if ((obj.role != null && obj.role !== '')) {
          w.uint32(10)
          w.string(obj.role)
        }

        if ((obj.content != null && obj.content !== '')) {
          w.uint32(18)
          w.string(obj.content)
        }

        if (obj.name != null) {
          w.uint32(26)
          w.string(obj.name)
        }

        if (opts.lengthDelimited !== false) {
          w.ldelim()
        }
      }, (reader, length, opts = {}) => {
        const obj: any = {
          role: '',
          content: ''
        }

        const end = length == null ? reader.len : reader.pos + length

        while (reader.pos < end) {
          const tag = reader.uint32()

          switch (tag >>> 3) {
            case 1: {
              obj.role = reader.string()
              break
            }
            case 2: {
              obj.content = reader.string()
              break
            }
            case 3: {
              obj.name = reader.string()
              break
            }
            default: {
              reader.skipType(tag & 7)
              break
            }
          }
        }

        return obj
      }, function * (reader, length, prefix, opts = {}) {
        const end = length == null ? reader.len : reader.pos + length

        while (reader.pos < end) {
          const tag = reader.uint32()

          switch (tag >>> 3) {
            case 1: {
              yield {
                field: `${prefix}.role`,
                value: reader.string()
              }
              break
            }
            case 2: {
              yield {
                field: `${prefix}.content`,
                value: reader.string()
              }
              break
            }
            case 3: {
              yield {
                field: `${prefix}.name`,
                value: reader.string()
              }
              break
            }
            default: {
              reader.skipType(tag & 7)
              break
            }
          }
        }
      })
    }

    return _codec
  }

  export interface ChatMessageRoleFieldEvent {
    field: '$.role'
    value: string
  }

  export interface ChatMessageContentFieldEvent {
    field: '$.content'
    value: string
  }

  export interface ChatMessageNameFieldEvent {
    field: '$.name'
    value: string
  }

  export function encode (obj: Partial<ChatMessage>): Uint8Array<ArrayBuffer> {
    return encodeMessage(obj, ChatMessage.codec())
  }

  export function decode (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<ChatMessage>): ChatMessage {
    return decodeMessage(buf, ChatMessage.codec(), opts)
  }

  export function stream (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<ChatMessage>): Generator<ChatMessageRoleFieldEvent | ChatMessageContentFieldEvent | ChatMessageNameFieldEvent> {
    return streamMessage(buf, ChatMessage.codec(), opts)
  }
}

export interface Sampling {
  temperature: number
  topP: number
  minP: number
  presencePenalty: number
  frequencyPenalty: number
  seed?: number
}

export namespace Sampling {
  let _codec: Codec<Sampling>

  export const codec = (): Codec<Sampling> => {
    if (_codec == null) {
      _codec = message<Sampling>((obj, w, opts = {}) => {
        if (opts.lengthDelimited !== false) {
          w.fork()
        }

        if ((obj.temperature != null && obj.temperature !== 0)) {
          w.uint32(9)
          w.double(obj.temperature)
        }

        if ((obj.topP != null && obj.topP !== 0)) {
          w.uint32(17)
          w.double(obj.topP)
        }

        if ((obj.minP != null && obj.minP !== 0)) {
          w.uint32(25)
          w.double(obj.minP)
        }

        if ((obj.presencePenalty != null && obj.presencePenalty !== 0)) {
          w.uint32(33)
          w.double(obj.presencePenalty)
        }

        if ((obj.frequencyPenalty != null && obj.frequencyPenalty !== 0)) {
          w.uint32(41)
          w.double(obj.frequencyPenalty)
        }

        if (obj.seed != null) {
          w.uint32(48)
          w.uint32(obj.seed)
        }

        if (opts.lengthDelimited !== false) {
          w.ldelim()
        }
      }, (reader, length, opts = {}) => {
        const obj: any = {
          temperature: 0,
          topP: 0,
          minP: 0,
          presencePenalty: 0,
          frequencyPenalty: 0
        }

        const end = length == null ? reader.len : reader.pos + length

        while (reader.pos < end) {
          const tag = reader.uint32()

          switch (tag >>> 3) {
            case 1: {
              obj.temperature = reader.double()
              break
            }
            case 2: {
              obj.topP = reader.double()
              break
            }
            case 3: {
              obj.minP = reader.double()
              break
            }
            case 4: {
              obj.presencePenalty = reader.double()
              break
            }
            case 5: {
              obj.frequencyPenalty = reader.double()
              break
            }
            case 6: {
              obj.seed = reader.uint32()
              break
            }
            default: {
              reader.skipType(tag & 7)
              break
            }
          }
        }

        return obj
      }, function * (reader, length, prefix, opts = {}) {
        const end = length == null ? reader.len : reader.pos + length

        while (reader.pos < end) {
          const tag = reader.uint32()

          switch (tag >>> 3) {
            case 1: {
              yield {
                field: `${prefix}.temperature`,
                value: reader.double()
              }
              break
            }
            case 2: {
              yield {
                field: `${prefix}.topP`,
                value: reader.double()
              }
              break
            }
            case 3: {
              yield {
                field: `${prefix}.minP`,
                value: reader.double()
              }
              break
            }
            case 4: {
              yield {
                field: `${prefix}.presencePenalty`,
                value: reader.double()
              }
              break
            }
            case 5: {
              yield {
                field: `${prefix}.frequencyPenalty`,
                value: reader.double()
              }
              break
            }
            case 6: {
              yield {
                field: `${prefix}.seed`,
                value: reader.uint32()
              }
              break
            }
            default: {
              reader.skipType(tag & 7)
              break
            }
          }
        }
      })
    }

    return _codec
  }

  export interface SamplingTemperatureFieldEvent {
    field: '$.temperature'
    value: number
  }

  export interface SamplingTopPFieldEvent {
    field: '$.topP'
    value: number
  }

  export interface SamplingMinPFieldEvent {
    field: '$.minP'
    value: number
  }

  export interface SamplingPresencePenaltyFieldEvent {
    field: '$.presencePenalty'
    value: number
  }

  export interface SamplingFrequencyPenaltyFieldEvent {
    field: '$.frequencyPenalty'
    value: number
  }

  export interface SamplingSeedFieldEvent {
    field: '$.seed'
    value: number
  }

  export function encode (obj: Partial<Sampling>): Uint8Array<ArrayBuffer> {
    return encodeMessage(obj, Sampling.codec())
  }

  export function decode (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<Sampling>): Sampling {
    return decodeMessage(buf, Sampling.codec(), opts)
  }

  export function stream (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<Sampling>): Generator<SamplingTemperatureFieldEvent | SamplingTopPFieldEvent | SamplingMinPFieldEvent | SamplingPresencePenaltyFieldEvent | SamplingFrequencyPenaltyFieldEvent | SamplingSeedFieldEvent> {
    return streamMessage(buf, Sampling.codec(), opts)
  }
}

export interface ChatRequest {
  model: string
  messages: ChatMessage[]
  sampling?: Sampling
  maxTokens: number
  stop: string[]
}

export namespace ChatRequest {
  let _codec: Codec<ChatRequest>

  export const codec = (): Codec<ChatRequest> => {
    if (_codec == null) {
      _codec = message<ChatRequest>((obj, w, opts = {}) => {
        if (opts.lengthDelimited !== false) {
          w.fork()
        }

        if ((obj.model != null && obj.model !== '')) {
          w.uint32(10)
          w.string(obj.model)
        }

        if (obj.messages != null && obj.messages.length > 0) {
          for (const value of obj.messages) {
            w.uint32(18)
            ChatMessage.codec().encode(value, w)
          }
        }

        if (obj.sampling != null) {
          w.uint32(26)
          Sampling.codec().encode(obj.sampling, w)
        }

        if ((obj.maxTokens != null && obj.maxTokens !== 0)) {
          w.uint32(32)
          w.uint32(obj.maxTokens)
        }

        if (obj.stop != null && obj.stop.length > 0) {
          for (const value of obj.stop) {
            w.uint32(42)
            w.string(value)
          }
        }

        if (opts.lengthDelimited !== false) {
          w.ldelim()
        }
      }, (reader, length, opts = {}) => {
        const obj: any = {
          model: '',
          messages: [],
          maxTokens: 0,
          stop: []
        }

        const end = length == null ? reader.len : reader.pos + length

        while (reader.pos < end) {
          const tag = reader.uint32()

          switch (tag >>> 3) {
            case 1: {
              obj.model = reader.string()
              break
            }
            case 2: {
              if (opts.limits?.messages != null && obj.messages.length === opts.limits.messages) {
                throw new MaxLengthError('Decode error - repeated field "messages" had too many elements')
              }

              obj.messages.push(ChatMessage.codec().decode(reader, reader.uint32(), {
                limits: opts.limits?.messages$
              }))
              break
            }
            case 3: {
              obj.sampling = Sampling.codec().decode(reader, reader.uint32(), {
                limits: opts.limits?.sampling
              })
              break
            }
            case 4: {
              obj.maxTokens = reader.uint32()
              break
            }
            case 5: {
              if (opts.limits?.stop != null && obj.stop.length === opts.limits.stop) {
                throw new MaxLengthError('Decode error - repeated field "stop" had too many elements')
              }

              obj.stop.push(reader.string())
              break
            }
            default: {
              reader.skipType(tag & 7)
              break
            }
          }
        }

        return obj
      }, function * (reader, length, prefix, opts = {}) {
        const obj = {
          messages: 0,
          stop: 0
        }

        const end = length == null ? reader.len : reader.pos + length

        while (reader.pos < end) {
          const tag = reader.uint32()

          switch (tag >>> 3) {
            case 1: {
              yield {
                field: `${prefix}.model`,
                value: reader.string()
              }
              break
            }
            case 2: {
              if (opts.limits?.messages != null && obj.messages === opts.limits.messages) {
                throw new MaxLengthError('Streaming decode error - repeated field "messages" had too many elements')
              }

              for (const evt of ChatMessage.codec().stream(reader, reader.uint32(), `${prefix}.messages[]`, {
                limits: opts.limits?.messages$
              })) {
                yield {
                  ...evt,
                  index: obj.messages
                }
              }

              obj.messages++

              break
            }
            case 3: {
              yield * Sampling.codec().stream(reader, reader.uint32(), `${prefix}.sampling`, {
                limits: opts.limits?.sampling
              })

              break
            }
            case 4: {
              yield {
                field: `${prefix}.maxTokens`,
                value: reader.uint32()
              }
              break
            }
            case 5: {
              if (opts.limits?.stop != null && obj.stop === opts.limits.stop) {
                throw new MaxLengthError('Streaming decode error - repeated field "stop" had too many elements')
              }

              yield {
                field: `${prefix}.stop[]`,
                index: obj.stop,
                value: reader.string()
              }

              obj.stop++

              break
            }
            default: {
              reader.skipType(tag & 7)
              break
            }
          }
        }
      })
    }

    return _codec
  }

  export interface ChatRequestModelFieldEvent {
    field: '$.model'
    value: string
  }

  export interface ChatRequestMessagesRoleFieldEvent {
    field: '$.messages[].role'
    value: string
    index: number
  }

  export interface ChatRequestMessagesContentFieldEvent {
    field: '$.messages[].content'
    value: string
    index: number
  }

  export interface ChatRequestMessagesNameFieldEvent {
    field: '$.messages[].name'
    value: string
    index: number
  }

  export interface ChatRequestSamplingTemperatureFieldEvent {
    field: '$.sampling.temperature'
    value: number
  }

  export interface ChatRequestSamplingTopPFieldEvent {
    field: '$.sampling.topP'
    value: number
  }

  export interface ChatRequestSamplingMinPFieldEvent {
    field: '$.sampling.minP'
    value: number
  }

  export interface ChatRequestSamplingPresencePenaltyFieldEvent {
    field: '$.sampling.presencePenalty'
    value: number
  }

  export interface ChatRequestSamplingFrequencyPenaltyFieldEvent {
    field: '$.sampling.frequencyPenalty'
    value: number
  }

  export interface ChatRequestSamplingSeedFieldEvent {
    field: '$.sampling.seed'
    value: number
  }

  export interface ChatRequestMaxTokensFieldEvent {
    field: '$.maxTokens'
    value: number
  }

  export interface ChatRequestStopFieldEvent {
    field: '$.stop[]'
    index: number
    value: string
  }

  export function encode (obj: Partial<ChatRequest>): Uint8Array<ArrayBuffer> {
    return encodeMessage(obj, ChatRequest.codec())
  }

  export function decode (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<ChatRequest>): ChatRequest {
    return decodeMessage(buf, ChatRequest.codec(), opts)
  }

  export function stream (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<ChatRequest>): Generator<ChatRequestModelFieldEvent | ChatRequestMessagesRoleFieldEvent | ChatRequestMessagesContentFieldEvent | ChatRequestMessagesNameFieldEvent | ChatRequestSamplingTemperatureFieldEvent | ChatRequestSamplingTopPFieldEvent | ChatRequestSamplingMinPFieldEvent | ChatRequestSamplingPresencePenaltyFieldEvent | ChatRequestSamplingFrequencyPenaltyFieldEvent | ChatRequestSamplingSeedFieldEvent | ChatRequestMaxTokensFieldEvent | ChatRequestStopFieldEvent> {
    return streamMessage(buf, ChatRequest.codec(), opts)
  }
}

export interface InferRequest {
  requestId: Uint8Array<ArrayBuffer>
  voucher: Uint8Array<ArrayBuffer>
  salt: Uint8Array<ArrayBuffer>
  chat?: ChatRequest
}

export namespace InferRequest {
  let _codec: Codec<InferRequest>

  export const codec = (): Codec<InferRequest> => {
    if (_codec == null) {
      _codec = message<InferRequest>((obj, w, opts = {}) => {
        if (opts.lengthDelimited !== false) {
          w.fork()
        }

        if ((obj.requestId != null && obj.requestId.byteLength > 0)) {
          w.uint32(10)
          w.bytes(obj.requestId)
        }

        if ((obj.voucher != null && obj.voucher.byteLength > 0)) {
          w.uint32(18)
          w.bytes(obj.voucher)
        }

        if ((obj.salt != null && obj.salt.byteLength > 0)) {
          w.uint32(26)
          w.bytes(obj.salt)
        }

        if (obj.chat != null) {
          w.uint32(34)
          ChatRequest.codec().encode(obj.chat, w)
        }

        if (opts.lengthDelimited !== false) {
          w.ldelim()
        }
      }, (reader, length, opts = {}) => {
        const obj: any = {
          requestId: uint8ArrayAlloc(0),
          voucher: uint8ArrayAlloc(0),
          salt: uint8ArrayAlloc(0)
        }

        const end = length == null ? reader.len : reader.pos + length

        while (reader.pos < end) {
          const tag = reader.uint32()

          switch (tag >>> 3) {
            case 1: {
              obj.requestId = reader.bytes()
              break
            }
            case 2: {
              obj.voucher = reader.bytes()
              break
            }
            case 3: {
              obj.salt = reader.bytes()
              break
            }
            case 4: {
              obj.chat = ChatRequest.codec().decode(reader, reader.uint32(), {
                limits: opts.limits?.chat
              })
              break
            }
            default: {
              reader.skipType(tag & 7)
              break
            }
          }
        }

        return obj
      }, function * (reader, length, prefix, opts = {}) {
        const end = length == null ? reader.len : reader.pos + length

        while (reader.pos < end) {
          const tag = reader.uint32()

          switch (tag >>> 3) {
            case 1: {
              yield {
                field: `${prefix}.requestId`,
                value: reader.bytes()
              }
              break
            }
            case 2: {
              yield {
                field: `${prefix}.voucher`,
                value: reader.bytes()
              }
              break
            }
            case 3: {
              yield {
                field: `${prefix}.salt`,
                value: reader.bytes()
              }
              break
            }
            case 4: {
              yield * ChatRequest.codec().stream(reader, reader.uint32(), `${prefix}.chat`, {
                limits: opts.limits?.chat
              })

              break
            }
            default: {
              reader.skipType(tag & 7)
              break
            }
          }
        }
      })
    }

    return _codec
  }

  export interface InferRequestRequestIdFieldEvent {
    field: '$.requestId'
    value: Uint8Array<ArrayBuffer>
  }

  export interface InferRequestVoucherFieldEvent {
    field: '$.voucher'
    value: Uint8Array<ArrayBuffer>
  }

  export interface InferRequestSaltFieldEvent {
    field: '$.salt'
    value: Uint8Array<ArrayBuffer>
  }

  export interface InferRequestChatModelFieldEvent {
    field: '$.chat.model'
    value: string
  }

  export interface InferRequestChatMessagesRoleFieldEvent {
    field: '$.chat.messages[].role'
    value: string
    index: number
  }

  export interface InferRequestChatMessagesContentFieldEvent {
    field: '$.chat.messages[].content'
    value: string
    index: number
  }

  export interface InferRequestChatMessagesNameFieldEvent {
    field: '$.chat.messages[].name'
    value: string
    index: number
  }

  export interface InferRequestChatSamplingTemperatureFieldEvent {
    field: '$.chat.sampling.temperature'
    value: number
  }

  export interface InferRequestChatSamplingTopPFieldEvent {
    field: '$.chat.sampling.topP'
    value: number
  }

  export interface InferRequestChatSamplingMinPFieldEvent {
    field: '$.chat.sampling.minP'
    value: number
  }

  export interface InferRequestChatSamplingPresencePenaltyFieldEvent {
    field: '$.chat.sampling.presencePenalty'
    value: number
  }

  export interface InferRequestChatSamplingFrequencyPenaltyFieldEvent {
    field: '$.chat.sampling.frequencyPenalty'
    value: number
  }

  export interface InferRequestChatSamplingSeedFieldEvent {
    field: '$.chat.sampling.seed'
    value: number
  }

  export interface InferRequestChatMaxTokensFieldEvent {
    field: '$.chat.maxTokens'
    value: number
  }

  export interface InferRequestChatStopFieldEvent {
    field: '$.chat.stop[]'
    index: number
    value: string
  }

  export function encode (obj: Partial<InferRequest>): Uint8Array<ArrayBuffer> {
    return encodeMessage(obj, InferRequest.codec())
  }

  export function decode (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<InferRequest>): InferRequest {
    return decodeMessage(buf, InferRequest.codec(), opts)
  }

  export function stream (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<InferRequest>): Generator<InferRequestRequestIdFieldEvent | InferRequestVoucherFieldEvent | InferRequestSaltFieldEvent | InferRequestChatModelFieldEvent | InferRequestChatMessagesRoleFieldEvent | InferRequestChatMessagesContentFieldEvent | InferRequestChatMessagesNameFieldEvent | InferRequestChatSamplingTemperatureFieldEvent | InferRequestChatSamplingTopPFieldEvent | InferRequestChatSamplingMinPFieldEvent | InferRequestChatSamplingPresencePenaltyFieldEvent | InferRequestChatSamplingFrequencyPenaltyFieldEvent | InferRequestChatSamplingSeedFieldEvent | InferRequestChatMaxTokensFieldEvent | InferRequestChatStopFieldEvent> {
    return streamMessage(buf, InferRequest.codec(), opts)
  }
}

export interface InferAccept {
  promptTokens: number
  cachedTokens: number
}

export namespace InferAccept {
  let _codec: Codec<InferAccept>

  export const codec = (): Codec<InferAccept> => {
    if (_codec == null) {
      _codec = message<InferAccept>((obj, w, opts = {}) => {
        if (opts.lengthDelimited !== false) {
          w.fork()
        }

        if ((obj.promptTokens != null && obj.promptTokens !== 0)) {
          w.uint32(8)
          w.uint32(obj.promptTokens)
        }

        if ((obj.cachedTokens != null && obj.cachedTokens !== 0)) {
          w.uint32(16)
          w.uint32(obj.cachedTokens)
        }

        if (opts.lengthDelimited !== false) {
          w.ldelim()
        }
      }, (reader, length, opts = {}) => {
        const obj: any = {
          promptTokens: 0,
          cachedTokens: 0
        }

        const end = length == null ? reader.len : reader.pos + length

        while (reader.pos < end) {
          const tag = reader.uint32()

          switch (tag >>> 3) {
            case 1: {
              obj.promptTokens = reader.uint32()
              break
            }
            case 2: {
              obj.cachedTokens = reader.uint32()
              break
            }
            default: {
              reader.skipType(tag & 7)
              break
            }
          }
        }

        return obj
      }, function * (reader, length, prefix, opts = {}) {
        const end = length == null ? reader.len : reader.pos + length

        while (reader.pos < end) {
          const tag = reader.uint32()

          switch (tag >>> 3) {
            case 1: {
              yield {
                field: `${prefix}.promptTokens`,
                value: reader.uint32()
              }
              break
            }
            case 2: {
              yield {
                field: `${prefix}.cachedTokens`,
                value: reader.uint32()
              }
              break
            }
            default: {
              reader.skipType(tag & 7)
              break
            }
          }
        }
      })
    }

    return _codec
  }

  export interface InferAcceptPromptTokensFieldEvent {
    field: '$.promptTokens'
    value: number
  }

  export interface InferAcceptCachedTokensFieldEvent {
    field: '$.cachedTokens'
    value: number
  }

  export function encode (obj: Partial<InferAccept>): Uint8Array<ArrayBuffer> {
    return encodeMessage(obj, InferAccept.codec())
  }

  export function decode (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<InferAccept>): InferAccept {
    return decodeMessage(buf, InferAccept.codec(), opts)
  }

  export function stream (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<InferAccept>): Generator<InferAcceptPromptTokensFieldEvent | InferAcceptCachedTokensFieldEvent> {
    return streamMessage(buf, InferAccept.codec(), opts)
  }
}

export interface InferTokens {
  sequence: number
  ids: number[]
  text: string
}

export namespace InferTokens {
  let _codec: Codec<InferTokens>

  export const codec = (): Codec<InferTokens> => {
    if (_codec == null) {
      _codec = message<InferTokens>((obj, w, opts = {}) => {
        if (opts.lengthDelimited !== false) {
          w.fork()
        }

        if ((obj.sequence != null && obj.sequence !== 0)) {
          w.uint32(8)
          w.uint32(obj.sequence)
        }

        if (obj.ids != null && obj.ids.length > 0) {
          for (const value of obj.ids) {
            w.uint32(16)
            w.uint32(value)
          }
        }

        if ((obj.text != null && obj.text !== '')) {
          w.uint32(26)
          w.string(obj.text)
        }

        if (opts.lengthDelimited !== false) {
          w.ldelim()
        }
      }, (reader, length, opts = {}) => {
        const obj: any = {
          sequence: 0,
          ids: [],
          text: ''
        }

        const end = length == null ? reader.len : reader.pos + length

        while (reader.pos < end) {
          const tag = reader.uint32()

          switch (tag >>> 3) {
            case 1: {
              obj.sequence = reader.uint32()
              break
            }
            case 2: {
              if (opts.limits?.ids != null && obj.ids.length === opts.limits.ids) {
                throw new MaxLengthError('Decode error - repeated field "ids" had too many elements')
              }

              obj.ids.push(reader.uint32())
              break
            }
            case 3: {
              obj.text = reader.string()
              break
            }
            default: {
              reader.skipType(tag & 7)
              break
            }
          }
        }

        return obj
      }, function * (reader, length, prefix, opts = {}) {
        const obj = {
          ids: 0
        }

        const end = length == null ? reader.len : reader.pos + length

        while (reader.pos < end) {
          const tag = reader.uint32()

          switch (tag >>> 3) {
            case 1: {
              yield {
                field: `${prefix}.sequence`,
                value: reader.uint32()
              }
              break
            }
            case 2: {
              if (opts.limits?.ids != null && obj.ids === opts.limits.ids) {
                throw new MaxLengthError('Streaming decode error - repeated field "ids" had too many elements')
              }

              yield {
                field: `${prefix}.ids[]`,
                index: obj.ids,
                value: reader.uint32()
              }

              obj.ids++

              break
            }
            case 3: {
              yield {
                field: `${prefix}.text`,
                value: reader.string()
              }
              break
            }
            default: {
              reader.skipType(tag & 7)
              break
            }
          }
        }
      })
    }

    return _codec
  }

  export interface InferTokensSequenceFieldEvent {
    field: '$.sequence'
    value: number
  }

  export interface InferTokensIdsFieldEvent {
    field: '$.ids[]'
    index: number
    value: number
  }

  export interface InferTokensTextFieldEvent {
    field: '$.text'
    value: string
  }

  export function encode (obj: Partial<InferTokens>): Uint8Array<ArrayBuffer> {
    return encodeMessage(obj, InferTokens.codec())
  }

  export function decode (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<InferTokens>): InferTokens {
    return decodeMessage(buf, InferTokens.codec(), opts)
  }

  export function stream (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<InferTokens>): Generator<InferTokensSequenceFieldEvent | InferTokensIdsFieldEvent | InferTokensTextFieldEvent> {
    return streamMessage(buf, InferTokens.codec(), opts)
  }
}

export interface InferEvent {
  accept?: InferAccept
  tokens?: InferTokens
}

export namespace InferEvent {
  let _codec: Codec<InferEvent>

  export const codec = (): Codec<InferEvent> => {
    if (_codec == null) {
      _codec = message<InferEvent>((obj, w, opts = {}) => {
        if (opts.lengthDelimited !== false) {
          w.fork()
        }

        if (obj.accept != null) {
          w.uint32(10)
          InferAccept.codec().encode(obj.accept, w)
        }

        if (obj.tokens != null) {
          w.uint32(18)
          InferTokens.codec().encode(obj.tokens, w)
        }

        if (opts.lengthDelimited !== false) {
          w.ldelim()
        }
      }, (reader, length, opts = {}) => {
        const obj: any = {}

        const end = length == null ? reader.len : reader.pos + length

        while (reader.pos < end) {
          const tag = reader.uint32()

          switch (tag >>> 3) {
            case 1: {
              obj.accept = InferAccept.codec().decode(reader, reader.uint32(), {
                limits: opts.limits?.accept
              })
              break
            }
            case 2: {
              obj.tokens = InferTokens.codec().decode(reader, reader.uint32(), {
                limits: opts.limits?.tokens
              })
              break
            }
            default: {
              reader.skipType(tag & 7)
              break
            }
          }
        }

        return obj
      }, function * (reader, length, prefix, opts = {}) {
        const end = length == null ? reader.len : reader.pos + length

        while (reader.pos < end) {
          const tag = reader.uint32()

          switch (tag >>> 3) {
            case 1: {
              yield * InferAccept.codec().stream(reader, reader.uint32(), `${prefix}.accept`, {
                limits: opts.limits?.accept
              })

              break
            }
            case 2: {
              yield * InferTokens.codec().stream(reader, reader.uint32(), `${prefix}.tokens`, {
                limits: opts.limits?.tokens
              })

              break
            }
            default: {
              reader.skipType(tag & 7)
              break
            }
          }
        }
      })
    }

    return _codec
  }

  export interface InferEventAcceptPromptTokensFieldEvent {
    field: '$.accept.promptTokens'
    value: number
  }

  export interface InferEventAcceptCachedTokensFieldEvent {
    field: '$.accept.cachedTokens'
    value: number
  }

  export interface InferEventTokensSequenceFieldEvent {
    field: '$.tokens.sequence'
    value: number
  }

  export interface InferEventTokensIdsFieldEvent {
    field: '$.tokens.ids[]'
    index: number
    value: number
  }

  export interface InferEventTokensTextFieldEvent {
    field: '$.tokens.text'
    value: string
  }

  export function encode (obj: Partial<InferEvent>): Uint8Array<ArrayBuffer> {
    return encodeMessage(obj, InferEvent.codec())
  }

  export function decode (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<InferEvent>): InferEvent {
    return decodeMessage(buf, InferEvent.codec(), opts)
  }

  export function stream (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<InferEvent>): Generator<InferEventAcceptPromptTokensFieldEvent | InferEventAcceptCachedTokensFieldEvent | InferEventTokensSequenceFieldEvent | InferEventTokensIdsFieldEvent | InferEventTokensTextFieldEvent> {
    return streamMessage(buf, InferEvent.codec(), opts)
  }
}

export interface InferTerminal {
  finishReason: string
  promptTokens: number
  cachedTokens: number
  completionTokens: number
  receipt: Uint8Array<ArrayBuffer>
}

export namespace InferTerminal {
  let _codec: Codec<InferTerminal>

  export const codec = (): Codec<InferTerminal> => {
    if (_codec == null) {
      _codec = message<InferTerminal>((obj, w, opts = {}) => {
        if (opts.lengthDelimited !== false) {
          w.fork()
        }

        if ((obj.finishReason != null && obj.finishReason !== '')) {
          w.uint32(10)
          w.string(obj.finishReason)
        }

        if ((obj.promptTokens != null && obj.promptTokens !== 0)) {
          w.uint32(16)
          w.uint32(obj.promptTokens)
        }

        if ((obj.cachedTokens != null && obj.cachedTokens !== 0)) {
          w.uint32(24)
          w.uint32(obj.cachedTokens)
        }

        if ((obj.completionTokens != null && obj.completionTokens !== 0)) {
          w.uint32(32)
          w.uint32(obj.completionTokens)
        }

        if ((obj.receipt != null && obj.receipt.byteLength > 0)) {
          w.uint32(42)
          w.bytes(obj.receipt)
        }

        if (opts.lengthDelimited !== false) {
          w.ldelim()
        }
      }, (reader, length, opts = {}) => {
        const obj: any = {
          finishReason: '',
          promptTokens: 0,
          cachedTokens: 0,
          completionTokens: 0,
          receipt: uint8ArrayAlloc(0)
        }

        const end = length == null ? reader.len : reader.pos + length

        while (reader.pos < end) {
          const tag = reader.uint32()

          switch (tag >>> 3) {
            case 1: {
              obj.finishReason = reader.string()
              break
            }
            case 2: {
              obj.promptTokens = reader.uint32()
              break
            }
            case 3: {
              obj.cachedTokens = reader.uint32()
              break
            }
            case 4: {
              obj.completionTokens = reader.uint32()
              break
            }
            case 5: {
              obj.receipt = reader.bytes()
              break
            }
            default: {
              reader.skipType(tag & 7)
              break
            }
          }
        }

        return obj
      }, function * (reader, length, prefix, opts = {}) {
        const end = length == null ? reader.len : reader.pos + length

        while (reader.pos < end) {
          const tag = reader.uint32()

          switch (tag >>> 3) {
            case 1: {
              yield {
                field: `${prefix}.finishReason`,
                value: reader.string()
              }
              break
            }
            case 2: {
              yield {
                field: `${prefix}.promptTokens`,
                value: reader.uint32()
              }
              break
            }
            case 3: {
              yield {
                field: `${prefix}.cachedTokens`,
                value: reader.uint32()
              }
              break
            }
            case 4: {
              yield {
                field: `${prefix}.completionTokens`,
                value: reader.uint32()
              }
              break
            }
            case 5: {
              yield {
                field: `${prefix}.receipt`,
                value: reader.bytes()
              }
              break
            }
            default: {
              reader.skipType(tag & 7)
              break
            }
          }
        }
      })
    }

    return _codec
  }

  export interface InferTerminalFinishReasonFieldEvent {
    field: '$.finishReason'
    value: string
  }

  export interface InferTerminalPromptTokensFieldEvent {
    field: '$.promptTokens'
    value: number
  }

  export interface InferTerminalCachedTokensFieldEvent {
    field: '$.cachedTokens'
    value: number
  }

  export interface InferTerminalCompletionTokensFieldEvent {
    field: '$.completionTokens'
    value: number
  }

  export interface InferTerminalReceiptFieldEvent {
    field: '$.receipt'
    value: Uint8Array<ArrayBuffer>
  }

  export function encode (obj: Partial<InferTerminal>): Uint8Array<ArrayBuffer> {
    return encodeMessage(obj, InferTerminal.codec())
  }

  export function decode (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<InferTerminal>): InferTerminal {
    return decodeMessage(buf, InferTerminal.codec(), opts)
  }

  export function stream (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<InferTerminal>): Generator<InferTerminalFinishReasonFieldEvent | InferTerminalPromptTokensFieldEvent | InferTerminalCachedTokensFieldEvent | InferTerminalCompletionTokensFieldEvent | InferTerminalReceiptFieldEvent> {
    return streamMessage(buf, InferTerminal.codec(), opts)
  }
}

export interface Voucher {
  holdId: string
  requestId: Uint8Array<ArrayBuffer>
  gateway: string
  model: string
  priceVersion: number
  ceilingNanoUsd: string
  promptTokensMax: number
  maxTokens: number
  expiresAtMs: number
}

export namespace Voucher {
  let _codec: Codec<Voucher>

  export const codec = (): Codec<Voucher> => {
    if (_codec == null) {
      _codec = message<Voucher>((obj, w, opts = {}) => {
        if (opts.lengthDelimited !== false) {
          w.fork()
        }

        if ((obj.holdId != null && obj.holdId !== '')) {
          w.uint32(10)
          w.string(obj.holdId)
        }

        if ((obj.requestId != null && obj.requestId.byteLength > 0)) {
          w.uint32(18)
          w.bytes(obj.requestId)
        }

        if ((obj.gateway != null && obj.gateway !== '')) {
          w.uint32(26)
          w.string(obj.gateway)
        }

        if ((obj.model != null && obj.model !== '')) {
          w.uint32(34)
          w.string(obj.model)
        }

        if ((obj.priceVersion != null && obj.priceVersion !== 0)) {
          w.uint32(40)
          w.uint32(obj.priceVersion)
        }

        if ((obj.ceilingNanoUsd != null && obj.ceilingNanoUsd !== '')) {
          w.uint32(50)
          w.string(obj.ceilingNanoUsd)
        }

        if ((obj.promptTokensMax != null && obj.promptTokensMax !== 0)) {
          w.uint32(56)
          w.uint32(obj.promptTokensMax)
        }

        if ((obj.maxTokens != null && obj.maxTokens !== 0)) {
          w.uint32(64)
          w.uint32(obj.maxTokens)
        }

        if ((obj.expiresAtMs != null && obj.expiresAtMs !== 0)) {
          w.uint32(72)
          w.uint64Number(obj.expiresAtMs)
        }

        if (opts.lengthDelimited !== false) {
          w.ldelim()
        }
      }, (reader, length, opts = {}) => {
        const obj: any = {
          holdId: '',
          requestId: uint8ArrayAlloc(0),
          gateway: '',
          model: '',
          priceVersion: 0,
          ceilingNanoUsd: '',
          promptTokensMax: 0,
          maxTokens: 0,
          expiresAtMs: 0
        }

        const end = length == null ? reader.len : reader.pos + length

        while (reader.pos < end) {
          const tag = reader.uint32()

          switch (tag >>> 3) {
            case 1: {
              obj.holdId = reader.string()
              break
            }
            case 2: {
              obj.requestId = reader.bytes()
              break
            }
            case 3: {
              obj.gateway = reader.string()
              break
            }
            case 4: {
              obj.model = reader.string()
              break
            }
            case 5: {
              obj.priceVersion = reader.uint32()
              break
            }
            case 6: {
              obj.ceilingNanoUsd = reader.string()
              break
            }
            case 7: {
              obj.promptTokensMax = reader.uint32()
              break
            }
            case 8: {
              obj.maxTokens = reader.uint32()
              break
            }
            case 9: {
              obj.expiresAtMs = reader.uint64Number()
              break
            }
            default: {
              reader.skipType(tag & 7)
              break
            }
          }
        }

        return obj
      }, function * (reader, length, prefix, opts = {}) {
        const end = length == null ? reader.len : reader.pos + length

        while (reader.pos < end) {
          const tag = reader.uint32()

          switch (tag >>> 3) {
            case 1: {
              yield {
                field: `${prefix}.holdId`,
                value: reader.string()
              }
              break
            }
            case 2: {
              yield {
                field: `${prefix}.requestId`,
                value: reader.bytes()
              }
              break
            }
            case 3: {
              yield {
                field: `${prefix}.gateway`,
                value: reader.string()
              }
              break
            }
            case 4: {
              yield {
                field: `${prefix}.model`,
                value: reader.string()
              }
              break
            }
            case 5: {
              yield {
                field: `${prefix}.priceVersion`,
                value: reader.uint32()
              }
              break
            }
            case 6: {
              yield {
                field: `${prefix}.ceilingNanoUsd`,
                value: reader.string()
              }
              break
            }
            case 7: {
              yield {
                field: `${prefix}.promptTokensMax`,
                value: reader.uint32()
              }
              break
            }
            case 8: {
              yield {
                field: `${prefix}.maxTokens`,
                value: reader.uint32()
              }
              break
            }
            case 9: {
              yield {
                field: `${prefix}.expiresAtMs`,
                value: reader.uint64Number()
              }
              break
            }
            default: {
              reader.skipType(tag & 7)
              break
            }
          }
        }
      })
    }

    return _codec
  }

  export interface VoucherHoldIdFieldEvent {
    field: '$.holdId'
    value: string
  }

  export interface VoucherRequestIdFieldEvent {
    field: '$.requestId'
    value: Uint8Array<ArrayBuffer>
  }

  export interface VoucherGatewayFieldEvent {
    field: '$.gateway'
    value: string
  }

  export interface VoucherModelFieldEvent {
    field: '$.model'
    value: string
  }

  export interface VoucherPriceVersionFieldEvent {
    field: '$.priceVersion'
    value: number
  }

  export interface VoucherCeilingNanoUsdFieldEvent {
    field: '$.ceilingNanoUsd'
    value: string
  }

  export interface VoucherPromptTokensMaxFieldEvent {
    field: '$.promptTokensMax'
    value: number
  }

  export interface VoucherMaxTokensFieldEvent {
    field: '$.maxTokens'
    value: number
  }

  export interface VoucherExpiresAtMsFieldEvent {
    field: '$.expiresAtMs'
    value: number
  }

  export function encode (obj: Partial<Voucher>): Uint8Array<ArrayBuffer> {
    return encodeMessage(obj, Voucher.codec())
  }

  export function decode (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<Voucher>): Voucher {
    return decodeMessage(buf, Voucher.codec(), opts)
  }

  export function stream (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<Voucher>): Generator<VoucherHoldIdFieldEvent | VoucherRequestIdFieldEvent | VoucherGatewayFieldEvent | VoucherModelFieldEvent | VoucherPriceVersionFieldEvent | VoucherCeilingNanoUsdFieldEvent | VoucherPromptTokensMaxFieldEvent | VoucherMaxTokensFieldEvent | VoucherExpiresAtMsFieldEvent> {
    return streamMessage(buf, Voucher.codec(), opts)
  }
}

export interface Receipt {
  holdId: string
  requestId: Uint8Array<ArrayBuffer>
  requestHash: Uint8Array<ArrayBuffer>
  model: string
  modelSha256: Uint8Array<ArrayBuffer>
  provider: string
  gateway: string
  tokenStart: number
  tokenEnd: number
  promptTokens: number
  cachedTokens: number
  completionTokens: number
  finishReason: string
  queueMs: number
  prefillMs: number
  decodeMs: number
  priceVersion: number
  issuedAtMs: number
}

export namespace Receipt {
  let _codec: Codec<Receipt>

  export const codec = (): Codec<Receipt> => {
    if (_codec == null) {
      _codec = message<Receipt>((obj, w, opts = {}) => {
        if (opts.lengthDelimited !== false) {
          w.fork()
        }

        if ((obj.holdId != null && obj.holdId !== '')) {
          w.uint32(10)
          w.string(obj.holdId)
        }

        if ((obj.requestId != null && obj.requestId.byteLength > 0)) {
          w.uint32(18)
          w.bytes(obj.requestId)
        }

        if ((obj.requestHash != null && obj.requestHash.byteLength > 0)) {
          w.uint32(26)
          w.bytes(obj.requestHash)
        }

        if ((obj.model != null && obj.model !== '')) {
          w.uint32(34)
          w.string(obj.model)
        }

        if ((obj.modelSha256 != null && obj.modelSha256.byteLength > 0)) {
          w.uint32(42)
          w.bytes(obj.modelSha256)
        }

        if ((obj.provider != null && obj.provider !== '')) {
          w.uint32(50)
          w.string(obj.provider)
        }

        if ((obj.gateway != null && obj.gateway !== '')) {
          w.uint32(58)
          w.string(obj.gateway)
        }

        if ((obj.tokenStart != null && obj.tokenStart !== 0)) {
          w.uint32(64)
          w.uint32(obj.tokenStart)
        }

        if ((obj.tokenEnd != null && obj.tokenEnd !== 0)) {
          w.uint32(72)
          w.uint32(obj.tokenEnd)
        }

        if ((obj.promptTokens != null && obj.promptTokens !== 0)) {
          w.uint32(80)
          w.uint32(obj.promptTokens)
        }

        if ((obj.cachedTokens != null && obj.cachedTokens !== 0)) {
          w.uint32(88)
          w.uint32(obj.cachedTokens)
        }

        if ((obj.completionTokens != null && obj.completionTokens !== 0)) {
          w.uint32(96)
          w.uint32(obj.completionTokens)
        }

        if ((obj.finishReason != null && obj.finishReason !== '')) {
          w.uint32(106)
          w.string(obj.finishReason)
        }

        if ((obj.queueMs != null && obj.queueMs !== 0)) {
          w.uint32(112)
          w.uint32(obj.queueMs)
        }

        if ((obj.prefillMs != null && obj.prefillMs !== 0)) {
          w.uint32(120)
          w.uint32(obj.prefillMs)
        }

        if ((obj.decodeMs != null && obj.decodeMs !== 0)) {
          w.uint32(128)
          w.uint32(obj.decodeMs)
        }

        if ((obj.priceVersion != null && obj.priceVersion !== 0)) {
          w.uint32(136)
          w.uint32(obj.priceVersion)
        }

        if ((obj.issuedAtMs != null && obj.issuedAtMs !== 0)) {
          w.uint32(144)
          w.uint64Number(obj.issuedAtMs)
        }

        if (opts.lengthDelimited !== false) {
          w.ldelim()
        }
      }, (reader, length, opts = {}) => {
        const obj: any = {
          holdId: '',
          requestId: uint8ArrayAlloc(0),
          requestHash: uint8ArrayAlloc(0),
          model: '',
          modelSha256: uint8ArrayAlloc(0),
          provider: '',
          gateway: '',
          tokenStart: 0,
          tokenEnd: 0,
          promptTokens: 0,
          cachedTokens: 0,
          completionTokens: 0,
          finishReason: '',
          queueMs: 0,
          prefillMs: 0,
          decodeMs: 0,
          priceVersion: 0,
          issuedAtMs: 0
        }

        const end = length == null ? reader.len : reader.pos + length

        while (reader.pos < end) {
          const tag = reader.uint32()

          switch (tag >>> 3) {
            case 1: {
              obj.holdId = reader.string()
              break
            }
            case 2: {
              obj.requestId = reader.bytes()
              break
            }
            case 3: {
              obj.requestHash = reader.bytes()
              break
            }
            case 4: {
              obj.model = reader.string()
              break
            }
            case 5: {
              obj.modelSha256 = reader.bytes()
              break
            }
            case 6: {
              obj.provider = reader.string()
              break
            }
            case 7: {
              obj.gateway = reader.string()
              break
            }
            case 8: {
              obj.tokenStart = reader.uint32()
              break
            }
            case 9: {
              obj.tokenEnd = reader.uint32()
              break
            }
            case 10: {
              obj.promptTokens = reader.uint32()
              break
            }
            case 11: {
              obj.cachedTokens = reader.uint32()
              break
            }
            case 12: {
              obj.completionTokens = reader.uint32()
              break
            }
            case 13: {
              obj.finishReason = reader.string()
              break
            }
            case 14: {
              obj.queueMs = reader.uint32()
              break
            }
            case 15: {
              obj.prefillMs = reader.uint32()
              break
            }
            case 16: {
              obj.decodeMs = reader.uint32()
              break
            }
            case 17: {
              obj.priceVersion = reader.uint32()
              break
            }
            case 18: {
              obj.issuedAtMs = reader.uint64Number()
              break
            }
            default: {
              reader.skipType(tag & 7)
              break
            }
          }
        }

        return obj
      }, function * (reader, length, prefix, opts = {}) {
        const end = length == null ? reader.len : reader.pos + length

        while (reader.pos < end) {
          const tag = reader.uint32()

          switch (tag >>> 3) {
            case 1: {
              yield {
                field: `${prefix}.holdId`,
                value: reader.string()
              }
              break
            }
            case 2: {
              yield {
                field: `${prefix}.requestId`,
                value: reader.bytes()
              }
              break
            }
            case 3: {
              yield {
                field: `${prefix}.requestHash`,
                value: reader.bytes()
              }
              break
            }
            case 4: {
              yield {
                field: `${prefix}.model`,
                value: reader.string()
              }
              break
            }
            case 5: {
              yield {
                field: `${prefix}.modelSha256`,
                value: reader.bytes()
              }
              break
            }
            case 6: {
              yield {
                field: `${prefix}.provider`,
                value: reader.string()
              }
              break
            }
            case 7: {
              yield {
                field: `${prefix}.gateway`,
                value: reader.string()
              }
              break
            }
            case 8: {
              yield {
                field: `${prefix}.tokenStart`,
                value: reader.uint32()
              }
              break
            }
            case 9: {
              yield {
                field: `${prefix}.tokenEnd`,
                value: reader.uint32()
              }
              break
            }
            case 10: {
              yield {
                field: `${prefix}.promptTokens`,
                value: reader.uint32()
              }
              break
            }
            case 11: {
              yield {
                field: `${prefix}.cachedTokens`,
                value: reader.uint32()
              }
              break
            }
            case 12: {
              yield {
                field: `${prefix}.completionTokens`,
                value: reader.uint32()
              }
              break
            }
            case 13: {
              yield {
                field: `${prefix}.finishReason`,
                value: reader.string()
              }
              break
            }
            case 14: {
              yield {
                field: `${prefix}.queueMs`,
                value: reader.uint32()
              }
              break
            }
            case 15: {
              yield {
                field: `${prefix}.prefillMs`,
                value: reader.uint32()
              }
              break
            }
            case 16: {
              yield {
                field: `${prefix}.decodeMs`,
                value: reader.uint32()
              }
              break
            }
            case 17: {
              yield {
                field: `${prefix}.priceVersion`,
                value: reader.uint32()
              }
              break
            }
            case 18: {
              yield {
                field: `${prefix}.issuedAtMs`,
                value: reader.uint64Number()
              }
              break
            }
            default: {
              reader.skipType(tag & 7)
              break
            }
          }
        }
      })
    }

    return _codec
  }

  export interface ReceiptHoldIdFieldEvent {
    field: '$.holdId'
    value: string
  }

  export interface ReceiptRequestIdFieldEvent {
    field: '$.requestId'
    value: Uint8Array<ArrayBuffer>
  }

  export interface ReceiptRequestHashFieldEvent {
    field: '$.requestHash'
    value: Uint8Array<ArrayBuffer>
  }

  export interface ReceiptModelFieldEvent {
    field: '$.model'
    value: string
  }

  export interface ReceiptModelSha256FieldEvent {
    field: '$.modelSha256'
    value: Uint8Array<ArrayBuffer>
  }

  export interface ReceiptProviderFieldEvent {
    field: '$.provider'
    value: string
  }

  export interface ReceiptGatewayFieldEvent {
    field: '$.gateway'
    value: string
  }

  export interface ReceiptTokenStartFieldEvent {
    field: '$.tokenStart'
    value: number
  }

  export interface ReceiptTokenEndFieldEvent {
    field: '$.tokenEnd'
    value: number
  }

  export interface ReceiptPromptTokensFieldEvent {
    field: '$.promptTokens'
    value: number
  }

  export interface ReceiptCachedTokensFieldEvent {
    field: '$.cachedTokens'
    value: number
  }

  export interface ReceiptCompletionTokensFieldEvent {
    field: '$.completionTokens'
    value: number
  }

  export interface ReceiptFinishReasonFieldEvent {
    field: '$.finishReason'
    value: string
  }

  export interface ReceiptQueueMsFieldEvent {
    field: '$.queueMs'
    value: number
  }

  export interface ReceiptPrefillMsFieldEvent {
    field: '$.prefillMs'
    value: number
  }

  export interface ReceiptDecodeMsFieldEvent {
    field: '$.decodeMs'
    value: number
  }

  export interface ReceiptPriceVersionFieldEvent {
    field: '$.priceVersion'
    value: number
  }

  export interface ReceiptIssuedAtMsFieldEvent {
    field: '$.issuedAtMs'
    value: number
  }

  export function encode (obj: Partial<Receipt>): Uint8Array<ArrayBuffer> {
    return encodeMessage(obj, Receipt.codec())
  }

  export function decode (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<Receipt>): Receipt {
    return decodeMessage(buf, Receipt.codec(), opts)
  }

  export function stream (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<Receipt>): Generator<ReceiptHoldIdFieldEvent | ReceiptRequestIdFieldEvent | ReceiptRequestHashFieldEvent | ReceiptModelFieldEvent | ReceiptModelSha256FieldEvent | ReceiptProviderFieldEvent | ReceiptGatewayFieldEvent | ReceiptTokenStartFieldEvent | ReceiptTokenEndFieldEvent | ReceiptPromptTokensFieldEvent | ReceiptCachedTokensFieldEvent | ReceiptCompletionTokensFieldEvent | ReceiptFinishReasonFieldEvent | ReceiptQueueMsFieldEvent | ReceiptPrefillMsFieldEvent | ReceiptDecodeMsFieldEvent | ReceiptPriceVersionFieldEvent | ReceiptIssuedAtMsFieldEvent> {
    return streamMessage(buf, Receipt.codec(), opts)
  }
}

export interface CountersignedReceipt {
  receipt: Uint8Array<ArrayBuffer>
  gatewaySignature: Uint8Array<ArrayBuffer>
}

export namespace CountersignedReceipt {
  let _codec: Codec<CountersignedReceipt>

  export const codec = (): Codec<CountersignedReceipt> => {
    if (_codec == null) {
      _codec = message<CountersignedReceipt>((obj, w, opts = {}) => {
        if (opts.lengthDelimited !== false) {
          w.fork()
        }

        if ((obj.receipt != null && obj.receipt.byteLength > 0)) {
          w.uint32(10)
          w.bytes(obj.receipt)
        }

        if ((obj.gatewaySignature != null && obj.gatewaySignature.byteLength > 0)) {
          w.uint32(18)
          w.bytes(obj.gatewaySignature)
        }

        if (opts.lengthDelimited !== false) {
          w.ldelim()
        }
      }, (reader, length, opts = {}) => {
        const obj: any = {
          receipt: uint8ArrayAlloc(0),
          gatewaySignature: uint8ArrayAlloc(0)
        }

        const end = length == null ? reader.len : reader.pos + length

        while (reader.pos < end) {
          const tag = reader.uint32()

          switch (tag >>> 3) {
            case 1: {
              obj.receipt = reader.bytes()
              break
            }
            case 2: {
              obj.gatewaySignature = reader.bytes()
              break
            }
            default: {
              reader.skipType(tag & 7)
              break
            }
          }
        }

        return obj
      }, function * (reader, length, prefix, opts = {}) {
        const end = length == null ? reader.len : reader.pos + length

        while (reader.pos < end) {
          const tag = reader.uint32()

          switch (tag >>> 3) {
            case 1: {
              yield {
                field: `${prefix}.receipt`,
                value: reader.bytes()
              }
              break
            }
            case 2: {
              yield {
                field: `${prefix}.gatewaySignature`,
                value: reader.bytes()
              }
              break
            }
            default: {
              reader.skipType(tag & 7)
              break
            }
          }
        }
      })
    }

    return _codec
  }

  export interface CountersignedReceiptReceiptFieldEvent {
    field: '$.receipt'
    value: Uint8Array<ArrayBuffer>
  }

  export interface CountersignedReceiptGatewaySignatureFieldEvent {
    field: '$.gatewaySignature'
    value: Uint8Array<ArrayBuffer>
  }

  export function encode (obj: Partial<CountersignedReceipt>): Uint8Array<ArrayBuffer> {
    return encodeMessage(obj, CountersignedReceipt.codec())
  }

  export function decode (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<CountersignedReceipt>): CountersignedReceipt {
    return decodeMessage(buf, CountersignedReceipt.codec(), opts)
  }

  export function stream (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<CountersignedReceipt>): Generator<CountersignedReceiptReceiptFieldEvent | CountersignedReceiptGatewaySignatureFieldEvent> {
    return streamMessage(buf, CountersignedReceipt.codec(), opts)
  }
}
