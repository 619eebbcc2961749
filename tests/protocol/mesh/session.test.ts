import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { errorCodeOf, LexoraError } from '../../../protocol/src/errors.ts'
import type { Call, CallFrame } from '../../../protocol/src/mesh/call.ts'
import { remoteMessageOf } from '../../../protocol/src/mesh/error-payload.ts'
import type { RequestHandler } from '../../../protocol/src/mesh/serve.ts'
import { establishSession } from '../../../protocol/src/mesh/session.ts'
import { memoryPair } from './memory-pair.ts'
import { bytes, closed, NOTHING, sessionPair, text } from './session-pair.ts'

const PATIENT = { firstFrameTimeoutMs: 5_000, maxResponseBytes: 1_000_000 }

/** Sends the request's number of tokens, a turn apart, then `done`. */
const count: RequestHandler = async (payload, context) => {
  const total = Number(text(payload))
  for (let index = 0; index < total; index += 1) {
    context.send(bytes(`${index}`))
    await nextTurn()
  }
  return bytes('done')
}

const echo: RequestHandler = (payload) => Promise.resolve(payload)

/** Runs until its signal aborts and says why. */
function untilAborted(reasons: unknown[]): RequestHandler {
  return (_payload, { signal }) =>
    new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => {
        reasons.push(signal.reason)
        reject(signal.reason as Error)
      })
    })
}

async function collect(call: Call): Promise<{ frames: CallFrame[]; code: string | undefined }> {
  const frames: CallFrame[] = []
  try {
    for await (const frame of call.frames) frames.push(frame)
    return { frames, code: undefined }
  } catch (error) {
    return { frames, code: errorCodeOf(error) }
  }
}

describe('a session', () => {
  it('exchanges hellos', async () => {
    const { client, server } = await sessionPair()
    expect(text(client.remoteHello)).toBe('server hello')
    expect(text(server.remoteHello)).toBe('client hello')
    expect([client.direction, server.direction]).toEqual(['outbound', 'inbound'])
    expect(client.isOpen && server.isOpen).toBe(true)
  })

  it('carries many requests of both ends at once, in any chunking', async () => {
    const { client, server } = await sessionPair({
      client: { requests: { count } },
      server: { requests: { count } },
      chunkBytes: 7,
    })
    const runs = Array.from({ length: 60 }, async (_unused, index) => {
      const caller = index % 2 === 0 ? client : server
      const { frames, code } = await collect(caller.call('count', bytes(`${index}`), PATIENT))
      expect(code).toBeUndefined()
      const expected = Array.from({ length: index }, (_each, number) => `${number}`)
      expect(frames.map((frame) => text(frame.payload))).toEqual([...expected, 'done'])
      expect(frames.at(-1)?.kind).toBe('end')
    })
    await Promise.all(runs)
  })

  it('writes once per turn, however many frames', async () => {
    const { client, serverStream } = await sessionPair({ server: { requests: { count } } })
    const before = serverStream.writes.length
    const calls = Array.from({ length: 100 }, () => client.call('count', bytes('20'), PATIENT))
    const results = await Promise.all(calls.map(collect))
    for (const { frames } of results) expect(frames).toHaveLength(21)
    // 2,100 frames in 21 turns, and a few for turns that fell between.
    expect(serverStream.writes.length - before).toBeLessThanOrEqual(25)
  })

  it('answers unary requests and delivers notices in order', async () => {
    const notices: string[] = []
    const { client } = await sessionPair({
      server: {
        requests: { echo },
        notices: {
          load: (payload, session) => notices.push(`${session.remotePeer} ${text(payload)}`),
        },
      },
    })
    client.notify('load', bytes('1'))
    client.notify('nobody.listens', NOTHING)
    client.notify('load', bytes('2'))
    expect(text(await client.request('echo', bytes('hello'), { timeoutMs: 5_000 }))).toBe('hello')
    expect(notices).toEqual(['client 1', 'client 2'])
  })

  it('gives an error of a handler its code, and what is not coded a fixed text', async () => {
    const { client } = await sessionPair({
      server: {
        requests: {
          coded: () =>
            Promise.reject(
              new LexoraError('provider_draining', 'goes home', { facts: { inMs: 5 } }),
            ),
          fault: () => Promise.reject(new Error('secret path of a file')),
          sync: () => {
            throw new TypeError('secret')
          },
        },
      },
    })
    const request = (method: string): Promise<unknown> =>
      client.request(method, NOTHING, { timeoutMs: 5_000 }).catch((error: unknown) => error)
    expect(await request('coded')).toMatchObject({ code: 'provider_draining', facts: { inMs: 5 } })
    expect(remoteMessageOf(await request('coded'))).toBe('goes home')
    for (const method of ['fault', 'sync']) {
      const error = await request(method)
      expect(error).toMatchObject({ code: 'internal' })
      expect(remoteMessageOf(error)).toBe('the request failed on the peer')
    }
    expect(await request('toString')).toMatchObject({ code: 'unknown_method' })
    expect(client.isOpen).toBe(true)
  })

  it('survives a notice handler and a close listener that throw', async () => {
    const { client, server } = await sessionPair({
      server: {
        requests: { echo },
        notices: {
          bad: () => {
            throw new Error('bad')
          },
        },
      },
    })
    client.notify('bad', NOTHING)
    await client.request('echo', NOTHING, { timeoutMs: 5_000 })
    server.onClose(() => {
      throw new Error('bad')
    })
    const ended = closed(server)
    client.close()
    expect(await ended).toMatchObject({ code: 'session_closed' })
  })
})

