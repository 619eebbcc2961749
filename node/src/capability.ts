import { cpus } from 'node:os'
import {
  CAPABILITY_LIFETIME_MS,
  helloCodec,
  type LoadHeartbeat,
  type ModelOffer,
  SHORT_TEXT_LENGTH_MAX,
  type Signer,
  sealCapability,
} from '@lexora/protocol'
import type { EngineModel } from './engines/engine.ts'

/** What a capability record is made of. */
export interface CapabilityComponents {
  signer: Signer
  /** The models that are served. */
  models: () => readonly EngineModel[]
  /** Where this node can be dialled; empty for one that only dials out. */
  addresses: () => string[]
  /** The membership certificate in force, if there is one. */
  certificate: () => Uint8Array | undefined
  /** Sends a fresh record to every connected gateway. */
  push: (record: Uint8Array) => void
  /** Unix time in ms. */
  clock: () => number
}

/** What else the record says. */
export interface CapabilityOptions {
  /** E.g. `lexora-node/0.1.0`. */
  software: string
  /** E.g. the processor's name. */
  hardware: string
}

/** This node's capability record, always fresh. */
export interface Capability {
  /** The sealed record in force; undefined without a certificate. */
  current(): Uint8Array | undefined
  /** The first payload of a session: certificate, record and load; undefined without a certificate. */
  hello(load: LoadHeartbeat): Uint8Array | undefined
  /** Makes and pushes a new record: the certificate or the models changed. Then again at each half life. */
  renew(): void
  stop(): void
}

/** Makes the capability record of a node. */
export function createCapability(
  components: CapabilityComponents,
  options: CapabilityOptions,
): Capability {
  const { clock } = components
  let sequence = 0
  let record: { sealed: Uint8Array; certificate: Uint8Array; madeAtMs: number } | undefined
  let timer: NodeJS.Timeout | undefined

  function seal(certificate: Uint8Array): Uint8Array {
    // Starts from the time, so that a restarted node goes on above its last record.
    sequence = Math.max(sequence + 1, clock())
    return sealCapability(components.signer, {
      peerId: components.signer.peerId,
      sequence,
      expiresAtMs: clock() + CAPABILITY_LIFETIME_MS,
      certificate,
      models: components.models().map(offerOf),
      addresses: components.addresses(),
      ...options,
    })
  }

  function current(): Uint8Array | undefined {
    const certificate = components.certificate()
    if (certificate === undefined) return undefined
    const isFresh =
      record?.certificate === certificate && clock() - record.madeAtMs < CAPABILITY_LIFETIME_MS / 2
    if (!isFresh) record = { sealed: seal(certificate), certificate, madeAtMs: clock() }
    return record?.sealed
  }

  function renew(): void {
    record = undefined
    const sealed = current()
    if (sealed !== undefined) components.push(sealed)
    clearTimeout(timer)
    timer = setTimeout(renew, CAPABILITY_LIFETIME_MS / 2)
    timer.unref()
  }

  return {
    current,
    hello(load) {
      const capability = current()
      const certificate = components.certificate()
      if (capability === undefined || certificate === undefined) return undefined
      return helloCodec.encode({ certificate, capability, load, software: options.software })
    },
    renew,
    stop: () => {
      clearTimeout(timer)
    },
  }
}

/** The machine in a few words, for people who look at a provider. */
export function hardwareName(): string {
  const processors = cpus()
  const name = processors[0]?.model.trim() ?? 'unknown processor'
  return `${processors.length} x ${name}`.slice(0, SHORT_TEXT_LENGTH_MAX)
}

function offerOf({ fileSha256, ...model }: EngineModel): ModelOffer {
  return {
    ...model,
    fileSha256: Buffer.from(fileSha256, 'hex'),
    priceMultiplierBasisPoints: 10_000,
  }
}
