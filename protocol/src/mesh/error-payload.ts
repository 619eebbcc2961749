import { type ErrorFacts, isErrorCode, LexoraError } from '../errors.ts'
import { ERROR_FACT_BYTES_MAX, ERROR_FACTS_MAX, ERROR_MESSAGE_BYTES_MAX } from './limits.ts'

/**
 * The payload of an error frame: `text8 code | text16 message | u8 count | count × (text8 name | value)`, where textN
 * is a length of N bits and UTF-8, and a value is `0 text8`, `1 float64` or `2 u8`.
 */

const VALUE_TEXT = 0
const VALUE_NUMBER = 1
const VALUE_BOOLEAN = 2
const FACT_NAME = /^[a-zA-Z][a-zA-Z0-9_]{0,39}$/

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** Writes an error for the wire; what is above a limit is cut. */
export function encodeError(error: LexoraError): Uint8Array {
  const parts: Uint8Array[] = [
    text8(error.code, 255),
    text16(error.message, ERROR_MESSAGE_BYTES_MAX),
  ]
  const facts = Object.entries(error.facts)
    .filter(
      ([name, value]) =>
        FACT_NAME.test(name) && (typeof value !== 'number' || Number.isFinite(value)),
    )
    .slice(0, ERROR_FACTS_MAX)
  parts.push(Uint8Array.of(facts.length))
  for (const [name, value] of facts) parts.push(text8(name, 255), encodeValue(value))
  return Buffer.concat(parts)
}

/**
 * Reads an error from the wire. Total: what cannot be read, and a code that this build does not know, becomes
 * `malformed`. The peer's own text is never the message: it is kept, without control characters, for
 * {@link remoteMessageOf}.
 */
export function decodeError(payload: Uint8Array): LexoraError {
  try {
    return readError(payload)
  } catch (cause) {
    return new LexoraError('malformed', 'the peer sent an error that cannot be read', { cause })
  }
}

/** What the peer itself wrote beside the code, if the error came from one: for an operator's terminal, never for a client. */
export function remoteMessageOf(error: unknown): string | undefined {
  if (!(error instanceof LexoraError)) return undefined
  return error.cause instanceof RemoteText ? error.cause.message : remoteMessageOf(error.cause)
}

/** Carries a peer's text as a cause. */
class RemoteText extends Error {
  constructor(text: string) {
    super(text)
    this.name = 'RemoteText'
    // Where a remote text was decoded helps nobody, and taking a stack is most of the cost.
    this.stack = text
  }
}

function readError(payload: Uint8Array): LexoraError {
  const reader = new Reader(payload)
  const code = reader.text(reader.uint8())
  const message = reader.text(reader.uint16(ERROR_MESSAGE_BYTES_MAX))
  const count = reader.uint8()
  if (count > ERROR_FACTS_MAX) throw new Error('too many facts')
  const facts: [string, string | number | boolean][] = []
  for (let index = 0; index < count; index += 1) {
    const name = reader.text(reader.uint8())
    if (!FACT_NAME.test(name)) throw new Error('bad fact name')
    facts.push([name, readValue(reader)])
  }
  reader.end()
  if (!isErrorCode(code))
    return new LexoraError('malformed', 'the peer sent an error code that is not known here')
  const options: { facts: ErrorFacts; cause?: unknown } = { facts: Object.fromEntries(facts) }
  if (message !== '') options.cause = new RemoteText(message)
  return new LexoraError(code, `the peer answered ${code}`, options)
}

function readValue(reader: Reader): string | number | boolean {
  const type = reader.uint8()
  if (type === VALUE_TEXT) return reader.text(reader.uint8())
  if (type === VALUE_NUMBER) return reader.float64()
  if (type !== VALUE_BOOLEAN) throw new Error('bad fact type')
  return reader.uint8() !== 0
}

function encodeValue(value: string | number | boolean): Uint8Array {
  if (typeof value === 'string')
    return Buffer.concat([Uint8Array.of(VALUE_TEXT), text8(value, ERROR_FACT_BYTES_MAX)])
  if (typeof value === 'boolean') return Uint8Array.of(VALUE_BOOLEAN, value ? 1 : 0)
  const bytes = Buffer.alloc(9)
  bytes[0] = VALUE_NUMBER
  bytes.writeDoubleBE(value, 1)
  return bytes
}

function text8(text: string, bytesMax: number): Uint8Array {
  const bytes = cut(text, bytesMax)
  return Buffer.concat([Uint8Array.of(bytes.length), bytes])
}

function text16(text: string, bytesMax: number): Uint8Array {
  const bytes = cut(text, bytesMax)
  return Buffer.concat([Uint8Array.of(bytes.length >> 8, bytes.length & 0xff), bytes])
}

/** UTF-8 of as many whole characters as fit. */
function cut(text: string, bytesMax: number): Uint8Array {
  const bytes = new Uint8Array(bytesMax)
  return bytes.subarray(0, encoder.encodeInto(text, bytes).written)
}

class Reader {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  uint8(): number {
    return this.#take(1)[0] ?? 0
  }

  uint16(max: number): number {
    const value = (this.uint8() << 8) | this.uint8()
    if (value > max) throw new Error('above the limit')
    return value
  }

  float64(): number {
    const bytes = this.#take(8)
    const value = new DataView(bytes.buffer, bytes.byteOffset, 8).getFloat64(0)
    if (!Number.isFinite(value)) throw new Error('not a finite number')
    return value
  }

  /** Text without control characters, which could rewrite a terminal or forge a log line. */
  text(length: number): string {
    return decoder.decode(this.#take(length)).replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, ' ')
  }

  end(): void {
    if (this.#at !== this.#bytes.length) throw new Error('bytes left over')
  }

  #take(length: number): Uint8Array {
    if (this.#bytes.length - this.#at < length) throw new Error('cut short')
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }
}