describe('cancel', () => {
  it('reaches the handler, whose end is still delivered', async () => {
    const reasons: unknown[] = []
    const { client } = await sessionPair({
      server: {
        requests: {
          polite: (_payload, { signal, send }) =>
            new Promise((resolve) => {
              send(bytes('first'))
              signal.addEventListener('abort', () => {
                reasons.push(signal.reason)
                send(bytes('last words'))
                resolve(bytes('receipt'))
              })
            }),
        },
      },
    })
    const call = client.call('polite', NOTHING, PATIENT)
    const seen: string[] = []
    for await (const frame of call.frames) {
      seen.push(`${frame.kind} ${text(frame.payload)}`)
      call.cancel()
    }
    expect(seen).toEqual(['data first', 'data last words', 'end receipt'])
    expect(reasons).toEqual([expect.objectContaining({ code: 'cancelled' })])
  })

  it('works from the other end as well, by a signal', async () => {
    const reasons: unknown[] = []
    const { server } = await sessionPair({ client: { requests: { wait: untilAborted(reasons) } } })
    const controller = new AbortController()
    const call = server.call('wait', NOTHING, { ...PATIENT, signal: controller.signal })
    controller.abort()
    expect(await collect(call)).toEqual({ frames: [], code: 'cancelled' })
    expect(reasons).toHaveLength(1)
  })

  it('gives up after the grace when the handler does not finish', async () => {
    const { client } = await sessionPair({
      server: { requests: { deaf: () => new Promise(() => {}) } },
    })
    const call = client.call('deaf', NOTHING, { ...PATIENT, cancelGraceMs: 20 })
    call.cancel()
    expect(await collect(call)).toEqual({ frames: [], code: 'cancelled' })
    expect(client.isOpen).toBe(true)
  })

  it('happens when the reader leaves, and late frames harm nobody', async () => {
    const { client } = await sessionPair({ server: { requests: { count, echo } } })
    for await (const frame of client.call('count', bytes('50'), PATIENT).frames) {
      expect(frame.kind).toBe('data')
      break
    }
    // The count handler does not look at its signal, so its frames still arrive here.
    await collect(client.call('count', bytes('60'), PATIENT))
    expect(text(await client.request('echo', bytes('on'), { timeoutMs: 5_000 }))).toBe('on')
  })

  it('before the start sends nothing', async () => {
    const { client, clientStream } = await sessionPair({ server: { requests: { echo } } })
    const before = clientStream.writes.length
    const signal = AbortSignal.abort()
    expect(await collect(client.call('echo', NOTHING, { ...PATIENT, signal }))).toEqual({
      frames: [],
      code: 'cancelled',
    })
    await expect(client.request('echo', NOTHING, { timeoutMs: 1, signal })).rejects.toMatchObject({
      code: 'cancelled',
    })
    await nextTurn()
    expect(clientStream.writes.length).toBe(before)
  })
})

