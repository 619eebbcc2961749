import type { DecodeOptions } from 'protons-runtime'
import { LexoraError } from '../errors.ts'

/** What the generated protobuf code offers for one message kind. */
export interface GeneratedCodec<T> {
  encode(message: Partial<T>): Uint8Array
  decode(bytes: Uint8Array, options?: DecodeOptions<T>): T
}

/** Encoder and checked decoder of one message kind. */
export interface Codec<T> {
  /** The message's bytes. The caller built the value, so nothing is checked but the length. */
  encode(value: T): Uint8Array
  /** Reads and checks bytes from a peer. Throws `frame_too_large` or `malformed`, nothing else. */
  decode(bytes: Uint8Array): T
}

/** How one message kind is written and checked. */
export interface CodecRules<Raw, T> {
  /** For error texts: the message's name. */
  name: string
  /** Most bytes, checked before a byte is parsed. */
  bytesMax: number
  /** Most items of repeated fields, for messages in which a list of nothing but empty items would be long. */
  limits?: DecodeOptions<Raw>['limits']
  toWire(value: T): Partial<Raw>
  /** Builds the value out of what was parsed; throws `malformed` through the checks of `check.ts`. */
  fromWire(raw: Raw): T
}

/** Joins generated code with our limits: length cap, then schema, then our checks. */
export function codec<Raw, T>(generated: GeneratedCodec<Raw>, rules: CodecRules<Raw, T>): Codec<T> {
  const tooLarge = (length: number): LexoraError =>
    new LexoraError(
      'frame_too_large',
      `${rules.name} has ${length} bytes, at most ${rules.bytesMax} are allowed`,
      {
        facts: { length, max: rules.bytesMax },
      },
    )
  const options: DecodeOptions<Raw> = rules.limits === undefined ? {} : { limits: rules.limits }
  return {
    encode(value) {
      const bytes = generated.encode(rules.toWire(value))
      if (bytes.byteLength > rules.bytesMax) throw tooLarge(bytes.byteLength)
      return bytes
    },
    decode(bytes) {
      if (bytes.byteLength > rules.bytesMax) throw tooLarge(bytes.byteLength)
      try {
        return rules.fromWire(generated.decode(bytes, options))
      } catch (cause) {
        if (cause instanceof LexoraError) throw cause
        throw new LexoraError('malformed', `${rules.name} is not a valid message`, { cause })
      }
    },
  }
}

/**
 * The generated code asks for `Uint8Array<ArrayBuffer>`, while Node's own functions promise only `Uint8Array`.
 * A view is a view to the encoder; this says so to the compiler.
 */
export function view(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes as Uint8Array<ArrayBuffer>
}
