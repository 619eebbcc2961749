import { LexoraError } from '../errors.ts'
import { METHOD_BYTES_MAX, PARTIAL_FRAME_BYTES, WRITE_BATCH_BYTES } from './limits.ts'

/**
 * The frame of a session: `u32be length | u8 version | u8 kind | u32be request id | payload`. The length counts what
 * follows it. `open` and `notice` begin their payload with `u8 length | ASCII method`.
 */

/** The frame version that this build speaks. */
const FRAME_VERSION = 1

/** Every kind of frame and its number on the wire. */
export const FRAME_KINDS = {
  hello: 1,
  open: 2,
  data: 3,
  end: 4,
  error: 5,
  cancel: 6,
  notice: 7,
} as const

/** A kind's number, from {@link FRAME_KINDS}. */
export type FrameKind = (typeof FRAME_KINDS)[keyof typeof FRAME_KINDS]

/** Bytes before a frame's payload. */
export const FRAME_HEADER_BYTES = 10

/** Bytes of the length field, which the length does not count. */
export const FRAME_LENGTH_BYTES = 4

/** The largest request id; a session that has used it ends. */
export const REQUEST_ID_MAX = 0xffff_ffff

/** Receives each whole frame. The payload is a view of received bytes: copy what is kept for long. */
export type FrameSink = (kind: FrameKind, requestId: number, payload: Uint8Array) => void

/** Collects the frames of one turn in one buffer. */
export interface FrameWriter {
  /** Bytes collected so far. */
  readonly byteLength: number
  /** Adds a frame without a method. */
  append(kind: FrameKind, requestId: number, payload: Uint8Array): void
  /** Adds an `open` or `notice` frame. */
  appendNamed(
    kind: FrameKind,
    requestId: number,
    named: { method: string; payload: Uint8Array },
  ): void
  /** Hands over what was collected and starts anew. */
  take(): Uint8Array
}

/** Cuts received bytes into frames, whatever the sizes of the chunks. */
export interface FrameDecoder {
  /**
   * Reads a chunk. Throws LexoraError `frame_too_large`, `unsupported_version` or `malformed` at the first bad frame,
   * and the same error at every later chunk.
   */
  push(chunk: Uint8Array, sink: FrameSink): void
  /** Sets the longest frame, counted after its length field. */
  limit(frameBytesMax: number): void
}

/** Makes a writer of frames. */
export function createFrameWriter(): FrameWriter {
  return new Writer()
}

/** Makes a decoder that accepts frames of up to `frameBytesMax` bytes after their length field. */
export function createFrameDecoder(frameBytesMax: number): FrameDecoder {
  return new Decoder(frameBytesMax)
}

/** Takes an `open` or `notice` payload apart. Throws LexoraError `malformed`. */
export function readNamed(payload: Uint8Array): { method: string; payload: Uint8Array } {
  const length = payload[0] ?? 0
  if (length === 0 || length > METHOD_BYTES_MAX || payload.length < 1 + length) {
    throw new LexoraError('malformed', 'a frame names no method', { facts: { length } })
  }
  let method = ''
  for (let index = 1; index <= length; index += 1) {
    const byte = payload[index] ?? 0
    if (byte < 0x21 || byte > 0x7e) {
      throw new LexoraError('malformed', 'a method name is not printable ASCII', {
        facts: { byte },
      })
    }
    method += String.fromCharCode(byte)
  }
  return { method, payload: payload.subarray(1 + length) }
}

class Writer implements FrameWriter {
  #buffer: Buffer = Buffer.allocUnsafe(WRITE_BATCH_BYTES.first)
  #length = 0

  get byteLength(): number {
    return this.#length
  }

  append(kind: FrameKind, requestId: number, payload: Uint8Array): void {
    const at = this.#header(kind, requestId, payload.length)
    this.#buffer.set(payload, at)
  }

  appendNamed(
    kind: FrameKind,
    requestId: number,
    named: { method: string; payload: Uint8Array },
  ): void {
    const { method, payload } = named
    const at = this.#header(kind, requestId, 1 + method.length + payload.length)
    this.#buffer[at] = method.length
    this.#buffer.write(method, at + 1, 'latin1')
    this.#buffer.set(payload, at + 1 + method.length)
  }