describe('deadlines and caps', () => {
  it('ends a call without a first frame, and tells the other end', async () => {
    const reasons: unknown[] = []
    const { client } = await sessionPair({ server: { requests: { wait: untilAborted(reasons) } } })
    const late = client.call('wait', NOTHING, { ...PATIENT, firstFrameTimeoutMs: 20 })
    await expect(late.frames[Symbol.asyncIterator]().next()).rejects.toMatchObject({
      code: 'timeout',
      facts: { waited: 'first_frame' },
    })
    await expect.poll(() => reasons).toHaveLength(1)
  })

  it('ends a call that stops between frames', async () => {
    const { client } = await sessionPair({
      server: {
        requests: {
          stall: (_payload, { send }) => {
            send(bytes('one'))
            return new Promise(() => {})
          },
        },
      },
    })
    const call = client.call('stall', NOTHING, { ...PATIENT, idleTimeoutMs: 20 })
    const { frames, code } = await collect(call)
    expect([frames.length, code]).toEqual([1, 'timeout'])
  })

  it('ends a unary request that is late, and one that is streamed', async () => {
    const reasons: unknown[] = []
    const { client } = await sessionPair({
      server: { requests: { wait: untilAborted(reasons), count } },
    })
    await expect(client.request('wait', NOTHING, { timeoutMs: 20 })).rejects.toMatchObject({
      code: 'timeout',
    })
    await expect.poll(() => reasons).toHaveLength(1)
    await expect(client.request('count', bytes('3'), { timeoutMs: 5_000 })).rejects.toMatchObject({
      code: 'malformed',
    })
  })

  it('ends an answer above its bytes, and only that', async () => {
    const { client } = await sessionPair({ server: { requests: { count, echo } } })
    const call = client.call('count', bytes('100'), { ...PATIENT, maxResponseBytes: 10 })
    const { frames, code } = await collect(call)
    expect([frames.length, code]).toEqual([10, 'frame_too_large'])
    const large = client.request('echo', new Uint8Array(11), {
      timeoutMs: 5_000,
      maxResponseBytes: 10,
    })
    await expect(large).rejects.toMatchObject({ code: 'frame_too_large' })
    expect(client.isOpen).toBe(true)
  })

  it('refuses payloads that fit no frame before they are sent', async () => {
    const { client } = await sessionPair({
      limits: { frameBytesMax: 1000 },
      server: { requests: { big: () => Promise.resolve(new Uint8Array(1000)), echo } },
    })
    const big = new Uint8Array(1000)
    await expect(client.request('echo', big, { timeoutMs: 5_000 })).rejects.toMatchObject({
      code: 'frame_too_large',
    })
    expect(() => {
      client.notify('echo', big)
    }).toThrow(expect.objectContaining({ code: 'frame_too_large' }))
    await expect(client.request('big', NOTHING, { timeoutMs: 5_000 })).rejects.toMatchObject({
      code: 'frame_too_large',
    })
    expect(client.isOpen).toBe(true)
  })

  it('answers provider_busy above the requests that may run', async () => {
    const { client } = await sessionPair({
      limits: { inboundRequestsMax: 2, outboundRequestsMax: 3 },
      server: { requests: { deaf: () => new Promise(() => {}) } },
    })
    const call = (): Call => client.call('deaf', NOTHING, { ...PATIENT, cancelGraceMs: 10 })
    const running = [call(), call()]
    // The peer refuses the third, this end the fourth.
    const [third, fourth] = [call(), call()]
    expect([await collect(third), await collect(fourth)]).toEqual([
      { frames: [], code: 'provider_busy' },
      { frames: [], code: 'provider_busy' },
    ])
    for (const each of running) each.cancel()
    await Promise.all(running.map(collect))
  })
})

