import '../../protocol/src/mesh/polyfill.ts'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { pino } from 'pino'
import { createMeshEdge } from '../../ledger/src/rpc/mesh-edge.ts'
import {
  authoriseRequestCodec,
  authoriseResponseCodec,
  countersign,
  createSigner,
  helloCodec,
  LEDGER_MESSAGE_BYTES_MAX,
  LEDGER_METHODS,
  LEDGER_PROTOCOL,
  type Signer,
  sealReceipt,
  settleRequestCodec,
} from '../../protocol/src/index.ts'
import {
  createMeshHost,
  generateKey,
  type MeshHost,
  type Session,
  seedOfKey,
} from '../../protocol/src/mesh/index.ts'
import type { Target } from './load.ts'
import { customer, enrol, furnish, openLedger, random, TERMS, USAGE } from './shop.ts'

/** The members that the child's ledger is told of. */
interface Introduction {
  gateway: string
  provider: string
}

/** Where the ledger is, and what its customer asks with. */
interface Ready {
  addresses: string[]
  peerId: string
  keyHash: string
}

/** A ledger in a process of its own, asked over the mesh: noise, yamux, signed vouchers and receipts. */
export async function openRpc(
  directory: string,
): Promise<{ target: Target; close: () => Promise<void> }> {
  const key = await generateKey()
  const gateway = createSigner(seedOfKey(key))
  const provider = createSigner(random(32))
  const child = fork(fileURLToPath(import.meta.url), [directory], { execArgv: ['--import', 'tsx'] })
  child.send({ gateway: gateway.peerId, provider: provider.peerId } satisfies Introduction)
  const [ready] = (await once(child, 'message')) as [Ready]
  const settings = { privateKey: key, listen: [], bootstrap: [], dhtServer: false, topics: [] }
  const host: MeshHost = await createMeshHost({}, settings)
  await host.start()
  const session: Session = await host.openSession(
    { peerId: ready.peerId, addresses: ready.addresses },
    LEDGER_PROTOCOL,
    {
      hello: () => helloCodec.encode({ certificate: new Uint8Array(), software: 'bench' }),
      accept: () => ({ requests: {}, notices: {} }),
      timeoutMs: 10_000,
    },
  )
  const members = { gateway, provider, keyHash: Buffer.from(ready.keyHash, 'hex') }
  const target: Target = {
    ...targetOver(session, members),
    async ledgerCpu() {
      child.send('cpu')
      const [micros] = (await once(child, 'message')) as [number]
      return micros
    },
  }
  return {
    target,
    async close() {
      await host.stop()
      child.kill('SIGKILL')
      await once(child, 'exit')
    },
  }
}

/** Asks as a gateway does; a provider's receipts are made here too. */
function targetOver(
  session: Session,
  { gateway, provider, keyHash }: { gateway: Signer; provider: Signer; keyHash: Uint8Array },
): Target {
  const requests = new Map<string, { requestId: Uint8Array; priceVersion: number }>()
  const blank = { requestHash: new Uint8Array(32), modelSha256: new Uint8Array(32) }
  const times = { tokenStart: 0, tokenEnd: 50, queueMs: 0, prefillMs: 0, decodeMs: 0 }
  const ask = (method: string, payload: Uint8Array): Promise<Uint8Array> =>
    session.request(method, payload, {
      timeoutMs: 30_000,
      maxResponseBytes: LEDGER_MESSAGE_BYTES_MAX,
    })

  return {
    async hold() {
      const requestId = random(16)
      const order = authoriseRequestCodec.encode({ ...TERMS, keyHash, requestId })
      const answer = authoriseResponseCodec.decode(await ask(LEDGER_METHODS.authorise, order))
      requests.set(answer.holdId, { requestId, priceVersion: answer.priceVersion })
      return answer.holdId
    },
    async capture(holdId) {
      const request = requests.get(holdId) ?? { requestId: new Uint8Array(16), priceVersion: 0 }
      requests.delete(holdId)
      const receipt = sealReceipt(provider, {
        ...request,
        ...blank,
        ...times,
        holdId,
        model: TERMS.model,
        provider: provider.peerId,
        gateway: gateway.peerId,
        usage: USAGE,
        finishReason: 'stop',
        issuedAtMs: Date.now(),
      })
      const settlement = { holdId, receipt: countersign(gateway, receipt) }
      return ask(LEDGER_METHODS.settle, settleRequestCodec.encode(settlement))
    },
  }
}

/** The child: a ledger with the two members and a customer. */
async function serve(directory: string): Promise<void> {
  const [introduction] = (await once(process, 'message')) as [Introduction]
  const service = await openLedger(directory)
  await furnish(service)
  await enrol(service, { peerId: introduction.gateway, role: 'gateway' })
  await enrol(service, { peerId: introduction.provider, role: 'provider' })
  const keyHash = Buffer.from(await customer(service, 'rpc')).toString('hex')
  const edge = createMeshEdge(
    { service, log: pino({ level: 'silent' }), clock: () => Date.now() },
    { keyFile: join(directory, 'peer.key'), listen: ['/ip4/127.0.0.1/tcp/0'] },
  )
  await edge.start()
  process.on('message', () => {
    const { user, system } = process.cpuUsage()
    process.send?.(user + system)
  })
  process.send?.({ addresses: edge.addresses(), peerId: edge.peerId, keyHash } satisfies Ready)
}

const [, script = '', directory] = process.argv
if (directory !== undefined && fileURLToPath(import.meta.url) === script) await serve(directory)
