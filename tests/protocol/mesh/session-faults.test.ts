import { setImmediate as nextTurn } from 'node:timers/promises'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LexoraError } from '../../../protocol/src/errors.ts'
import { decodeError } from '../../../protocol/src/mesh/error-payload.ts'
import {
  createFrameDecoder,
  createFrameWriter,
  FRAME_KINDS,
} from '../../../protocol/src/mesh/frame.ts'
import { establishSession, type Session } from '../../../protocol/src/mesh/session.ts'
import { type MemoryStream, memoryPair } from './memory-pair.ts'
import { bytes, closed, NOTHING, sessionPair } from './session-pair.ts'

interface Raw {
  session: Session
  stream: MemoryStream
  /** Writes frames by hand from the far end. */
  write(fill: (writer: ReturnType<typeof createFrameWriter>) => void): void
  /** Error codes that the far end was told for the session as a whole. */
  told: string[]
}

/** A session whose far end is written by hand. */
async function rawSession(): Promise<Raw> {
  const [near, far] = memoryPair()
  const told: string[] = []
  const decoder = createFrameDecoder(1_000_000)
  far.listen({
    received: (chunk) => {
      decoder.push(chunk, (kind, id, payload) => {
        if (kind === FRAME_KINDS.error && id === 0) told.push(decodeError(payload).code)
      })
    },
    drained: () => {},
    ended: () => {},
  })
  const write: Raw['write'] = (fill) => {
    const writer = createFrameWriter()
    fill(writer)
    far.send(writer.take())
  }
  write((writer) => {
    writer.append(FRAME_KINDS.hello, 0, NOTHING)
  })
  const session = await establishSession(
    { stream: near },
    {
      remotePeer: 'far',
      direction: 'inbound',
      hello: () => NOTHING,
      accept: () => ({ requests: { echo: (payload) => Promise.resolve(payload) }, notices: {} }),
    },
  )
  return { session, stream: near, write, told }
}

const open = { method: 'echo', payload: NOTHING }

describe('a peer that breaks the protocol', () => {
  it.each<[string, (writer: ReturnType<typeof createFrameWriter>) => void]>([
    ['says hello twice', (writer) => writer.append(FRAME_KINDS.hello, 0, NOTHING)],
    ['answers what was never asked', (writer) => writer.append(FRAME_KINDS.data, 1, NOTHING)],
    ['ends what was never asked', (writer) => writer.append(FRAME_KINDS.end, 7, NOTHING)],
    ['answers request 0', (writer) => writer.append(FRAME_KINDS.end, 0, NOTHING)],
    ['fails what was never asked', (writer) => writer.append(FRAME_KINDS.error, 1, NOTHING)],
    ['cancels what it never sent', (writer) => writer.append(FRAME_KINDS.cancel, 1, NOTHING)],
    ['opens request 0', (writer) => writer.appendNamed(FRAME_KINDS.open, 0, open)],
    ['opens without a method', (writer) => writer.append(FRAME_KINDS.open, 1, NOTHING)],
    ['sends a notice with an id', (writer) => writer.appendNamed(FRAME_KINDS.notice, 1, open)],
    [
      'uses an id twice',
      (writer) => {
        writer.appendNamed(FRAME_KINDS.open, 3, open)
        writer.appendNamed(FRAME_KINDS.open, 3, open)
      },
    ],
  ])('%s: the session closes with malformed and says so', async (_name, fill) => {
    const { session, write, told } = await rawSession()
    const ended = closed(session)
    write(fill)
    expect(await ended).toMatchObject({ code: 'malformed' })
    await expect.poll(() => told).toEqual(['malformed'])
  })

  it('cancels a request that is over: nothing happens', async () => {
    const { session, write } = await rawSession()
    write((writer) => {
      writer.appendNamed(FRAME_KINDS.open, 1, open)
    })
    write((writer) => {
      writer.append(FRAME_KINDS.cancel, 1, NOTHING)
      writer.appendNamed(FRAME_KINDS.open, 9, open)
      writer.append(FRAME_KINDS.cancel, 5, NOTHING)
    })
    const answer = session.request('any', NOTHING, { timeoutMs: 5_000 })
    write((writer) => {
      writer.append(FRAME_KINDS.end, 1, bytes('fine'))
    })
    await expect(answer).resolves.toEqual(Buffer.from('fine'))
  })

  it('speaks before its hello: refused', async () => {
    const [near, far] = memoryPair()
    const writer = createFrameWriter()
    writer.appendNamed(FRAME_KINDS.open, 1, open)
    far.send(writer.take())
    const session = establishSession(
      { stream: near },
      {
        remotePeer: 'far',
        direction: 'inbound',
        hello: () => NOTHING,
        accept: () => ({ requests: {}, notices: {} }),
      },
    )
    await expect(session).rejects.toMatchObject({ code: 'malformed' })
  })

  it('sends anything at all: the session ends or goes on, and nothing else', async () => {
    const kind = fc.constantFrom(...Object.values(FRAME_KINDS))
    const frame = fc.record({
      kind,
      id: fc.oneof(fc.nat({ max: 4 }), fc.nat({ max: 0xffff_ffff })),
      payload: fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.constant(Buffer.from('\u0004echo!'))),
    })
    const outcomes = new Set<string>()
    await fc.assert(
      fc.asyncProperty(
        fc.array(frame, { maxLength: 12 }),
        fc.oneof(fc.uint8Array({ maxLength: 30 }), fc.constant(Buffer.from('\u0004load'))),
        async (frames, tail) => {
          const { session, write } = await rawSession()
          const calls = [1, 2].map(() =>
            session.request('any', NOTHING, { timeoutMs: 5_000 }).catch((error: unknown) => error),
          )
          write((writer) => {
            for (const each of frames) writer.append(each.kind, each.id, each.payload)
          })
          write((writer) => {
            writer.append(FRAME_KINDS.notice, 0, tail)
          })
          // One turn to deliver each write; then every call must settle, whatever happened.
          await nextTurn()
          await nextTurn()
          outcomes.add(session.isOpen ? 'open' : 'ended')
          const ended = closed(session)
          session.close()
          await ended
          for (const result of await Promise.all(calls)) {
            expect(result instanceof LexoraError || result instanceof Uint8Array).toBe(true)
          }
        },
      ),
      { numRuns: 200 },
    )
    // The frames were read at all, and some were harmless.
    expect(outcomes).toEqual(new Set(['open', 'ended']))
  })
})