describe('the end of a session', () => {
  it('fails calls with session_closed when the peer is gone without a word, and keeps what arrived', async () => {
    const reasons: unknown[] = []
    const { client, server, serverStream } = await sessionPair({
      client: { requests: { wait: untilAborted(reasons) } },
      server: {
        requests: {
          half: (_payload, { send }) => {
            send(bytes('one'))
            return new Promise(() => {})
          },
          deaf: () => new Promise(() => {}),
        },
      },
    })
    const call = client.call('half', NOTHING, PATIENT)
    const fromServer = collect(server.call('wait', NOTHING, PATIENT))
    const iterator = call.frames[Symbol.asyncIterator]()
    expect((await iterator.next()).value).toMatchObject({ kind: 'data' })
    const unary = client.request('deaf', NOTHING, { timeoutMs: 5_000 }).catch(errorCodeOf)
    const ended = closed(client)
    // What a killed process looks like through libp2p: a clean end of the stream.
    await serverStream.close()
    await expect(iterator.next()).rejects.toMatchObject({ code: 'session_closed' })
    expect((await iterator.next()).done).toBe(true)
    expect(await unary).toBe('session_closed')
    expect(await ended).toMatchObject({ code: 'session_closed' })
    expect(reasons).toEqual([expect.objectContaining({ code: 'session_closed' })])
    expect((await fromServer).code).toBe('session_closed')
    expect(client.isOpen || server.isOpen).toBe(false)
  })

  it('tells the reason to the peer, and both ends fail their calls', async () => {
    const { client, server } = await sessionPair({
      server: { requests: { deaf: () => new Promise(() => {}) } },
    })
    const call = collect(client.call('deaf', NOTHING, PATIENT))
    const [clientEnd, serverEnd] = [closed(client), closed(server)]
    server.close(new LexoraError('account_suspended', 'the account is suspended'))
    expect(await clientEnd).toMatchObject({ code: 'account_suspended' })
    expect(await serverEnd).toMatchObject({ code: 'account_suspended' })
    expect((await call).code).toBe('session_closed')
    // Too late for a listener is not too late, and a closed session fails what comes after.
    expect(await closed(client)).toMatchObject({ code: 'account_suspended' })
    expect((await collect(client.call('deaf', NOTHING, PATIENT))).code).toBe('session_closed')
    await expect(client.request('deaf', NOTHING, { timeoutMs: 9 })).rejects.toMatchObject({
      code: 'session_closed',
      facts: { reason: 'account_suspended' },
    })
    client.notify('deaf', NOTHING)
  })

  it('has no reason when this end closed it', async () => {
    const { client, server } = await sessionPair()
    const [clientEnd, serverEnd] = [closed(client), closed(server)]
    client.close()
    client.close(new LexoraError('internal', 'twice'))
    expect(await clientEnd).toBeUndefined()
    expect(await serverEnd).toMatchObject({ code: 'session_closed' })
  })
})

describe('a hello', () => {
  const open = { hello: () => bytes('hi'), accept: () => ({ requests: {}, notices: {} }) }

  it('that is refused fails both ends with the reason', async () => {
    const [near, far] = memoryPair()
    const results = await Promise.allSettled([
      establishSession({ stream: near }, { ...open, remotePeer: 'b', direction: 'outbound' }),
      establishSession(
        { stream: far },
        {
          ...open,
          remotePeer: 'a',
          direction: 'inbound',
          accept: () => {
            throw new LexoraError('not_a_member', 'no certificate')
          },
        },
      ),
    ])
    for (const result of results) {
      expect(result).toMatchObject({ status: 'rejected', reason: { code: 'not_a_member' } })
    }
  })

  it('that does not come in time ends the session', async () => {
    const [near] = memoryPair()
    const session = establishSession(
      { stream: near },
      { ...open, remotePeer: 'b', direction: 'inbound', limits: { helloMs: 20 } },
    )
    await expect(session).rejects.toMatchObject({ code: 'timeout' })
  })

  it('may be given up', async () => {
    const [near] = memoryPair()
    const controller = new AbortController()
    const session = establishSession(
      { stream: near },
      { ...open, remotePeer: 'b', direction: 'outbound', signal: controller.signal },
    )
    controller.abort()
    await expect(session).rejects.toMatchObject({ code: 'cancelled' })
  })

  it('that is too long is refused before it is kept', async () => {
    const [near, far] = memoryPair()
    const limits = { helloBytesMax: 100 }
    const results = await Promise.allSettled([
      establishSession(
        { stream: near },
        { ...open, hello: () => new Uint8Array(111), remotePeer: 'b', direction: 'outbound' },
      ),
      establishSession({ stream: far }, { ...open, remotePeer: 'a', direction: 'inbound', limits }),
    ])
    for (const result of results) {
      expect(result).toMatchObject({ status: 'rejected', reason: { code: 'frame_too_large' } })
    }
  })

  it('is followed by requests that onSession has had time for', async () => {
    const order: string[] = []
    const [near, far] = memoryPair()
    const [client] = await Promise.all([
      establishSession({ stream: near }, { ...open, remotePeer: 'b', direction: 'outbound' }),
      establishSession(
        { stream: far },
        {
          ...open,
          remotePeer: 'a',
          direction: 'inbound',
          accept: () => ({ requests: {}, notices: { now: () => order.push('notice') } }),
          onSession: () => order.push('session'),
        },
      ),
    ])
    client.notify('now', NOTHING)
    await expect.poll(() => order).toEqual(['session', 'notice'])
  })
})
