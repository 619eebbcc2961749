import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { createMeshHost, type MeshHost } from '../../../protocol/src/mesh/host.ts'
import { generateKey } from '../../../protocol/src/mesh/key-file.ts'
import { closed, NOTHING } from './session-pair.ts'

let child: ChildProcess | undefined
let host: MeshHost | undefined
afterEach(async () => {
  child?.kill('SIGKILL')
  await host?.stop()
})

describe('a peer that is killed in the middle of an answer', () => {
  it('fails the call with session_closed at once, never with a clean end', async () => {
    const fixture = fileURLToPath(new URL('./fixtures/provider.ts', import.meta.url))
    child = fork(fixture, { execArgv: ['--import', 'tsx'] })
    const [target] = (await once(child, 'message')) as [{ peerId: string; addresses: string[] }]
    const options = { listen: [], bootstrap: [], dhtServer: false, topics: [] }
    host = await createMeshHost({}, { ...options, privateKey: await generateKey() })
    await host.start()
    const session = await host.openSession(target, '/lexora/test/1.0.0', {
      hello: () => NOTHING,
      accept: () => ({ requests: {}, notices: {} }),
    })
    const ended = closed(session)
    const call = session.call('forever', NOTHING, {
      firstFrameTimeoutMs: 10_000,
      maxResponseBytes: 1_000_000,
    })
    let frames = 0
    let killedMs = 0
    const read = async (): Promise<void> => {
      for await (const frame of call.frames) {
        expect(frame.kind).toBe('data')
        frames += 1
        if (frames !== 5) continue
        killedMs = performance.now()
        child?.kill('SIGKILL')
      }
    }
    await expect(read()).rejects.toMatchObject({ code: 'session_closed' })
    expect(performance.now() - killedMs).toBeLessThan(1_000)
    expect(await ended).toMatchObject({ code: 'session_closed' })
    expect(session.isOpen).toBe(false)
  })
})