  take(): Uint8Array {
    const taken = this.#buffer.subarray(0, this.#length)
    // The next turn is likely to be about as long as this one; the buffer just taken belongs to the transport now.
    const next = Math.min(WRITE_BATCH_BYTES.kept, Math.max(WRITE_BATCH_BYTES.first, this.#length))
    this.#buffer = Buffer.allocUnsafe(next)
    this.#length = 0
    return taken
  }

  #header(kind: FrameKind, requestId: number, payloadLength: number): number {
    const at = this.#length
    const end = at + FRAME_HEADER_BYTES + payloadLength
    if (end > this.#buffer.length) this.#grow(end)
    const buffer = this.#buffer
    buffer.writeUInt32BE(FRAME_HEADER_BYTES - FRAME_LENGTH_BYTES + payloadLength, at)
    buffer[at + 4] = FRAME_VERSION
    buffer[at + 5] = kind
    buffer.writeUInt32BE(requestId, at + 6)
    this.#length = end
    return at + FRAME_HEADER_BYTES
  }

  #grow(needed: number): void {
    const larger = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2))
    larger.set(this.#buffer.subarray(0, this.#length))
    this.#buffer = larger
  }
}

class Decoder implements FrameDecoder {
  #frameBytesMax: number
  #partial: Uint8Array = new Uint8Array(0)
  #have = 0
  #failure: LexoraError | undefined

  constructor(frameBytesMax: number) {
    this.#frameBytesMax = frameBytesMax
  }

  limit(frameBytesMax: number): void {
    this.#frameBytesMax = frameBytesMax
  }

  push(chunk: Uint8Array, sink: FrameSink): void {
    if (this.#failure !== undefined) throw this.#failure
    try {
      this.#read(chunk, sink)
    } catch (error) {
      if (error instanceof LexoraError) this.#failure = error
      throw error
    }
  }

  #read(chunk: Uint8Array, sink: FrameSink): void {
    let at = this.#have === 0 ? 0 : this.#complete(chunk, sink)
    while (chunk.length - at >= FRAME_LENGTH_BYTES) {
      const end = at + FRAME_LENGTH_BYTES + this.#length(chunk, at)
      if (end > chunk.length) break
      emit(chunk, { at, end }, sink)
      at = end
    }
    if (at < chunk.length) this.#keep(chunk, at, chunk.length)
  }

  /** Adds to the frame that an earlier chunk began; returns where the next frame starts in this chunk. */
  #complete(chunk: Uint8Array, sink: FrameSink): number {
    let at = 0
    if (this.#have < FRAME_LENGTH_BYTES) {
      at = Math.min(FRAME_LENGTH_BYTES - this.#have, chunk.length)
      this.#keep(chunk, 0, at)
      if (this.#have < FRAME_LENGTH_BYTES) return at
    }
    const size = FRAME_LENGTH_BYTES + this.#length(this.#partial, 0)
    const end = Math.min(chunk.length, at + size - this.#have)
    this.#keep(chunk, at, end)
    if (this.#have < size) return end
    const whole = this.#partial
    this.#partial = new Uint8Array(0)
    this.#have = 0
    emit(whole, { at: 0, end: size }, sink)
    return end
  }

  /** Keeps bytes of an unfinished frame. The buffer doubles, so all the copies of one frame are linear in its size. */
  #keep(chunk: Uint8Array, from: number, to: number): void {
    const needed = this.#have + to - from
    if (needed > this.#partial.length) {
      const larger = new Uint8Array(Math.max(needed, this.#partial.length * 2, PARTIAL_FRAME_BYTES))
      larger.set(this.#partial.subarray(0, this.#have))
      this.#partial = larger
    }
    this.#partial.set(chunk.subarray(from, to), this.#have)
    this.#have = needed
  }

  #length(bytes: Uint8Array, at: number): number {
    const length = readUint32(bytes, at)
    if (length > this.#frameBytesMax) {
      const facts = { bytes: length, bytesMax: this.#frameBytesMax }
      throw new LexoraError('frame_too_large', 'the peer sent a frame above the limit', { facts })
    }
    if (length < FRAME_HEADER_BYTES - FRAME_LENGTH_BYTES) {
      throw new LexoraError('malformed', 'a frame is shorter than its header', {
        facts: { bytes: length },
      })
    }
    return length
  }
}

function emit(bytes: Uint8Array, frame: { at: number; end: number }, sink: FrameSink): void {
  const version = bytes[frame.at + 4]
  if (version !== FRAME_VERSION) {
    const facts = { version: version ?? 0, supported: FRAME_VERSION }
    throw new LexoraError('unsupported_version', 'the peer speaks another frame version', { facts })
  }
  const kind = bytes[frame.at + 5]
  if (!isFrameKind(kind)) {
    throw new LexoraError('malformed', 'the peer sent an unknown kind of frame', {
      facts: { kind: kind ?? 0 },
    })
  }
  sink(
    kind,
    readUint32(bytes, frame.at + 6),
    bytes.subarray(frame.at + FRAME_HEADER_BYTES, frame.end),
  )
}

function isFrameKind(kind: number | undefined): kind is FrameKind {
  return kind !== undefined && kind >= FRAME_KINDS.hello && kind <= FRAME_KINDS.notice
}

function readUint32(bytes: Uint8Array, at: number): number {
  const high = ((bytes[at] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16)
  return (high | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0)) >>> 0
}
