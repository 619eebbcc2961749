import { decodeMessage, encodeMessage, MaxLengthError, message, streamMessage } from 'protons-runtime'
import { alloc as uint8ArrayAlloc } from 'uint8arrays/alloc'
import type { Codec, DecodeOptions } from 'protons-runtime'
import type { Uint8ArrayList } from 'uint8arraylist'

export interface EnrolRequest {
  token: string
}

export namespace EnrolRequest {
  let _codec: Codec<EnrolRequest>

  export const codec = (): Codec<EnrolRequest> => {
    if (_codec == null) {
      _codec = message<EnrolRequest>((obj, w, opts = {}) => {
        if (opts.lengthDelimited !== false) {
          w.fork()
        }

        if ((obj.token != null && obj.token !== '')) {
          w.uint32(10)
          w.string(obj.token)
        }

        if (opts.lengthDelimited !== false) {
          w.ldelim()
        }
      }, (reader, length, opts = {}) => {
        const obj: any = {
          token: ''
        }

        const end = length == null ? reader.len : reader.pos + length

        while (reader.pos < end) {
          const tag = reader.uint32()

          switch (tag >>> 3) {
            case 1: {
              obj.token = reader.string()
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
                field: `${prefix}.token`,
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

  export interface EnrolRequestTokenFieldEvent {
    field: '$.token'
    value: string
  }

  export function encode (obj: Partial<EnrolRequest>): Uint8Array<ArrayBuffer> {
    return encodeMessage(obj, EnrolRequest.codec())
  }

  export function decode (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<EnrolRequest>): EnrolRequest {
    return decodeMessage(buf, EnrolRequest.codec(), opts)
  }

  export function stream (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<EnrolRequest>): Generator<EnrolRequestTokenFieldEvent> {
    return streamMessage(buf, EnrolRequest.codec(), opts)
  }
}

export interface CertificateResponse {
  certificate: Uint8Array<ArrayBuffer>
}

export namespace CertificateResponse {
  let _codec: Codec<CertificateResponse>

  export const codec = (): Codec<CertificateResponse> => {
    if (_codec == null) {
      _codec = message<CertificateResponse>((obj, w, opts = {}) => {
        if (opts.lengthDelimited !== false) {
          w.fork()
        }

        if ((obj.certificate != null && obj.certificate.byteLength > 0)) {
          w.uint32(10)
          w.bytes(obj.certificate)
        }

        if (opts.lengthDelimited !== false) {
          w.ldelim()
        }
      }, (reader, length, opts = {}) => {
        const obj: any = {
          certificate: uint8ArrayAlloc(0)
        }

        const end = length == null ? reader.len : reader.pos + length

        while (reader.pos < end) {
          const tag = reader.uint32()

          switch (tag >>> 3) {
            case 1: {
              obj.certificate = reader.bytes()
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
                field: `${prefix}.certificate`,
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

  export interface CertificateResponseCertificateFieldEvent {
    field: '$.certificate'
    value: Uint8Array<ArrayBuffer>
  }

  export function encode (obj: Partial<CertificateResponse>): Uint8Array<ArrayBuffer> {
    return encodeMessage(obj, CertificateResponse.codec())
  }

  export function decode (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<CertificateResponse>): CertificateResponse {
    return decodeMessage(buf, CertificateResponse.codec(), opts)
  }

  export function stream (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<CertificateResponse>): Generator<CertificateResponseCertificateFieldEvent> {
    return streamMessage(buf, CertificateResponse.codec(), opts)
  }
}

export interface AuthoriseRequest {
  keyHash: Uint8Array<ArrayBuffer>
  requestId: Uint8Array<ArrayBuffer>
  model: string
  promptTokensMax: number
  maxTokens: number
}

export namespace AuthoriseRequest {
  let _codec: Codec<AuthoriseRequest>

  export const codec = (): Codec<AuthoriseRequest> => {
    if (_codec == null) {
      _codec = message<AuthoriseRequest>((obj, w, opts = {}) => {
        if (opts.lengthDelimited !== false) {
          w.fork()
        }

        if ((obj.keyHash != null && obj.keyHash.byteLength > 0)) {
          w.uint32(10)
          w.bytes(obj.keyHash)
        }

        if ((obj.requestId != null && obj.requestId.byteLength > 0)) {
          w.uint32(18)
          w.bytes(obj.requestId)
        }

        if ((obj.model != null && obj.model !== '')) {
          w.uint32(26)
          w.string(obj.model)
        }

        if ((obj.promptTokensMax != null && obj.promptTokensMax !== 0)) {
          w.uint32(32)
          w.uint32(obj.promptTokensMax)
        }

        if ((obj.maxTokens != null && obj.maxTokens !== 0)) {
          w.uint32(40)
          w.uint32(obj.maxTokens)
        }

        if (opts.lengthDelimited !== false) {
          w.ldelim()
        }
      }, (reader, length, opts = {}) => {
        const obj: any = {
          keyHash: uint8ArrayAlloc(0),
          requestId: uint8ArrayAlloc(0),
          model: '',
          promptTokensMax: 0,
          maxTokens: 0
        }

        const end = length == null ? reader.len : reader.pos + length

        while (reader.pos < end) {
          const tag = reader.uint32()

          switch (tag >>> 3) {
            case 1: {
              obj.keyHash = reader.bytes()
              break
            }
            case 2: {
              obj.requestId = reader.bytes()
              break
            }
            case 3: {
              obj.model = reader.string()
              break
            }
            case 4: {
              obj.promptTokensMax = reader.uint32()
              break
            }
            case 5: {
              obj.maxTokens = reader.uint32()
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
                field: `${prefix}.keyHash`,
                value: reader.bytes()
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
                field: `${prefix}.model`,
                value: reader.string()
              }
              break
            }
            case 4: {
              yield {
                field: `${prefix}.promptTokensMax`,
                value: reader.uint32()
              }
              break
            }
            case 5: {
              yield {
                field: `${prefix}.maxTokens`,
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

  export interface AuthoriseRequestKeyHashFieldEvent {
    field: '$.keyHash'
    value: Uint8Array<ArrayBuffer>
  }

  export interface AuthoriseRequestRequestIdFieldEvent {
    field: '$.requestId'
    value: Uint8Array<ArrayBuffer>
  }

  export interface AuthoriseRequestModelFieldEvent {
    field: '$.model'
    value: string
  }

  export interface AuthoriseRequestPromptTokensMaxFieldEvent {
    field: '$.promptTokensMax'
    value: number
  }

  export interface AuthoriseRequestMaxTokensFieldEvent {
    field: '$.maxTokens'
    value: number
  }

  export function encode (obj: Partial<AuthoriseRequest>): Uint8Array<ArrayBuffer> {
    return encodeMessage(obj, AuthoriseRequest.codec())
  }

  export function decode (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<AuthoriseRequest>): AuthoriseRequest {
    return decodeMessage(buf, AuthoriseRequest.codec(), opts)
  }

  export function stream (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<AuthoriseRequest>): Generator<AuthoriseRequestKeyHashFieldEvent | AuthoriseRequestRequestIdFieldEvent | AuthoriseRequestModelFieldEvent | AuthoriseRequestPromptTokensMaxFieldEvent | AuthoriseRequestMaxTokensFieldEvent> {
    return streamMessage(buf, AuthoriseRequest.codec(), opts)
  }
}

export interface AuthoriseResponse {
  voucher: Uint8Array<ArrayBuffer>
  accountRef: string
  leaseUntilMs: number
  holdId: string
  priceVersion: number
}

export namespace AuthoriseResponse {
  let _codec: Codec<AuthoriseResponse>

  export const codec = (): Codec<AuthoriseResponse> => {
    if (_codec == null) {
      _codec = message<AuthoriseResponse>((obj, w, opts = {}) => {
        if (opts.lengthDelimited !== false) {
          w.fork()
        }

        if ((obj.voucher != null && obj.voucher.byteLength > 0)) {
          w.uint32(10)
          w.bytes(obj.voucher)
        }

        if ((obj.accountRef != null && obj.accountRef !== '')) {
          w.uint32(18)
          w.string(obj.accountRef)
        }

        if ((obj.leaseUntilMs != null && obj.leaseUntilMs !== 0)) {
          w.uint32(24)
          w.uint64Number(obj.leaseUntilMs)
        }

        if ((obj.holdId != null && obj.holdId !== '')) {
          w.uint32(34)
          w.string(obj.holdId)
        }

        if ((obj.priceVersion != null && obj.priceVersion !== 0)) {
          w.uint32(40)
          w.uint32(obj.priceVersion)
        }

        if (opts.lengthDelimited !== false) {
          w.ldelim()
        }
      }, (reader, length, opts = {}) => {
        const obj: any = {
          voucher: uint8ArrayAlloc(0),
          accountRef: '',
          leaseUntilMs: 0,
          holdId: '',
          priceVersion: 0
        }

        const end = length == null ? reader.len : reader.pos + length

        while (reader.pos < end) {
          const tag = reader.uint32()

          switch (tag >>> 3) {
            case 1: {
              obj.voucher = reader.bytes()
              break
            }
            case 2: {
              obj.accountRef = reader.string()
              break
            }
            case 3: {
              obj.leaseUntilMs = reader.uint64Number()
              break
            }
            case 4: {
              obj.holdId = reader.string()
              break
            }
            case 5: {
              obj.priceVersion = reader.uint32()
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
                field: `${prefix}.voucher`,
                value: reader.bytes()
              }
              break
            }
            case 2: {
              yield {
                field: `${prefix}.accountRef`,
                value: reader.string()
              }
              break
            }
            case 3: {
              yield {
                field: `${prefix}.leaseUntilMs`,
                value: reader.uint64Number()
              }
              break
            }
            case 4: {
              yield {
                field: `${prefix}.holdId`,
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

  export interface AuthoriseResponseVoucherFieldEvent {
    field: '$.voucher'
    value: Uint8Array<ArrayBuffer>
  }

  export interface AuthoriseResponseAccountRefFieldEvent {
    field: '$.accountRef'
    value: string
  }

  export interface AuthoriseResponseLeaseUntilMsFieldEvent {
    field: '$.leaseUntilMs'
    value: number
  }

  export interface AuthoriseResponseHoldIdFieldEvent {
    field: '$.holdId'
    value: string
  }

  export interface AuthoriseResponsePriceVersionFieldEvent {
    field: '$.priceVersion'
    value: number
  }

  export function encode (obj: Partial<AuthoriseResponse>): Uint8Array<ArrayBuffer> {
    return encodeMessage(obj, AuthoriseResponse.codec())
  }

  export function decode (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<AuthoriseResponse>): AuthoriseResponse {
    return decodeMessage(buf, AuthoriseResponse.codec(), opts)
  }

  export function stream (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<AuthoriseResponse>): Generator<AuthoriseResponseVoucherFieldEvent | AuthoriseResponseAccountRefFieldEvent | AuthoriseResponseLeaseUntilMsFieldEvent | AuthoriseResponseHoldIdFieldEvent | AuthoriseResponsePriceVersionFieldEvent> {
    return streamMessage(buf, AuthoriseResponse.codec(), opts)
  }
}

export interface SettleRequest {
  holdId: string
  receipt: Uint8Array<ArrayBuffer>
}

export namespace SettleRequest {
  let _codec: Codec<SettleRequest>

  export const codec = (): Codec<SettleRequest> => {
    if (_codec == null) {
      _codec = message<SettleRequest>((obj, w, opts = {}) => {
        if (opts.lengthDelimited !== false) {
          w.fork()
        }

        if ((obj.holdId != null && obj.holdId !== '')) {
          w.uint32(10)
          w.string(obj.holdId)
        }

        if ((obj.receipt != null && obj.receipt.byteLength > 0)) {
          w.uint32(18)
          w.bytes(obj.receipt)
        }

        if (opts.lengthDelimited !== false) {
          w.ldelim()
        }
      }, (reader, length, opts = {}) => {
        const obj: any = {
          holdId: '',
          receipt: uint8ArrayAlloc(0)
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
                field: `${prefix}.holdId`,
                value: reader.string()
              }
              break
            }
            case 2: {
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

  export interface SettleRequestHoldIdFieldEvent {
    field: '$.holdId'
    value: string
  }

  export interface SettleRequestReceiptFieldEvent {
    field: '$.receipt'
    value: Uint8Array<ArrayBuffer>
  }

  export function encode (obj: Partial<SettleRequest>): Uint8Array<ArrayBuffer> {
    return encodeMessage(obj, SettleRequest.codec())
  }

  export function decode (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<SettleRequest>): SettleRequest {
    return decodeMessage(buf, SettleRequest.codec(), opts)
  }

  export function stream (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<SettleRequest>): Generator<SettleRequestHoldIdFieldEvent | SettleRequestReceiptFieldEvent> {
    return streamMessage(buf, SettleRequest.codec(), opts)
  }
}

export interface SettleResponse {
  capturedNanoUsd: string
  feeNanoUsd: string
  providerNanoUsd: string
  alreadySettled: boolean
}

export namespace SettleResponse {
  let _codec: Codec<SettleResponse>

  export const codec = (): Codec<SettleResponse> => {
    if (_codec == null) {
      _codec = message<SettleResponse>((obj, w, opts = {}) => {
        if (opts.lengthDelimited !== false) {
          w.fork()
        }

        if ((obj.capturedNanoUsd != null && obj.capturedNanoUsd !== '')) {
          w.uint32(10)
          w.string(obj.capturedNanoUsd)
        }

        if ((obj.feeNanoUsd != null && obj.feeNanoUsd !== '')) {
          w.uint32(18)
          w.string(obj.feeNanoUsd)
        }

        if ((obj.providerNanoUsd != null && obj.providerNanoUsd !== '')) {
          w.uint32(26)
          w.string(obj.providerNanoUsd)
        }

        if ((obj.alreadySettled != null && obj.alreadySettled !== false)) {
          w.uint32(32)
          w.bool(obj.alreadySettled)
        }

        if (opts.lengthDelimited !== false) {
          w.ldelim()
        }
      }, (reader, length, opts = {}) => {
        const obj: any = {
          capturedNanoUsd: '',
          feeNanoUsd: '',
          providerNanoUsd: '',
          alreadySettled: false
        }

        const end = length == null ? reader.len : reader.pos + length

        while (reader.pos < end) {
          const tag = reader.uint32()

          switch (tag >>> 3) {
            case 1: {
              obj.capturedNanoUsd = reader.string()
              break
            }
            case 2: {
              obj.feeNanoUsd = reader.string()
              break
            }
            case 3: {
              obj.providerNanoUsd = reader.string()
              break
            }
            case 4: {
              obj.alreadySettled = reader.bool()
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
                field: `${prefix}.capturedNanoUsd`,
                value: reader.string()
              }
              break
            }
            case 2: {
              yield {
                field: `${prefix}.feeNanoUsd`,
                value: reader.string()
              }
              break
            }
            case 3: {
              yield {
                field: `${prefix}.providerNanoUsd`,
                value: reader.string()
              }
              break
            }
            case 4: {
              yield {
                field: `${prefix}.alreadySettled`,
                value: reader.bool()
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

  export interface SettleResponseCapturedNanoUsdFieldEvent {
    field: '$.capturedNanoUsd'
    value: string
  }

  export interface SettleResponseFeeNanoUsdFieldEvent {
    field: '$.feeNanoUsd'
    value: string
  }

  export interface SettleResponseProviderNanoUsdFieldEvent {
    field: '$.providerNanoUsd'
    value: string
  }

  export interface SettleResponseAlreadySettledFieldEvent {
    field: '$.alreadySettled'
    value: boolean
  }

  export function encode (obj: Partial<SettleResponse>): Uint8Array<ArrayBuffer> {
    return encodeMessage(obj, SettleResponse.codec())
  }

  export function decode (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<SettleResponse>): SettleResponse {
    return decodeMessage(buf, SettleResponse.codec(), opts)
  }

  export function stream (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<SettleResponse>): Generator<SettleResponseCapturedNanoUsdFieldEvent | SettleResponseFeeNanoUsdFieldEvent | SettleResponseProviderNanoUsdFieldEvent | SettleResponseAlreadySettledFieldEvent> {
    return streamMessage(buf, SettleResponse.codec(), opts)
  }
}

export interface VoidRequest {
  holdId: string
}

export namespace VoidRequest {
  let _codec: Codec<VoidRequest>

  export const codec = (): Codec<VoidRequest> => {
    if (_codec == null) {
      _codec = message<VoidRequest>((obj, w, opts = {}) => {
        if (opts.lengthDelimited !== false) {
          w.fork()
        }

        if ((obj.holdId != null && obj.holdId !== '')) {
          w.uint32(10)
          w.string(obj.holdId)
        }

        if (opts.lengthDelimited !== false) {
          w.ldelim()
        }
      }, (reader, length, opts = {}) => {
        const obj: any = {
          holdId: ''
        }

        const end = length == null ? reader.len : reader.pos + length

        while (reader.pos < end) {
          const tag = reader.uint32()

          switch (tag >>> 3) {
            case 1: {
              obj.holdId = reader.string()
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

  export interface VoidRequestHoldIdFieldEvent {
    field: '$.holdId'
    value: string
  }

  export function encode (obj: Partial<VoidRequest>): Uint8Array<ArrayBuffer> {
    return encodeMessage(obj, VoidRequest.codec())
  }

  export function decode (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<VoidRequest>): VoidRequest {
    return decodeMessage(buf, VoidRequest.codec(), opts)
  }

  export function stream (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<VoidRequest>): Generator<VoidRequestHoldIdFieldEvent> {
    return streamMessage(buf, VoidRequest.codec(), opts)
  }
}

export interface RenewHoldsRequest {
  holdIds: string[]
}

export namespace RenewHoldsRequest {
  let _codec: Codec<RenewHoldsRequest>

  export const codec = (): Codec<RenewHoldsRequest> => {
    if (_codec == null) {
      _codec = message<RenewHoldsRequest>((obj, w, opts = {}) => {
        if (opts.lengthDelimited !== false) {
          w.fork()
        }

        if (obj.holdIds != null && obj.holdIds.length > 0) {
          for (const value of obj.holdIds) {
            w.uint32(10)
            w.string(value)
          }
        }

        if (opts.lengthDelimited !== false) {
          w.ldelim()
        }
      }, (reader, length, opts = {}) => {
        const obj: any = {
          holdIds: []
        }

        const end = length == null ? reader.len : reader.pos + length

        while (reader.pos < end) {
          const tag = reader.uint32()

          switch (tag >>> 3) {
            case 1: {
              if (opts.limits?.holdIds != null && obj.holdIds.length === opts.limits.holdIds) {
                throw new MaxLengthError('Decode error - repeated field "holdIds" had too many elements')
              }

              obj.holdIds.push(reader.string())
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
          holdIds: 0
        }

        const end = length == null ? reader.len : reader.pos + length

        while (reader.pos < end) {
          const tag = reader.uint32()

          switch (tag >>> 3) {
            case 1: {
              if (opts.limits?.holdIds != null && obj.holdIds === opts.limits.holdIds) {
                throw new MaxLengthError('Streaming decode error - repeated field "holdIds" had too many elements')
              }

              yield {
                field: `${prefix}.holdIds[]`,
                index: obj.holdIds,
                value: reader.string()
              }

              obj.holdIds++

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

  export interface RenewHoldsRequestHoldIdsFieldEvent {
    field: '$.holdIds[]'
    index: number
    value: string
  }

  export function encode (obj: Partial<RenewHoldsRequest>): Uint8Array<ArrayBuffer> {
    return encodeMessage(obj, RenewHoldsRequest.codec())
  }

  export function decode (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<RenewHoldsRequest>): RenewHoldsRequest {
    return decodeMessage(buf, RenewHoldsRequest.codec(), opts)
  }

  export function stream (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<RenewHoldsRequest>): Generator<RenewHoldsRequestHoldIdsFieldEvent> {
    return streamMessage(buf, RenewHoldsRequest.codec(), opts)
  }
}

export interface RenewHoldsResponse {
  openHoldIds: string[]
  leaseUntilMs: number
}

export namespace RenewHoldsResponse {
  let _codec: Codec<RenewHoldsResponse>

  export const codec = (): Codec<RenewHoldsResponse> => {
    if (_codec == null) {
      _codec = message<RenewHoldsResponse>((obj, w, opts = {}) => {
        if (opts.lengthDelimited !== false) {
          w.fork()
        }

        if (obj.openHoldIds != null && obj.openHoldIds.length > 0) {
          for (const value of obj.openHoldIds) {
            w.uint32(10)
            w.string(value)
          }
        }

        if ((obj.leaseUntilMs != null && obj.leaseUntilMs !== 0)) {
          w.uint32(16)
          w.uint64Number(obj.leaseUntilMs)
        }

        if (opts.lengthDelimited !== false) {
          w.ldelim()
        }
      }, (reader, length, opts = {}) => {
        const obj: any = {
          openHoldIds: [],
          leaseUntilMs: 0
        }

        const end = length == null ? reader.len : reader.pos + length

        while (reader.pos < end) {
          const tag = reader.uint32()

          switch (tag >>> 3) {
            case 1: {
              if (opts.limits?.openHoldIds != null && obj.openHoldIds.length === opts.limits.openHoldIds) {
                throw new MaxLengthError('Decode error - repeated field "openHoldIds" had too many elements')
              }

              obj.openHoldIds.push(reader.string())
              break
            }
            case 2: {
              obj.leaseUntilMs = reader.uint64Number()
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
          openHoldIds: 0
        }

        const end = length == null ? reader.len : reader.pos + length

        while (reader.pos < end) {
          const tag = reader.uint32()

          switch (tag >>> 3) {
            case 1: {
              if (opts.limits?.openHoldIds != null && obj.openHoldIds === opts.limits.openHoldIds) {
                throw new MaxLengthError('Streaming decode error - repeated field "openHoldIds" had too many elements')
              }

              yield {
                field: `${prefix}.openHoldIds[]`,
                index: obj.openHoldIds,
                value: reader.string()
              }

              obj.openHoldIds++

              break
            }
            case 2: {
              yield {
                field: `${prefix}.leaseUntilMs`,
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

  export interface RenewHoldsResponseOpenHoldIdsFieldEvent {
    field: '$.openHoldIds[]'
    index: number
    value: string
  }

  export interface RenewHoldsResponseLeaseUntilMsFieldEvent {
    field: '$.leaseUntilMs'
    value: number
  }

  export function encode (obj: Partial<RenewHoldsResponse>): Uint8Array<ArrayBuffer> {
    return encodeMessage(obj, RenewHoldsResponse.codec())
  }

  export function decode (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<RenewHoldsResponse>): RenewHoldsResponse {
    return decodeMessage(buf, RenewHoldsResponse.codec(), opts)
  }

  export function stream (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<RenewHoldsResponse>): Generator<RenewHoldsResponseOpenHoldIdsFieldEvent | RenewHoldsResponseLeaseUntilMsFieldEvent> {
    return streamMessage(buf, RenewHoldsResponse.codec(), opts)
  }
}

export interface ClaimRequest {
  holdId: string
  receipt: Uint8Array<ArrayBuffer>
}

export namespace ClaimRequest {
  let _codec: Codec<ClaimRequest>

  export const codec = (): Codec<ClaimRequest> => {
    if (_codec == null) {
      _codec = message<ClaimRequest>((obj, w, opts = {}) => {
        if (opts.lengthDelimited !== false) {
          w.fork()
        }

        if ((obj.holdId != null && obj.holdId !== '')) {
          w.uint32(10)
          w.string(obj.holdId)
        }

        if ((obj.receipt != null && obj.receipt.byteLength > 0)) {
          w.uint32(18)
          w.bytes(obj.receipt)
        }

        if (opts.lengthDelimited !== false) {
          w.ldelim()
        }
      }, (reader, length, opts = {}) => {
        const obj: any = {
          holdId: '',
          receipt: uint8ArrayAlloc(0)
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
                field: `${prefix}.holdId`,
                value: reader.string()
              }
              break
            }
            case 2: {
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

  export interface ClaimRequestHoldIdFieldEvent {
    field: '$.holdId'
    value: string
  }

  export interface ClaimRequestReceiptFieldEvent {
    field: '$.receipt'
    value: Uint8Array<ArrayBuffer>
  }

  export function encode (obj: Partial<ClaimRequest>): Uint8Array<ArrayBuffer> {
    return encodeMessage(obj, ClaimRequest.codec())
  }

  export function decode (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<ClaimRequest>): ClaimRequest {
    return decodeMessage(buf, ClaimRequest.codec(), opts)
  }

  export function stream (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<ClaimRequest>): Generator<ClaimRequestHoldIdFieldEvent | ClaimRequestReceiptFieldEvent> {
    return streamMessage(buf, ClaimRequest.codec(), opts)
  }
}

export interface ClaimResponse {
  state: string
}

export namespace ClaimResponse {
  let _codec: Codec<ClaimResponse>

  export const codec = (): Codec<ClaimResponse> => {
    if (_codec == null) {
      _codec = message<ClaimResponse>((obj, w, opts = {}) => {
        if (opts.lengthDelimited !== false) {
          w.fork()
        }

        if ((obj.state != null && obj.state !== '')) {
          w.uint32(10)
          w.string(obj.state)
        }

        if (opts.lengthDelimited !== false) {
          w.ldelim()
        }
      }, (reader, length, opts = {}) => {
        const obj: any = {
          state: ''
        }

        const end = length == null ? reader.len : reader.pos + length

        while (reader.pos < end) {
          const tag = reader.uint32()

          switch (tag >>> 3) {
            case 1: {
              obj.state = reader.string()
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
                field: `${prefix}.state`,
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

  export interface ClaimResponseStateFieldEvent {
    field: '$.state'
    value: string
  }

  export function encode (obj: Partial<ClaimResponse>): Uint8Array<ArrayBuffer> {
    return encodeMessage(obj, ClaimResponse.codec())
  }

  export function decode (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<ClaimResponse>): ClaimResponse {
    return decodeMessage(buf, ClaimResponse.codec(), opts)
  }

  export function stream (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<ClaimResponse>): Generator<ClaimResponseStateFieldEvent> {
    return streamMessage(buf, ClaimResponse.codec(), opts)
  }
}

export interface KeyInfoRequest {
  keyHash: Uint8Array<ArrayBuffer>
}

export namespace KeyInfoRequest {
  let _codec: Codec<KeyInfoRequest>

  export const codec = (): Codec<KeyInfoRequest> => {
    if (_codec == null) {
      _codec = message<KeyInfoRequest>((obj, w, opts = {}) => {
        if (opts.lengthDelimited !== false) {
          w.fork()
        }

        if ((obj.keyHash != null && obj.keyHash.byteLength > 0)) {
          w.uint32(10)
          w.bytes(obj.keyHash)
        }

        if (opts.lengthDelimited !== false) {
          w.ldelim()
        }
      }, (reader, length, opts = {}) => {
        const obj: any = {
          keyHash: uint8ArrayAlloc(0)
        }

        const end = length == null ? reader.len : reader.pos + length

        while (reader.pos < end) {
          const tag = reader.uint32()

          switch (tag >>> 3) {
            case 1: {
              obj.keyHash = reader.bytes()
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
                field: `${prefix}.keyHash`,
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

  export interface KeyInfoRequestKeyHashFieldEvent {
    field: '$.keyHash'
    value: Uint8Array<ArrayBuffer>
  }

  export function encode (obj: Partial<KeyInfoRequest>): Uint8Array<ArrayBuffer> {
    return encodeMessage(obj, KeyInfoRequest.codec())
  }

  export function decode (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<KeyInfoRequest>): KeyInfoRequest {
    return decodeMessage(buf, KeyInfoRequest.codec(), opts)
  }

  export function stream (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<KeyInfoRequest>): Generator<KeyInfoRequestKeyHashFieldEvent> {
    return streamMessage(buf, KeyInfoRequest.codec(), opts)
  }
}

export interface KeyInfoResponse {
  accountRef: string
  keyId: string
  label: string
  promoNanoUsd: string
  paidNanoUsd: string
  heldNanoUsd: string
  availableNanoUsd: string
  requests: number
  promptTokens: number
  completionTokens: number
  spentNanoUsd: string
}

export namespace KeyInfoResponse {
  let _codec: Codec<KeyInfoResponse>

  export const codec = (): Codec<KeyInfoResponse> => {
    if (_codec == null) {
      _codec = message<KeyInfoResponse>((obj, w, opts = {}) => {
        if (opts.lengthDelimited !== false) {
          w.fork()
        }

        if ((obj.accountRef != null && obj.accountRef !== '')) {
          w.uint32(10)
          w.string(obj.accountRef)
        }

        if ((obj.keyId != null && obj.keyId !== '')) {
          w.uint32(18)
          w.string(obj.keyId)
        }

        if ((obj.label != null && obj.label !== '')) {
          w.uint32(26)
          w.string(obj.label)
        }

        if ((obj.promoNanoUsd != null && obj.promoNanoUsd !== '')) {
          w.uint32(34)
          w.string(obj.promoNanoUsd)
        }

        if ((obj.paidNanoUsd != null && obj.paidNanoUsd !== '')) {
          w.uint32(42)
          w.string(obj.paidNanoUsd)
        }

        if ((obj.heldNanoUsd != null && obj.heldNanoUsd !== '')) {
          w.uint32(50)
          w.string(obj.heldNanoUsd)
        }

        if ((obj.availableNanoUsd != null && obj.availableNanoUsd !== '')) {
          w.uint32(58)
          w.string(obj.availableNanoUsd)
        }

        if ((obj.requests != null && obj.requests !== 0)) {
          w.uint32(64)
          w.uint64Number(obj.requests)
        }

        if ((obj.promptTokens != null && obj.promptTokens !== 0)) {
          w.uint32(72)
          w.uint64Number(obj.promptTokens)
        }

        if ((obj.completionTokens != null && obj.completionTokens !== 0)) {
          w.uint32(80)
          w.uint64Number(obj.completionTokens)
        }

        if ((obj.spentNanoUsd != null && obj.spentNanoUsd !== '')) {
          w.uint32(90)
          w.string(obj.spentNanoUsd)
        }

        if (opts.lengthDelimited !== false) {
          w.ldelim()
        }
      }, (reader, length, opts = {}) => {
        const obj: any = {
          accountRef: '',
          keyId: '',
          label: '',
          promoNanoUsd: '',
          paidNanoUsd: '',
          heldNanoUsd: '',
          availableNanoUsd: '',
          requests: 0,
          promptTokens: 0,
          completionTokens: 0,
          spentNanoUsd: ''
        }

        const end = length == null ? reader.len : reader.pos + length

        while (reader.pos < end) {
          const tag = reader.uint32()

          switch (tag >>> 3) {
            case 1: {
              obj.accountRef = reader.string()
              break
            }
            case 2: {
              obj.keyId = reader.string()
              break
            }
            case 3: {
              obj.label = reader.string()
              break
            }
            case 4: {
              obj.promoNanoUsd = reader.string()
              break
            }
            case 5: {
              obj.paidNanoUsd = reader.string()
              break
            }
            case 6: {
              obj.heldNanoUsd = reader.string()
              break
            }
            case 7: {
              obj.availableNanoUsd = reader.string()
              break
            }
            case 8: {
              obj.requests = reader.uint64Number()
              break
            }
            case 9: {
              obj.promptTokens = reader.uint64Number()
              break
            }
            case 10: {
              obj.completionTokens = reader.uint64Number()
              break
            }
            case 11: {
              obj.spentNanoUsd = reader.string()
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
                field: `${prefix}.accountRef`,
                value: reader.string()
              }
              break
            }
            case 2: {
              yield {
                field: `${prefix}.keyId`,
                value: reader.string()
              }
              break
            }
            case 3: {
              yield {
                field: `${prefix}.label`,
                value: reader.string()
              }
              break
            }
            case 4: {
              yield {
                field: `${prefix}.promoNanoUsd`,
                value: reader.string()
              }
              break
            }
            case 5: {
              yield {
                field: `${prefix}.paidNanoUsd`,
                value: reader.string()
              }
              break
            }
            case 6: {
              yield {
                field: `${prefix}.heldNanoUsd`,
                value: reader.string()
              }
              break
            }
            case 7: {
              yield {
                field: `${prefix}.availableNanoUsd`,
                value: reader.string()
              }
              break
            }
            case 8: {
              yield {
                field: `${prefix}.requests`,
                value: reader.uint64Number()
              }
              break
            }
            case 9: {
              yield {
                field: `${prefix}.promptTokens`,
                value: reader.uint64Number()
              }
              break
            }
            case 10: {
              yield {
                field: `${prefix}.completionTokens`,
                value: reader.uint64Number()
              }
              break
            }
            case 11: {
              yield {
                field: `${prefix}.spentNanoUsd`,
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

  export interface KeyInfoResponseAccountRefFieldEvent {
    field: '$.accountRef'
    value: string
  }

  export interface KeyInfoResponseKeyIdFieldEvent {
    field: '$.keyId'
    value: string
  }

  export interface KeyInfoResponseLabelFieldEvent {
    field: '$.label'
    value: string
  }

  export interface KeyInfoResponsePromoNanoUsdFieldEvent {
    field: '$.promoNanoUsd'
    value: string
  }

  export interface KeyInfoResponsePaidNanoUsdFieldEvent {
    field: '$.paidNanoUsd'
    value: string
  }

  export interface KeyInfoResponseHeldNanoUsdFieldEvent {
    field: '$.heldNanoUsd'
    value: string
  }

  export interface KeyInfoResponseAvailableNanoUsdFieldEvent {
    field: '$.availableNanoUsd'
    value: string
  }

  export interface KeyInfoResponseRequestsFieldEvent {
    field: '$.requests'
    value: number
  }

  export interface KeyInfoResponsePromptTokensFieldEvent {
    field: '$.promptTokens'
    value: number
  }

  export interface KeyInfoResponseCompletionTokensFieldEvent {
    field: '$.completionTokens'
    value: number
  }

  export interface KeyInfoResponseSpentNanoUsdFieldEvent {
    field: '$.spentNanoUsd'
    value: string
  }

  export function encode (obj: Partial<KeyInfoResponse>): Uint8Array<ArrayBuffer> {
    return encodeMessage(obj, KeyInfoResponse.codec())
  }

  export function decode (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<KeyInfoResponse>): KeyInfoResponse {
    return decodeMessage(buf, KeyInfoResponse.codec(), opts)
  }

  export function stream (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<KeyInfoResponse>): Generator<KeyInfoResponseAccountRefFieldEvent | KeyInfoResponseKeyIdFieldEvent | KeyInfoResponseLabelFieldEvent | KeyInfoResponsePromoNanoUsdFieldEvent | KeyInfoResponsePaidNanoUsdFieldEvent | KeyInfoResponseHeldNanoUsdFieldEvent | KeyInfoResponseAvailableNanoUsdFieldEvent | KeyInfoResponseRequestsFieldEvent | KeyInfoResponsePromptTokensFieldEvent | KeyInfoResponseCompletionTokensFieldEvent | KeyInfoResponseSpentNanoUsdFieldEvent> {
    return streamMessage(buf, KeyInfoResponse.codec(), opts)
  }
}

export interface ModelPrice {
  model: string
  inputNanoUsd: string
  cachedInputNanoUsd: string
  outputNanoUsd: string
}

export namespace ModelPrice {
  let _codec: Codec<ModelPrice>

  export const codec = (): Codec<ModelPrice> => {
    if (_codec == null) {
      _codec = message<ModelPrice>((obj, w, opts = {}) => {
        if (opts.lengthDelimited !== false) {
          w.fork()
        }

        if ((obj.model != null && obj.model !== '')) {
          w.uint32(10)
          w.string(obj.model)
        }

        if ((obj.inputNanoUsd != null && obj.inputNanoUsd !== '')) {
          w.uint32(18)
          w.string(obj.inputNanoUsd)
        }

        if ((obj.cachedInputNanoUsd != null && obj.cachedInputNanoUsd !== '')) {
          w.uint32(26)
          w.string(obj.cachedInputNanoUsd)
        }

        if ((obj.outputNanoUsd != null && obj.outputNanoUsd !== '')) {
          w.uint32(34)
          w.string(obj.outputNanoUsd)
        }

        if (opts.lengthDelimited !== false) {
          w.ldelim()
        }
      }, (reader, length, opts = {}) => {
        const obj: any = {
          model: '',
          inputNanoUsd: '',
          cachedInputNanoUsd: '',
          outputNanoUsd: ''
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
              obj.inputNanoUsd = reader.string()
              break
            }
            case 3: {
              obj.cachedInputNanoUsd = reader.string()
              break
            }
            case 4: {
              obj.outputNanoUsd = reader.string()
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
                field: `${prefix}.model`,
                value: reader.string()
              }
              break
            }
            case 2: {
              yield {
                field: `${prefix}.inputNanoUsd`,
                value: reader.string()
              }
              break
            }
            case 3: {
              yield {
                field: `${prefix}.cachedInputNanoUsd`,
                value: reader.string()
              }
              break
            }
            case 4: {
              yield {
                field: `${prefix}.outputNanoUsd`,
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

  export interface ModelPriceModelFieldEvent {
    field: '$.model'
    value: string
  }

  export interface ModelPriceInputNanoUsdFieldEvent {
    field: '$.inputNanoUsd'
    value: string
  }

  export interface ModelPriceCachedInputNanoUsdFieldEvent {
    field: '$.cachedInputNanoUsd'
    value: string
  }

  export interface ModelPriceOutputNanoUsdFieldEvent {
    field: '$.outputNanoUsd'
    value: string
  }

  export function encode (obj: Partial<ModelPrice>): Uint8Array<ArrayBuffer> {
    return encodeMessage(obj, ModelPrice.codec())
  }

  export function decode (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<ModelPrice>): ModelPrice {
    return decodeMessage(buf, ModelPrice.codec(), opts)
  }

  export function stream (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<ModelPrice>): Generator<ModelPriceModelFieldEvent | ModelPriceInputNanoUsdFieldEvent | ModelPriceCachedInputNanoUsdFieldEvent | ModelPriceOutputNanoUsdFieldEvent> {
    return streamMessage(buf, ModelPrice.codec(), opts)
  }
}

export interface PriceList {
  version: number
  effectiveAtMs: number
  feeBasisPoints: number
  models: ModelPrice[]
}

export namespace PriceList {
  let _codec: Codec<PriceList>

  export const codec = (): Codec<PriceList> => {
    if (_codec == null) {
      _codec = message<PriceList>((obj, w, opts = {}) => {
        if (opts.lengthDelimited !== false) {
          w.fork()
        }

        if ((obj.version != null && obj.version !== 0)) {
          w.uint32(8)
          w.uint32(obj.version)
        }

        if ((obj.effectiveAtMs != null && obj.effectiveAtMs !== 0)) {
          w.uint32(16)
          w.uint64Number(obj.effectiveAtMs)
        }

        if ((obj.feeBasisPoints != null && obj.feeBasisPoints !== 0)) {
          w.uint32(24)
          w.uint32(obj.feeBasisPoints)
        }

        if (obj.models != null && obj.models.length > 0) {
          for (const value of obj.models) {
            w.uint32(34)
            ModelPrice.codec().encode(value, w)
          }
        }

        if (opts.lengthDelimited !== false) {
          w.ldelim()
        }
      }, (reader, length, opts = {}) => {
        const obj: any = {
          version: 0,
          effectiveAtMs: 0,
          feeBasisPoints: 0,
          models: []
        }

        const end = length == null ? reader.len : reader.pos + length

        while (reader.pos < end) {
          const tag = reader.uint32()

          switch (tag >>> 3) {
            case 1: {
              obj.version = reader.uint32()
              break
            }
            case 2: {
              obj.effectiveAtMs = reader.uint64Number()
              break
            }
            case 3: {
              obj.feeBasisPoints = reader.uint32()
              break
            }
            case 4: {
              if (opts.limits?.models != null && obj.models.length === opts.limits.models) {
                throw new MaxLengthError('Decode error - repeated field "models" had too many elements')
              }

              obj.models.push(ModelPrice.codec().decode(reader, reader.uint32(), {
                limits: opts.limits?.models$
              }))
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
          models: 0
        }

        const end = length == null ? reader.len : reader.pos + length

        while (reader.pos < end) {
          const tag = reader.uint32()

          switch (tag >>> 3) {
            case 1: {
              yield {
                field: `${prefix}.version`,
                value: reader.uint32()
              }
              break
            }
            case 2: {
              yield {
                field: `${prefix}.effectiveAtMs`,
                value: reader.uint64Number()
              }
              break
            }
            case 3: {
              yield {
                field: `${prefix}.feeBasisPoints`,
                value: reader.uint32()
              }
              break
            }
            case 4: {
              if (opts.limits?.models != null && obj.models === opts.limits.models) {
                throw new MaxLengthError('Streaming decode error - repeated field "models" had too many elements')
              }

              for (const evt of ModelPrice.codec().stream(reader, reader.uint32(), `${prefix}.models[]`, {
                limits: opts.limits?.models$
              })) {
                yield {
                  ...evt,
                  index: obj.models
                }
              }

              obj.models++

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

  export interface PriceListVersionFieldEvent {
    field: '$.version'
    value: number
  }

  export interface PriceListEffectiveAtMsFieldEvent {
    field: '$.effectiveAtMs'
    value: number
  }

  export interface PriceListFeeBasisPointsFieldEvent {
    field: '$.feeBasisPoints'
    value: number
  }

  export interface PriceListModelsModelFieldEvent {
    field: '$.models[].model'
    value: string
    index: number
  }

  export interface PriceListModelsInputNanoUsdFieldEvent {
    field: '$.models[].inputNanoUsd'
    value: string
    index: number
  }

  export interface PriceListModelsCachedInputNanoUsdFieldEvent {
    field: '$.models[].cachedInputNanoUsd'
    value: string
    index: number
  }

  export interface PriceListModelsOutputNanoUsdFieldEvent {
    field: '$.models[].outputNanoUsd'
    value: string
    index: number
  }

  export function encode (obj: Partial<PriceList>): Uint8Array<ArrayBuffer> {
    return encodeMessage(obj, PriceList.codec())
  }

  export function decode (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<PriceList>): PriceList {
    return decodeMessage(buf, PriceList.codec(), opts)
  }

  export function stream (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<PriceList>): Generator<PriceListVersionFieldEvent | PriceListEffectiveAtMsFieldEvent | PriceListFeeBasisPointsFieldEvent | PriceListModelsModelFieldEvent | PriceListModelsInputNanoUsdFieldEvent | PriceListModelsCachedInputNanoUsdFieldEvent | PriceListModelsOutputNanoUsdFieldEvent> {
    return streamMessage(buf, PriceList.codec(), opts)
  }
}

export interface RevocationNotice {
  keyHashes: Uint8Array<ArrayBuffer>[]
  serials: number[]
}

export namespace RevocationNotice {
  let _codec: Codec<RevocationNotice>

  export const codec = (): Codec<RevocationNotice> => {
    if (_codec == null) {
      _codec = message<RevocationNotice>((obj, w, opts = {}) => {
        if (opts.lengthDelimited !== false) {
          w.fork()
        }

        if (obj.keyHashes != null && obj.keyHashes.length > 0) {
          for (const value of obj.keyHashes) {
            w.uint32(10)
            w.bytes(value)
          }
        }

        if (obj.serials != null && obj.serials.length > 0) {
          for (const value of obj.serials) {
            w.uint32(16)
            w.uint64Number(value)
          }
        }

        if (opts.lengthDelimited !== false) {
          w.ldelim()
        }
      }, (reader, length, opts = {}) => {
        const obj: any = {
          keyHashes: [],
          serials: []
        }

        const end = length == null ? reader.len : reader.pos + length

        while (reader.pos < end) {
          const tag = reader.uint32()

          switch (tag >>> 3) {
            case 1: {
              if (opts.limits?.keyHashes != null && obj.keyHashes.length === opts.limits.keyHashes) {
                throw new MaxLengthError('Decode error - repeated field "keyHashes" had too many elements')
              }

              obj.keyHashes.push(reader.bytes())
              break
            }
            case 2: {
              if (opts.limits?.serials != null && obj.serials.length === opts.limits.serials) {
                throw new MaxLengthError('Decode error - repeated field "serials" had too many elements')
              }

              obj.serials.push(reader.uint64Number())
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
          keyHashes: 0,
          serials: 0
        }

        const end = length == null ? reader.len : reader.pos + length

        while (reader.pos < end) {
          const tag = reader.uint32()

          switch (tag >>> 3) {
            case 1: {
              if (opts.limits?.keyHashes != null && obj.keyHashes === opts.limits.keyHashes) {
                throw new MaxLengthError('Streaming decode error - repeated field "keyHashes" had too many elements')
              }

              yield {
                field: `${prefix}.keyHashes[]`,
                index: obj.keyHashes,
                value: reader.bytes()
              }

              obj.keyHashes++

              break
            }
            case 2: {
              if (opts.limits?.serials != null && obj.serials === opts.limits.serials) {
                throw new MaxLengthError('Streaming decode error - repeated field "serials" had too many elements')
              }

              yield {
                field: `${prefix}.serials[]`,
                index: obj.serials,
                value: reader.uint64Number()
              }

              obj.serials++

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

  export interface RevocationNoticeKeyHashesFieldEvent {
    field: '$.keyHashes[]'
    index: number
    value: Uint8Array<ArrayBuffer>
  }

  export interface RevocationNoticeSerialsFieldEvent {
    field: '$.serials[]'
    index: number
    value: number
  }

  export function encode (obj: Partial<RevocationNotice>): Uint8Array<ArrayBuffer> {
    return encodeMessage(obj, RevocationNotice.codec())
  }

  export function decode (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<RevocationNotice>): RevocationNotice {
    return decodeMessage(buf, RevocationNotice.codec(), opts)
  }

  export function stream (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<RevocationNotice>): Generator<RevocationNoticeKeyHashesFieldEvent | RevocationNoticeSerialsFieldEvent> {
    return streamMessage(buf, RevocationNotice.codec(), opts)
  }
}
