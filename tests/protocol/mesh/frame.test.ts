import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LexoraError } from '../../../protocol/src/errors.ts'
import {
  createFrameDecoder,
  createFrameWriter,
  FRAME_KINDS,
  type FrameKind,
  readNamed,
} from '../../../protocol/src/mesh/frame.ts'

interface Frame {
  kind: FrameKind
  id: number
  payload: Uint8Array
}

const BYTES_MAX = 4096
const frameArbitrary: fc.Arbitrary<Frame> = fc.record({
  kind: fc.constantFrom(...Object.values(FRAME_KINDS)),
  id: fc.nat({ max: 0xffff_ffff }),
  payload: fc.uint8Array({ maxLength: 600 }),
})
const cutsArbitrary = fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 40 })

function encode(frames: Frame[]): Uint8Array {
  const writer = createFrameWriter()
  for (const { kind, id, payload } of frames) writer.append(kind, id, payload)
  return writer.take()
}

/** Pushes bytes in pieces of the given sizes, over and over. */
function decode(stream: Uint8Array, sizes: number[]): Frame[] {
  const decoder = createFrameDecoder(BYTES_MAX)
  const frames: Frame[] = []
  for (let at = 0, turn = 0; at < stream.length; turn += 1) {
    const size = sizes[turn % sizes.length] ?? 1
    decoder.push(stream.subarray(at, at + size), (kind, id, payload) => {
      frames.push({ kind, id, payload: Uint8Array.from(payload) })
    })
    at += size
  }
  return frames
}

describe('frames', () => {
  it('lays a frame out as documented', () => {
    const writer = createFrameWriter()
    writer.append(FRAME_KINDS.data, 0x01020304, Uint8Array.of(0xaa, 0xbb))
    writer.appendNamed(FRAME_KINDS.open, 5, { method: 'hi', payload: Uint8Array.of(0xcc) })
    expect(Buffer.from(writer.take()).toString('hex')).toBe(
      '00000008010301020304aabb' + '0000000a010200000005' + '026869' + 'cc',
    )
    expect(writer.byteLength).toBe(0)
  })

  it('reads what was written, however it is cut', () => {
    fc.assert(
      fc.property(fc.array(frameArbitrary, { maxLength: 20 }), cutsArbitrary, (frames, sizes) => {
        expect(decode(encode(frames), sizes)).toEqual(frames)
      }),
    )
  })

  it('survives arbitrary bytes with nothing but coded errors', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 3000 }), cutsArbitrary, (stream, sizes) => {
        onlyCodedErrors(() => decode(stream, sizes))
      }),
    )
  })

  it('survives any change to a valid stream', () => {
    const change = fc.record({ at: fc.nat(), value: fc.nat({ max: 255 }) })
    fc.assert(
      fc.property(
        fc.array(frameArbitrary, { minLength: 1, maxLength: 10 }),
        fc.array(change, { minLength: 1, maxLength: 6 }),
        cutsArbitrary,
        (frames, changes, sizes) => {
          const stream = encode(frames)
          for (const { at, value } of changes) stream[at % stream.length] = value
          onlyCodedErrors(() => decode(stream, sizes))
        },
      ),
    )
  })

  it.each([
    ['frame_too_large', '00001001' + '010100000000'],
    ['malformed', '00000005' + '0101000000'],
    ['malformed', '00000000'],
    ['unsupported_version', '00000006' + '020100000000'],
    ['malformed', '00000006' + '010000000000'],
    ['malformed', '00000006' + '010800000000'],
  ])('refuses with %s: %s', (code, hex) => {
    const decoder = createFrameDecoder(BYTES_MAX)
    const push = (): void => {
      decoder.push(Buffer.from(hex, 'hex'), () => {})
    }
    expect(push).toThrow(expect.objectContaining({ code }))
    // A decoder that has lost its place never finds it again.
    expect(push).toThrow(expect.objectContaining({ code }))
  })

  it('reads a frame that arrives byte by byte in linear time', () => {
    const size = 1024 * 1024
    const decoder = createFrameDecoder(size + 6)
    const stream = encode([
      { kind: FRAME_KINDS.data, id: 1, payload: new Uint8Array(size).fill(7) },
    ])
    let received = 0
    const startedMs = performance.now()
    for (let at = 0; at < stream.length; at += 1) {
      decoder.push(stream.subarray(at, at + 1), (_kind, _id, payload) => {
        received = payload.length
      })
    }
    expect(received).toBe(size)
    // A copy of what is there for each byte would take minutes.
    expect(performance.now() - startedMs).toBeLessThan(5_000)
  })
})

describe('readNamed()', () => {
  it('reads arbitrary bytes with nothing but coded errors', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (payload) => {
        onlyCodedErrors(() => readNamed(payload))
      }),
    )
  })

  it.each(['', '00', '05aabb', '0120', '017f', '02c3a4'])('refuses %s', (hex) => {
    expect(() => readNamed(Buffer.from(hex, 'hex'))).toThrow(
      expect.objectContaining({ code: 'malformed' }),
    )
  })
})

function onlyCodedErrors(run: () => unknown): void {
  try {
    run()
  } catch (error) {
    expect(error).toBeInstanceOf(LexoraError)
  }
}