describe('a slow peer', () => {
  it('is closed when too much waits for it', async () => {
    const { server, serverStream } = await sessionPair({
      limits: { writeBufferBytesMax: 10_000, frameBytesMax: 5_000 },
    })
    const ended = closed(server)
    serverStream.block()
    for (let index = 0; index < 20 && server.isOpen; index += 1) {
      server.notify('load', new Uint8Array(1_000))
    }
    expect(await ended).toMatchObject({ code: 'session_closed', facts: { reason: 'slow_peer' } })
    expect(serverStream.aborted).toBe(true)
  })

  it('is closed when it takes nothing for a while', async () => {
    const { server, serverStream } = await sessionPair({ limits: { writeStallMs: 20 } })
    const ended = closed(server)
    serverStream.block()
    server.notify('load', NOTHING)
    expect(await ended).toMatchObject({ code: 'session_closed', facts: { reason: 'slow_peer' } })
  })

  it('that reads again in time gets everything in order', async () => {
    const seen: number[] = []
    const { server, client, serverStream } = await sessionPair({
      client: {
        requests: { echo: (payload) => Promise.resolve(payload) },
        notices: { load: (payload) => seen.push(payload[0] ?? -1) },
      },
    })
    serverStream.block()
    const written = serverStream.writes.length
    server.notify('load', Uint8Array.of(0))
    await expect.poll(() => serverStream.needsDrain).toBe(true)
    for (let index = 1; index < 100; index += 1) server.notify('load', Uint8Array.of(index))
    // Nothing more is written to a stream that asked to wait.
    await new Promise(setImmediate)
    expect(serverStream.writes.length).toBe(written + 1)
    serverStream.unblock()
    await expect.poll(() => seen.length).toBe(100)
    expect(seen).toEqual(Array.from({ length: 100 }, (_each, index) => index))
    expect(client.isOpen).toBe(true)
  })

  it('makes a sender of large payloads wait in settled()', async () => {
    const progress: number[] = []
    const total = 40
    const { client, serverStream } = await sessionPair({
      limits: { writeBufferBytesMax: 64_000 },
      server: {
        requests: {
          image: async (_payload, context) => {
            for (let part = 0; part < total; part += 1) {
              context.send(new Uint8Array(10_000))
              progress.push(part)
              await context.settled()
            }
            return NOTHING
          },
        },
      },
    })
    serverStream.block()
    const call = client.call('image', NOTHING, {
      firstFrameTimeoutMs: 5_000,
      maxResponseBytes: 1_000_000,
    })
    await expect.poll(() => serverStream.needsDrain).toBe(true)
    expect(progress.length).toBeLessThan(3)
    serverStream.unblock()
    let received = 0
    for await (const frame of call.frames) received += frame.payload.length
    expect(received).toBe(total * 10_000)
  })
})
