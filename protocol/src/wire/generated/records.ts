import { decodeMessage, encodeMessage, MaxLengthError, message, streamMessage } from 'protons-runtime'
import { alloc as uint8ArrayAlloc } from 'uint8arrays/alloc'
import type { Codec, DecodeOptions } from 'protons-runtime'
import type { Uint8ArrayList } from 'uint8arraylist'

export interface SignedEnvelope {
  payload: Uint8Array<ArrayBuffer>
  publicKey: Uint8Array<ArrayBuffer>
  signature: Uint8Array<ArrayBuffer>
}

export namespace SignedEnvelope {
  let _codec: Codec<SignedEnvelope>

  export const codec = (): Codec<SignedEnvelope> => {
    if (_codec == null) {
      _codec = message<SignedEnvelope>((obj, w, opts = {}) => {
        if (opts.lengthDelimited !== false) {
          w.fork()
        }

        if ((obj.payload != null && obj.payload.byteLength > 0)) {
          w.uint32(10)
          w.bytes(obj.payload)
        }

        if ((obj.publicKey != null && obj.publicKey.byteLength > 0)) {
          w.uint32(18)
          w.bytes(obj.publicKey)
        }

        if ((obj.signature != null && obj.signature.byteLength > 0)) {
          w.uint32(26)
          w.bytes(obj.signature)
        }

        if (opts.lengthDelimited !== false) {
          w.ldelim()
        }
      }, (reader, length, opts = {}) => {
        const obj: any = {
          payload: uint8ArrayAlloc(0),
          publicKey: uint8ArrayAlloc(0),
          signature: uint8ArrayAlloc(0)
        }

        const end = length == null ? reader.len : reader.pos + length

        while (reader.pos < end) {
          const tag = reader.uint32()

          switch (tag >>> 3) {
            case 1: {
              obj.payload = reader.bytes()
              break
            }
            case 2: {
              obj.publicKey = reader.bytes()
              break
            }
            case 3: {
              obj.signature = reader.bytes()
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
                field: `${prefix}.payload`,
                value: reader.bytes()
              }
              break
            }
            case 2: {
              yield {
                field: `${prefix}.publicKey`,
                value: reader.bytes()
              }
              break
            }
            case 3: {
              yield {
                field: `${prefix}.signature`,
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

  export interface SignedEnvelopePayloadFieldEvent {
    field: '$.payload'
    value: Uint8Array<ArrayBuffer>
  }

  export interface SignedEnvelopePublicKeyFieldEvent {
    field: '$.publicKey'
    value: Uint8Array<ArrayBuffer>
  }

  export interface SignedEnvelopeSignatureFieldEvent {
    field: '$.signature'
    value: Uint8Array<ArrayBuffer>
  }

  export function encode (obj: Partial<SignedEnvelope>): Uint8Array<ArrayBuffer> {
    return encodeMessage(obj, SignedEnvelope.codec())
  }

  export function decode (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<SignedEnvelope>): SignedEnvelope {
    return decodeMessage(buf, SignedEnvelope.codec(), opts)
  }

  export function stream (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<SignedEnvelope>): Generator<SignedEnvelopePayloadFieldEvent | SignedEnvelopePublicKeyFieldEvent | SignedEnvelopeSignatureFieldEvent> {
    return streamMessage(buf, SignedEnvelope.codec(), opts)
  }
}

export interface MembershipCertificate {
  peerId: string
  role: string
  accountRef: string
  notBeforeMs: number
  notAfterMs: number
  serial: number
}

export namespace MembershipCertificate {
  let _codec: Codec<MembershipCertificate>

  export const codec = (): Codec<MembershipCertificate> => {
    if (_codec == null) {
      _codec = message<MembershipCertificate>((obj, w, opts = {}) => {
        if (opts.lengthDelimited !== false) {
          w.fork()
        }

        if ((obj.peerId != null && obj.peerId !== '')) {
          w.uint32(10)
          w.string(obj.peerId)
        }

        if ((obj.role != null && obj.role !== '')) {
          w.uint32(18)
          w.string(obj.role)
        }

        if ((obj.accountRef != null && obj.accountRef !== '')) {
          w.uint32(26)
          w.string(obj.accountRef)
        }

        if ((obj.notBeforeMs != null && obj.notBeforeMs !== 0)) {
          w.uint32(32)
          w.uint64Number(obj.notBeforeMs)
        }

        if ((obj.notAfterMs != null && obj.notAfterMs !== 0)) {
          w.uint32(40)
          w.uint64Number(obj.notAfterMs)
        }

        if ((obj.serial != null && obj.serial !== 0)) {
          w.uint32(48)
          w.uint64Number(obj.serial)
        }

        if (opts.lengthDelimited !== false) {
          w.ldelim()
        }
      }, (reader, length, opts = {}) => {
        const obj: any = {
          peerId: '',
          role: '',
          accountRef: '',
          notBeforeMs: 0,
          notAfterMs: 0,
          serial: 0
        }

        const end = length == null ? reader.len : reader.pos + length

        while (reader.pos < end) {
          const tag = reader.uint32()

          switch (tag >>> 3) {
            case 1: {
              obj.peerId = reader.string()
              break
            }
            case 2: {
              obj.role = reader.string()
              break
            }
            case 3: {
              obj.accountRef = reader.string()
              break
            }
            case 4: {
              obj.notBeforeMs = reader.uint64Number()
              break
            }
            case 5: {
              obj.notAfterMs = reader.uint64Number()
              break
            }
            case 6: {
              obj.serial = reader.uint64Number()
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
                field: `${prefix}.peerId`,
                value: reader.string()
              }
              break
            }
            case 2: {
              yield {
                field: `${prefix}.role`,
                value: reader.string()
              }
              break
            }
            case 3: {
              yield {
                field: `${prefix}.accountRef`,
                value: reader.string()
              }
              break
            }
            case 4: {
              yield {
                field: `${prefix}.notBeforeMs`,
                value: reader.uint64Number()
              }
              break
            }
            case 5: {
              yield {
                field: `${prefix}.notAfterMs`,
                value: reader.uint64Number()
              }
              break
            }
            case 6: {
              yield {
                field: `${prefix}.serial`,
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

  export interface MembershipCertificatePeerIdFieldEvent {
    field: '$.peerId'
    value: string
  }

  export interface MembershipCertificateRoleFieldEvent {
    field: '$.role'
    value: string
  }

  export interface MembershipCertificateAccountRefFieldEvent {
    field: '$.accountRef'
    value: string
  }

  export interface MembershipCertificateNotBeforeMsFieldEvent {
    field: '$.notBeforeMs'
    value: number
  }

  export interface MembershipCertificateNotAfterMsFieldEvent {
    field: '$.notAfterMs'
    value: number
  }

  export interface MembershipCertificateSerialFieldEvent {
    field: '$.serial'
    value: number
  }

  export function encode (obj: Partial<MembershipCertificate>): Uint8Array<ArrayBuffer> {
    return encodeMessage(obj, MembershipCertificate.codec())
  }

  export function decode (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<MembershipCertificate>): MembershipCertificate {
    return decodeMessage(buf, MembershipCertificate.codec(), opts)
  }

  export function stream (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<MembershipCertificate>): Generator<MembershipCertificatePeerIdFieldEvent | MembershipCertificateRoleFieldEvent | MembershipCertificateAccountRefFieldEvent | MembershipCertificateNotBeforeMsFieldEvent | MembershipCertificateNotAfterMsFieldEvent | MembershipCertificateSerialFieldEvent> {
    return streamMessage(buf, MembershipCertificate.codec(), opts)
  }
}

export interface ModelOffer {
  id: string
  family: string
  fileSha256: Uint8Array<ArrayBuffer>
  quantisation: string
  contextTokens: number
  modality: string
  slots: number
  prefillTokensPerSecond: number
  decodeTokensPerSecond: number
  priceMultiplierBasisPoints: number
}

export namespace ModelOffer {
  let _codec: Codec<ModelOffer>

  export const codec = (): Codec<ModelOffer> => {
    if (_codec == null) {
      _codec = message<ModelOffer>((obj, w, opts = {}) => {
        if (opts.lengthDelimited !== false) {
          w.fork()
        }

        if ((obj.id != null && obj.id !== '')) {
          w.uint32(10)
          w.string(obj.id)
        }

        if ((obj.family != null && obj.family !== '')) {
          w.uint32(18)
          w.string(obj.family)
        }

        if ((obj.fileSha256 != null && obj.fileSha256.byteLength > 0)) {
          w.uint32(26)
          w.bytes(obj.fileSha256)
        }

        if ((obj.quantisation != null && obj.quantisation !== '')) {
          w.uint32(34)
          w.string(obj.quantisation)
        }

        if ((obj.contextTokens != null && obj.contextTokens !== 0)) {
          w.uint32(40)
          w.uint32(obj.contextTokens)
        }

        if ((obj.modality != null && obj.modality !== '')) {
          w.uint32(50)
          w.string(obj.modality)
        }

        if ((obj.slots != null && obj.slots !== 0)) {
          w.uint32(56)
          w.uint32(obj.slots)
        }

        if ((obj.prefillTokensPerSecond != null && obj.prefillTokensPerSecond !== 0)) {
          w.uint32(65)
          w.double(obj.prefillTokensPerSecond)
        }

        if ((obj.decodeTokensPerSecond != null && obj.decodeTokensPerSecond !== 0)) {
          w.uint32(73)
          w.double(obj.decodeTokensPerSecond)
        }

        if ((obj.priceMultiplierBasisPoints != null && obj.priceMultiplierBasisPoints !== 0)) {
          w.uint32(80)
          w.uint32(obj.priceMultiplierBasisPoints)
        }

        if (opts.lengthDelimited !== false) {
          w.ldelim()
        }
      }, (reader, length, opts = {}) => {
        const obj: any = {
          id: '',
          family: '',
          fileSha256: uint8ArrayAlloc(0),
          quantisation: '',
          contextTokens: 0,
          modality: '',
          slots: 0,
          prefillTokensPerSecond: 0,
          decodeTokensPerSecond: 0,
          priceMultiplierBasisPoints: 0
        }

        const end = length == null ? reader.len : reader.pos + length

        while (reader.pos < end) {
          const tag = reader.uint32()

          switch (tag >>> 3) {
            case 1: {
              obj.id = reader.string()
              break
            }
            case 2: {
              obj.family = reader.string()
              break
            }
            case 3: {
              obj.fileSha256 = reader.bytes()
              break
            }
            case 4: {
              obj.quantisation = reader.string()
              break
            }
            case 5: {
              obj.contextTokens = reader.uint32()
              break
            }
            case 6: {
              obj.modality = reader.string()
              break
            }
            case 7: {
              obj.slots = reader.uint32()
              break
            }
            case 8: {
              obj.prefillTokensPerSecond = reader.double()
              break
            }
            case 9: {
              obj.decodeTokensPerSecond = reader.double()
              break
            }
            case 10: {
              obj.priceMultiplierBasisPoints = reader.uint32()
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
                field: `${prefix}.id`,
                value: reader.string()
              }
              break
            }
            case 2: {
              yield {
                field: `${prefix}.family`,
                value: reader.string()
              }
              break
            }
            case 3: {
              yield {
                field: `${prefix}.fileSha256`,
                value: reader.bytes()
              }
              break
            }
            case 4: {
              yield {
                field: `${prefix}.quantisation`,
                value: reader.string()
              }
              break
            }
            case 5: {
              yield {
                field: `${prefix}.contextTokens`,
                value: reader.uint32()
              }
              break
            }
            case 6: {
              yield {
                field: `${prefix}.modality`,
                value: reader.string()
              }
              break
            }
            case 7: {
              yield {
                field: `${prefix}.slots`,
                value: reader.uint32()
              }
              break
            }
            case 8: {
              yield {
                field: `${prefix}.prefillTokensPerSecond`,
                value: reader.double()
              }
              break
            }
            case 9: {
              yield {
                field: `${prefix}.decodeTokensPerSecond`,
                value: reader.double()
              }
              break
            }
            case 10: {
              yield {
                field: `${prefix}.priceMultiplierBasisPoints`,
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

  export interface ModelOfferIdFieldEvent {
    field: '$.id'
    value: string
  }

  export interface ModelOfferFamilyFieldEvent {
    field: '$.family'
    value: string
  }

  export interface ModelOfferFileSha256FieldEvent {
    field: '$.fileSha256'
    value: Uint8Array<ArrayBuffer>
  }

  export interface ModelOfferQuantisationFieldEvent {
    field: '$.quantisation'
    value: string
  }

  export interface ModelOfferContextTokensFieldEvent {
    field: '$.contextTokens'
    value: number
  }

  export interface ModelOfferModalityFieldEvent {
    field: '$.modality'
    value: string
  }

  export interface ModelOfferSlotsFieldEvent {
    field: '$.slots'
    value: number
  }

  export interface ModelOfferPrefillTokensPerSecondFieldEvent {
    field: '$.prefillTokensPerSecond'
    value: number
  }

  export interface ModelOfferDecodeTokensPerSecondFieldEvent {
    field: '$.decodeTokensPerSecond'
    value: number
  }

  export interface ModelOfferPriceMultiplierBasisPointsFieldEvent {
    field: '$.priceMultiplierBasisPoints'
    value: number
  }

  export function encode (obj: Partial<ModelOffer>): Uint8Array<ArrayBuffer> {
    return encodeMessage(obj, ModelOffer.codec())
  }

  export function decode (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<ModelOffer>): ModelOffer {
    return decodeMessage(buf, ModelOffer.codec(), opts)
  }

  export function stream (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<ModelOffer>): Generator<ModelOfferIdFieldEvent | ModelOfferFamilyFieldEvent | ModelOfferFileSha256FieldEvent | ModelOfferQuantisationFieldEvent | ModelOfferContextTokensFieldEvent | ModelOfferModalityFieldEvent | ModelOfferSlotsFieldEvent | ModelOfferPrefillTokensPerSecondFieldEvent | ModelOfferDecodeTokensPerSecondFieldEvent | ModelOfferPriceMultiplierBasisPointsFieldEvent> {
    return streamMessage(buf, ModelOffer.codec(), opts)
  }
}

export interface CapabilityRecord {
  peerId: string
  sequence: number
  expiresAtMs: number
  certificate: Uint8Array<ArrayBuffer>
  models: ModelOffer[]
  addresses: string[]
  software: string
  hardware: string
}

export namespace CapabilityRecord {
  let _codec: Codec<CapabilityRecord>

  export const codec = (): Codec<CapabilityRecord> => {
    if (_codec == null) {
      _codec = message<CapabilityRecord>((obj, w, opts = {}) => {
        if (opts.lengthDelimited !== false) {
          w.fork()
        }

        if ((obj.peerId != null && obj.peerId !== '')) {
          w.uint32(10)
          w.string(obj.peerId)
        }

        if ((obj.sequence != null && obj.sequence !== 0)) {
          w.uint32(16)
          w.uint64Number(obj.sequence)
        }

        if ((obj.expiresAtMs != null && obj.expiresAtMs !== 0)) {
          w.uint32(24)
          w.uint64Number(obj.expiresAtMs)
        }

        if ((obj.certificate != null && obj.certificate.byteLength > 0)) {
          w.uint32(34)
          w.bytes(obj.certificate)
        }

        if (obj.models != null && obj.models.length > 0) {
          for (const value of obj.models) {
            w.uint32(42)
            ModelOffer.codec().encode(value, w)
          }
        }

        if (obj.addresses != null && obj.addresses.length > 0) {
          for (const value of obj.addresses) {
            w.uint32(50)
            w.string(value)
          }
        }

        if ((obj.software != null && obj.software !== '')) {
          w.uint32(58)
          w.string(obj.software)
        }

        if ((obj.hardware != null && obj.hardware !== '')) {
          w.uint32(66)
          w.string(obj.hardware)
        }

        if (opts.lengthDelimited !== false) {
          w.ldelim()
        }
      }, (reader, length, opts = {}) => {
        const obj: any = {
          peerId: '',
          sequence: 0,
          expiresAtMs: 0,
          certificate: uint8ArrayAlloc(0),
          models: [],
          addresses: [],
          software: '',
          hardware: ''
        }

        const end = length == null ? reader.len : reader.pos + length

        while (reader.pos < end) {
          const tag = reader.uint32()

          switch (tag >>> 3) {
            case 1: {
              obj.peerId = reader.string()
              break
            }
            case 2: {
              obj.sequence = reader.uint64Number()
              break
            }
            case 3: {
              obj.expiresAtMs = reader.uint64Number()
              break
            }
            case 4: {
              obj.certificate = reader.bytes()
              break
            }
            case 5: {
              if (opts.limits?.models != null && obj.models.length === opts.limits.models) {
                throw new MaxLengthError('Decode error - repeated field "models" had too many elements')
              }

              obj.models.push(ModelOffer.codec().decode(reader, reader.uint32(), {
                limits: opts.limits?.models$
              }))
              break
            }
            case 6: {
              if (opts.limits?.addresses != null && obj.addresses.length === opts.limits.addresses) {
                throw new MaxLengthError('Decode error - repeated field "addresses" had too many elements')
              }

              obj.addresses.push(reader.string())
              break
            }
            case 7: {
              obj.software = reader.string()
              break
            }
            case 8: {
              obj.hardware = reader.string()
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
          models: 0,
          addresses: 0
        }

        const end = length == null ? reader.len : reader.pos + length

        while (reader.pos < end) {
          const tag = reader.uint32()

          switch (tag >>> 3) {
            case 1: {
              yield {
                field: `${prefix}.peerId`,
                value: reader.string()
              }
              break
            }
            case 2: {
              yield {
                field: `${prefix}.sequence`,
                value: reader.uint64Number()
              }
              break
            }
            case 3: {
              yield {
                field: `${prefix}.expiresAtMs`,
                value: reader.uint64Number()
              }
              break
            }
            case 4: {
              yield {
                field: `${prefix}.certificate`,
                value: reader.bytes()
              }
              break
            }
            case 5: {
              if (opts.limits?.models != null && obj.models === opts.limits.models) {
                throw new MaxLengthError('Streaming decode error - repeated field "models" had too many elements')
              }

              for (const evt of ModelOffer.codec().stream(reader, reader.uint32(), `${prefix}.models[]`, {
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
            case 6: {
              if (opts.limits?.addresses != null && obj.addresses === opts.limits.addresses) {
                throw new MaxLengthError('Streaming decode error - repeated field "addresses" had too many elements')
              }

              yield {
                field: `${prefix}.addresses[]`,
                index: obj.addresses,
                value: reader.string()
              }

              obj.addresses++

              break
            }
            case 7: {
              yield {
                field: `${prefix}.software`,
                value: reader.string()
              }
              break
            }
            case 8: {
              yield {
                field: `${prefix}.hardware`,
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

  export interface CapabilityRecordPeerIdFieldEvent {
    field: '$.peerId'
    value: string
  }

  export interface CapabilityRecordSequenceFieldEvent {
    field: '$.sequence'
    value: number
  }

  export interface CapabilityRecordExpiresAtMsFieldEvent {
    field: '$.expiresAtMs'
    value: number
  }

  export interface CapabilityRecordCertificateFieldEvent {
    field: '$.certificate'
    value: Uint8Array<ArrayBuffer>
  }

  export interface CapabilityRecordModelsIdFieldEvent {
    field: '$.models[].id'
    value: string
    index: number
  }

  export interface CapabilityRecordModelsFamilyFieldEvent {
    field: '$.models[].family'
    value: string
    index: number
  }

  export interface CapabilityRecordModelsFileSha256FieldEvent {
    field: '$.models[].fileSha256'
    value: Uint8Array<ArrayBuffer>
    index: number
  }

  export interface CapabilityRecordModelsQuantisationFieldEvent {
    field: '$.models[].quantisation'
    value: string
    index: number
  }

  export interface CapabilityRecordModelsContextTokensFieldEvent {
    field: '$.models[].contextTokens'
    value: number
    index: number
  }

  export interface CapabilityRecordModelsModalityFieldEvent {
    field: '$.models[].modality'
    value: string
    index: number
  }

  export interface CapabilityRecordModelsSlotsFieldEvent {
    field: '$.models[].slots'
    value: number
    index: number
  }

  export interface CapabilityRecordModelsPrefillTokensPerSecondFieldEvent {
    field: '$.models[].prefillTokensPerSecond'
    value: number
    index: number
  }

  export interface CapabilityRecordModelsDecodeTokensPerSecondFieldEvent {
    field: '$.models[].decodeTokensPerSecond'
    value: number
    index: number
  }

  export interface CapabilityRecordModelsPriceMultiplierBasisPointsFieldEvent {
    field: '$.models[].priceMultiplierBasisPoints'
    value: number
    index: number
  }

  export interface CapabilityRecordAddressesFieldEvent {
    field: '$.addresses[]'
    index: number
    value: string
  }

  export interface CapabilityRecordSoftwareFieldEvent {
    field: '$.software'
    value: string
  }

  export interface CapabilityRecordHardwareFieldEvent {
    field: '$.hardware'
    value: string
  }

  export function encode (obj: Partial<CapabilityRecord>): Uint8Array<ArrayBuffer> {
    return encodeMessage(obj, CapabilityRecord.codec())
  }

  export function decode (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<CapabilityRecord>): CapabilityRecord {
    return decodeMessage(buf, CapabilityRecord.codec(), opts)
  }

  export function stream (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<CapabilityRecord>): Generator<CapabilityRecordPeerIdFieldEvent | CapabilityRecordSequenceFieldEvent | CapabilityRecordExpiresAtMsFieldEvent | CapabilityRecordCertificateFieldEvent | CapabilityRecordModelsIdFieldEvent | CapabilityRecordModelsFamilyFieldEvent | CapabilityRecordModelsFileSha256FieldEvent | CapabilityRecordModelsQuantisationFieldEvent | CapabilityRecordModelsContextTokensFieldEvent | CapabilityRecordModelsModalityFieldEvent | CapabilityRecordModelsSlotsFieldEvent | CapabilityRecordModelsPrefillTokensPerSecondFieldEvent | CapabilityRecordModelsDecodeTokensPerSecondFieldEvent | CapabilityRecordModelsPriceMultiplierBasisPointsFieldEvent | CapabilityRecordAddressesFieldEvent | CapabilityRecordSoftwareFieldEvent | CapabilityRecordHardwareFieldEvent> {
    return streamMessage(buf, CapabilityRecord.codec(), opts)
  }
}

export interface ModelLoad {
  model: string
  slotsBusy: number
  slots: number
  queueLength: number
  decodeTokensPerSecond: number
}

export namespace ModelLoad {
  let _codec: Codec<ModelLoad>

  export const codec = (): Codec<ModelLoad> => {
    if (_codec == null) {
      _codec = message<ModelLoad>((obj, w, opts = {}) => {
        if (opts.lengthDelimited !== false) {
          w.fork()
        }

        if ((obj.model != null && obj.model !== '')) {
          w.uint32(10)
          w.string(obj.model)
        }

        if ((obj.slotsBusy != null && obj.slotsBusy !== 0)) {
          w.uint32(16)
          w.uint32(obj.slotsBusy)
        }

        if ((obj.slots != null && obj.slots !== 0)) {
          w.uint32(24)
          w.uint32(obj.slots)
        }

        if ((obj.queueLength != null && obj.queueLength !== 0)) {
          w.uint32(32)
          w.uint32(obj.queueLength)
        }

        if ((obj.decodeTokensPerSecond != null && obj.decodeTokensPerSecond !== 0)) {
          w.uint32(41)
          w.double(obj.decodeTokensPerSecond)
        }

        if (opts.lengthDelimited !== false) {
          w.ldelim()
        }
      }, (reader, length, opts = {}) => {
        const obj: any = {
          model: '',
          slotsBusy: 0,
          slots: 0,
          queueLength: 0,
          decodeTokensPerSecond: 0
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
              obj.slotsBusy = reader.uint32()
              break
            }
            case 3: {
              obj.slots = reader.uint32()
              break
            }
            case 4: {
              obj.queueLength = reader.uint32()
              break
            }
            case 5: {
              obj.decodeTokensPerSecond = reader.double()
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
                field: `${prefix}.slotsBusy`,
                value: reader.uint32()
              }
              break
            }
            case 3: {
              yield {
                field: `${prefix}.slots`,
                value: reader.uint32()
              }
              break
            }
            case 4: {
              yield {
                field: `${prefix}.queueLength`,
                value: reader.uint32()
              }
              break
            }
            case 5: {
              yield {
                field: `${prefix}.decodeTokensPerSecond`,
                value: reader.double()
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

  export interface ModelLoadModelFieldEvent {
    field: '$.model'
    value: string
  }

  export interface ModelLoadSlotsBusyFieldEvent {
    field: '$.slotsBusy'
    value: number
  }

  export interface ModelLoadSlotsFieldEvent {
    field: '$.slots'
    value: number
  }

  export interface ModelLoadQueueLengthFieldEvent {
    field: '$.queueLength'
    value: number
  }

  export interface ModelLoadDecodeTokensPerSecondFieldEvent {
    field: '$.decodeTokensPerSecond'
    value: number
  }

  export function encode (obj: Partial<ModelLoad>): Uint8Array<ArrayBuffer> {
    return encodeMessage(obj, ModelLoad.codec())
  }

  export function decode (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<ModelLoad>): ModelLoad {
    return decodeMessage(buf, ModelLoad.codec(), opts)
  }

  export function stream (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<ModelLoad>): Generator<ModelLoadModelFieldEvent | ModelLoadSlotsBusyFieldEvent | ModelLoadSlotsFieldEvent | ModelLoadQueueLengthFieldEvent | ModelLoadDecodeTokensPerSecondFieldEvent> {
    return streamMessage(buf, ModelLoad.codec(), opts)
  }
}

export interface LoadHeartbeat {
  peerId: string
  bootId: Uint8Array<ArrayBuffer>
  sequence: number
  sentAtMs: number
  draining: boolean
  models: ModelLoad[]
}

export namespace LoadHeartbeat {
  let _codec: Codec<LoadHeartbeat>

  export const codec = (): Codec<LoadHeartbeat> => {
    if (_codec == null) {
      _codec = message<LoadHeartbeat>((obj, w, opts = {}) => {
        if (opts.lengthDelimited !== false) {
          w.fork()
        }

        if ((obj.peerId != null && obj.peerId !== '')) {
          w.uint32(10)
          w.string(obj.peerId)
        }

        if ((obj.bootId != null && obj.bootId.byteLength > 0)) {
          w.uint32(18)
          w.bytes(obj.bootId)
        }

        if ((obj.sequence != null && obj.sequence !== 0)) {
          w.uint32(24)
          w.uint64Number(obj.sequence)
        }

        if ((obj.sentAtMs != null && obj.sentAtMs !== 0)) {
          w.uint32(32)
          w.uint64Number(obj.sentAtMs)
        }

        if ((obj.draining != null && obj.draining !== false)) {
          w.uint32(40)
          w.bool(obj.draining)
        }

        if (obj.models != null && obj.models.length > 0) {
          for (const value of obj.models) {
            w.uint32(50)
            ModelLoad.codec().encode(value, w)
          }
        }

        if (opts.lengthDelimited !== false) {
          w.ldelim()
        }
      }, (reader, length, opts = {}) => {
        const obj: any = {
          peerId: '',
          bootId: uint8ArrayAlloc(0),
          sequence: 0,
          sentAtMs: 0,
          draining: false,
          models: []
        }

        const end = length == null ? reader.len : reader.pos + length

        while (reader.pos < end) {
          const tag = reader.uint32()

          switch (tag >>> 3) {
            case 1: {
              obj.peerId = reader.string()
              break
            }
            case 2: {
              obj.bootId = reader.bytes()
              break
            }
            case 3: {
              obj.sequence = reader.uint64Number()
              break
            }
            case 4: {
              obj.sentAtMs = reader.uint64Number()
              break
            }
            case 5: {
              obj.draining = reader.bool()
              break
            }
            case 6: {
              if (opts.limits?.models != null && obj.models.length === opts.limits.models) {
                throw new MaxLengthError('Decode error - repeated field "models" had too many elements')
              }

              obj.models.push(ModelLoad.codec().decode(reader, reader.uint32(), {
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
                field: `${prefix}.peerId`,
                value: reader.string()
              }
              break
            }
            case 2: {
              yield {
                field: `${prefix}.bootId`,
                value: reader.bytes()
              }
              break
            }
            case 3: {
              yield {
                field: `${prefix}.sequence`,
                value: reader.uint64Number()
              }
              break
            }
            case 4: {
              yield {
                field: `${prefix}.sentAtMs`,
                value: reader.uint64Number()
              }
              break
            }
            case 5: {
              yield {
                field: `${prefix}.draining`,
                value: reader.bool()
              }
              break
            }
            case 6: {
              if (opts.limits?.models != null && obj.models === opts.limits.models) {
                throw new MaxLengthError('Streaming decode error - repeated field "models" had too many elements')
              }

              for (const evt of ModelLoad.codec().stream(reader, reader.uint32(), `${prefix}.models[]`, {
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

  export interface LoadHeartbeatPeerIdFieldEvent {
    field: '$.peerId'
    value: string
  }

  export interface LoadHeartbeatBootIdFieldEvent {
    field: '$.bootId'
    value: Uint8Array<ArrayBuffer>
  }

  export interface LoadHeartbeatSequenceFieldEvent {
    field: '$.sequence'
    value: number
  }

  export interface LoadHeartbeatSentAtMsFieldEvent {
    field: '$.sentAtMs'
    value: number
  }

  export interface LoadHeartbeatDrainingFieldEvent {
    field: '$.draining'
    value: boolean
  }

  export interface LoadHeartbeatModelsModelFieldEvent {
    field: '$.models[].model'
    value: string
    index: number
  }

  export interface LoadHeartbeatModelsSlotsBusyFieldEvent {
    field: '$.models[].slotsBusy'
    value: number
    index: number
  }

  export interface LoadHeartbeatModelsSlotsFieldEvent {
    field: '$.models[].slots'
    value: number
    index: number
  }

  export interface LoadHeartbeatModelsQueueLengthFieldEvent {
    field: '$.models[].queueLength'
    value: number
    index: number
  }

  export interface LoadHeartbeatModelsDecodeTokensPerSecondFieldEvent {
    field: '$.models[].decodeTokensPerSecond'
    value: number
    index: number
  }

  export function encode (obj: Partial<LoadHeartbeat>): Uint8Array<ArrayBuffer> {
    return encodeMessage(obj, LoadHeartbeat.codec())
  }

  export function decode (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<LoadHeartbeat>): LoadHeartbeat {
    return decodeMessage(buf, LoadHeartbeat.codec(), opts)
  }

  export function stream (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<LoadHeartbeat>): Generator<LoadHeartbeatPeerIdFieldEvent | LoadHeartbeatBootIdFieldEvent | LoadHeartbeatSequenceFieldEvent | LoadHeartbeatSentAtMsFieldEvent | LoadHeartbeatDrainingFieldEvent | LoadHeartbeatModelsModelFieldEvent | LoadHeartbeatModelsSlotsBusyFieldEvent | LoadHeartbeatModelsSlotsFieldEvent | LoadHeartbeatModelsQueueLengthFieldEvent | LoadHeartbeatModelsDecodeTokensPerSecondFieldEvent> {
    return streamMessage(buf, LoadHeartbeat.codec(), opts)
  }
}

export interface LoadAnnouncement {
  certificate: Uint8Array<ArrayBuffer>
  load?: LoadHeartbeat
}

export namespace LoadAnnouncement {
  let _codec: Codec<LoadAnnouncement>

  export const codec = (): Codec<LoadAnnouncement> => {
    if (_codec == null) {
      _codec = message<LoadAnnouncement>((obj, w, opts = {}) => {
        if (opts.lengthDelimited !== false) {
          w.fork()
        }

        if ((obj.certificate != null && obj.certificate.byteLength > 0)) {
          w.uint32(10)
          w.bytes(obj.certificate)
        }

        if (obj.load != null) {
          w.uint32(18)
          LoadHeartbeat.codec().encode(obj.load, w)
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
            case 2: {
              obj.load = LoadHeartbeat.codec().decode(reader, reader.uint32(), {
                limits: opts.limits?.load
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
                field: `${prefix}.certificate`,
                value: reader.bytes()
              }
              break
            }
            case 2: {
              yield * LoadHeartbeat.codec().stream(reader, reader.uint32(), `${prefix}.load`, {
                limits: opts.limits?.load
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

  export interface LoadAnnouncementCertificateFieldEvent {
    field: '$.certificate'
    value: Uint8Array<ArrayBuffer>
  }

  export interface LoadAnnouncementLoadPeerIdFieldEvent {
    field: '$.load.peerId'
    value: string
  }

  export interface LoadAnnouncementLoadBootIdFieldEvent {
    field: '$.load.bootId'
    value: Uint8Array<ArrayBuffer>
  }

  export interface LoadAnnouncementLoadSequenceFieldEvent {
    field: '$.load.sequence'
    value: number
  }

  export interface LoadAnnouncementLoadSentAtMsFieldEvent {
    field: '$.load.sentAtMs'
    value: number
  }

  export interface LoadAnnouncementLoadDrainingFieldEvent {
    field: '$.load.draining'
    value: boolean
  }

  export interface LoadAnnouncementLoadModelsModelFieldEvent {
    field: '$.load.models[].model'
    value: string
    index: number
  }

  export interface LoadAnnouncementLoadModelsSlotsBusyFieldEvent {
    field: '$.load.models[].slotsBusy'
    value: number
    index: number
  }

  export interface LoadAnnouncementLoadModelsSlotsFieldEvent {
    field: '$.load.models[].slots'
    value: number
    index: number
  }

  export interface LoadAnnouncementLoadModelsQueueLengthFieldEvent {
    field: '$.load.models[].queueLength'
    value: number
    index: number
  }

  export interface LoadAnnouncementLoadModelsDecodeTokensPerSecondFieldEvent {
    field: '$.load.models[].decodeTokensPerSecond'
    value: number
    index: number
  }

  export function encode (obj: Partial<LoadAnnouncement>): Uint8Array<ArrayBuffer> {
    return encodeMessage(obj, LoadAnnouncement.codec())
  }

  export function decode (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<LoadAnnouncement>): LoadAnnouncement {
    return decodeMessage(buf, LoadAnnouncement.codec(), opts)
  }

  export function stream (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<LoadAnnouncement>): Generator<LoadAnnouncementCertificateFieldEvent | LoadAnnouncementLoadPeerIdFieldEvent | LoadAnnouncementLoadBootIdFieldEvent | LoadAnnouncementLoadSequenceFieldEvent | LoadAnnouncementLoadSentAtMsFieldEvent | LoadAnnouncementLoadDrainingFieldEvent | LoadAnnouncementLoadModelsModelFieldEvent | LoadAnnouncementLoadModelsSlotsBusyFieldEvent | LoadAnnouncementLoadModelsSlotsFieldEvent | LoadAnnouncementLoadModelsQueueLengthFieldEvent | LoadAnnouncementLoadModelsDecodeTokensPerSecondFieldEvent> {
    return streamMessage(buf, LoadAnnouncement.codec(), opts)
  }
}

export interface GatewayAnnouncement {
  certificate: Uint8Array<ArrayBuffer>
  sequence: number
  sentAtMs: number
  addresses: string[]
}

export namespace GatewayAnnouncement {
  let _codec: Codec<GatewayAnnouncement>

  export const codec = (): Codec<GatewayAnnouncement> => {
    if (_codec == null) {
      _codec = message<GatewayAnnouncement>((obj, w, opts = {}) => {
        if (opts.lengthDelimited !== false) {
          w.fork()
        }

        if ((obj.certificate != null && obj.certificate.byteLength > 0)) {
          w.uint32(10)
          w.bytes(obj.certificate)
        }

        if ((obj.sequence != null && obj.sequence !== 0)) {
          w.uint32(16)
          w.uint64Number(obj.sequence)
        }

        if ((obj.sentAtMs != null && obj.sentAtMs !== 0)) {
          w.uint32(24)
          w.uint64Number(obj.sentAtMs)
        }

        if (obj.addresses != null && obj.addresses.length > 0) {
          for (const value of obj.addresses) {
            w.uint32(34)
            w.string(value)
          }
        }

        if (opts.lengthDelimited !== false) {
          w.ldelim()
        }
      }, (reader, length, opts = {}) => {
        const obj: any = {
          certificate: uint8ArrayAlloc(0),
          sequence: 0,
          sentAtMs: 0,
          addresses: []
        }

        const end = length == null ? reader.len : reader.pos + length

        while (reader.pos < end) {
          const tag = reader.uint32()

          switch (tag >>> 3) {
            case 1: {
              obj.certificate = reader.bytes()
              break
            }
            case 2: {
              obj.sequence = reader.uint64Number()
              break
            }
            case 3: {
              obj.sentAtMs = reader.uint64Number()
              break
            }
            case 4: {
              if (opts.limits?.addresses != null && obj.addresses.length === opts.limits.addresses) {
                throw new MaxLengthError('Decode error - repeated field "addresses" had too many elements')
              }

              obj.addresses.push(reader.string())
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
          addresses: 0
        }

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
            case 2: {
              yield {
                field: `${prefix}.sequence`,
                value: reader.uint64Number()
              }
              break
            }
            case 3: {
              yield {
                field: `${prefix}.sentAtMs`,
                value: reader.uint64Number()
              }
              break
            }
            case 4: {
              if (opts.limits?.addresses != null && obj.addresses === opts.limits.addresses) {
                throw new MaxLengthError('Streaming decode error - repeated field "addresses" had too many elements')
              }

              yield {
                field: `${prefix}.addresses[]`,
                index: obj.addresses,
                value: reader.string()
              }

              obj.addresses++

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

  export interface GatewayAnnouncementCertificateFieldEvent {
    field: '$.certificate'
    value: Uint8Array<ArrayBuffer>
  }

  export interface GatewayAnnouncementSequenceFieldEvent {
    field: '$.sequence'
    value: number
  }

  export interface GatewayAnnouncementSentAtMsFieldEvent {
    field: '$.sentAtMs'
    value: number
  }

  export interface GatewayAnnouncementAddressesFieldEvent {
    field: '$.addresses[]'
    index: number
    value: string
  }

  export function encode (obj: Partial<GatewayAnnouncement>): Uint8Array<ArrayBuffer> {
    return encodeMessage(obj, GatewayAnnouncement.codec())
  }

  export function decode (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<GatewayAnnouncement>): GatewayAnnouncement {
    return decodeMessage(buf, GatewayAnnouncement.codec(), opts)
  }

  export function stream (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<GatewayAnnouncement>): Generator<GatewayAnnouncementCertificateFieldEvent | GatewayAnnouncementSequenceFieldEvent | GatewayAnnouncementSentAtMsFieldEvent | GatewayAnnouncementAddressesFieldEvent> {
    return streamMessage(buf, GatewayAnnouncement.codec(), opts)
  }
}

export interface SessionHello {
  certificate: Uint8Array<ArrayBuffer>
  capability: Uint8Array<ArrayBuffer>
  load?: LoadHeartbeat
  software: string
}

export namespace SessionHello {
  let _codec: Codec<SessionHello>

  export const codec = (): Codec<SessionHello> => {
    if (_codec == null) {
      _codec = message<SessionHello>((obj, w, opts = {}) => {
        if (opts.lengthDelimited !== false) {
          w.fork()
        }

        if ((obj.certificate != null && obj.certificate.byteLength > 0)) {
          w.uint32(10)
          w.bytes(obj.certificate)
        }

        if ((obj.capability != null && obj.capability.byteLength > 0)) {
          w.uint32(18)
          w.bytes(obj.capability)
        }

        if (obj.load != null) {
          w.uint32(26)
          LoadHeartbeat.codec().encode(obj.load, w)
        }

        if ((obj.software != null && obj.software !== '')) {
          w.uint32(34)
          w.string(obj.software)
        }

        if (opts.lengthDelimited !== false) {
          w.ldelim()
        }
      }, (reader, length, opts = {}) => {
        const obj: any = {
          certificate: uint8ArrayAlloc(0),
          capability: uint8ArrayAlloc(0),
          software: ''
        }

        const end = length == null ? reader.len : reader.pos + length

        while (reader.pos < end) {
          const tag = reader.uint32()

          switch (tag >>> 3) {
            case 1: {
              obj.certificate = reader.bytes()
              break
            }
            case 2: {
              obj.capability = reader.bytes()
              break
            }
            case 3: {
              obj.load = LoadHeartbeat.codec().decode(reader, reader.uint32(), {
                limits: opts.limits?.load
              })
              break
            }
            case 4: {
              obj.software = reader.string()
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
            case 2: {
              yield {
                field: `${prefix}.capability`,
                value: reader.bytes()
              }
              break
            }
            case 3: {
              yield * LoadHeartbeat.codec().stream(reader, reader.uint32(), `${prefix}.load`, {
                limits: opts.limits?.load
              })

              break
            }
            case 4: {
              yield {
                field: `${prefix}.software`,
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

  export interface SessionHelloCertificateFieldEvent {
    field: '$.certificate'
    value: Uint8Array<ArrayBuffer>
  }

  export interface SessionHelloCapabilityFieldEvent {
    field: '$.capability'
    value: Uint8Array<ArrayBuffer>
  }

  export interface SessionHelloLoadPeerIdFieldEvent {
    field: '$.load.peerId'
    value: string
  }

  export interface SessionHelloLoadBootIdFieldEvent {
    field: '$.load.bootId'
    value: Uint8Array<ArrayBuffer>
  }

  export interface SessionHelloLoadSequenceFieldEvent {
    field: '$.load.sequence'
    value: number
  }

  export interface SessionHelloLoadSentAtMsFieldEvent {
    field: '$.load.sentAtMs'
    value: number
  }

  export interface SessionHelloLoadDrainingFieldEvent {
    field: '$.load.draining'
    value: boolean
  }

  export interface SessionHelloLoadModelsModelFieldEvent {
    field: '$.load.models[].model'
    value: string
    index: number
  }

  export interface SessionHelloLoadModelsSlotsBusyFieldEvent {
    field: '$.load.models[].slotsBusy'
    value: number
    index: number
  }

  export interface SessionHelloLoadModelsSlotsFieldEvent {
    field: '$.load.models[].slots'
    value: number
    index: number
  }

  export interface SessionHelloLoadModelsQueueLengthFieldEvent {
    field: '$.load.models[].queueLength'
    value: number
    index: number
  }

  export interface SessionHelloLoadModelsDecodeTokensPerSecondFieldEvent {
    field: '$.load.models[].decodeTokensPerSecond'
    value: number
    index: number
  }

  export interface SessionHelloSoftwareFieldEvent {
    field: '$.software'
    value: string
  }

  export function encode (obj: Partial<SessionHello>): Uint8Array<ArrayBuffer> {
    return encodeMessage(obj, SessionHello.codec())
  }

  export function decode (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<SessionHello>): SessionHello {
    return decodeMessage(buf, SessionHello.codec(), opts)
  }

  export function stream (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<SessionHello>): Generator<SessionHelloCertificateFieldEvent | SessionHelloCapabilityFieldEvent | SessionHelloLoadPeerIdFieldEvent | SessionHelloLoadBootIdFieldEvent | SessionHelloLoadSequenceFieldEvent | SessionHelloLoadSentAtMsFieldEvent | SessionHelloLoadDrainingFieldEvent | SessionHelloLoadModelsModelFieldEvent | SessionHelloLoadModelsSlotsBusyFieldEvent | SessionHelloLoadModelsSlotsFieldEvent | SessionHelloLoadModelsQueueLengthFieldEvent | SessionHelloLoadModelsDecodeTokensPerSecondFieldEvent | SessionHelloSoftwareFieldEvent> {
    return streamMessage(buf, SessionHello.codec(), opts)
  }
}
