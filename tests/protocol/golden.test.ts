/**
 * The bytes on the wire, kept in golden/*.json. A difference means that this build no longer understands the peers of
 * yesterday. Where that is meant, change the protocol's version and write the files anew:
 * `LEXORA_GOLDEN=write npx vitest run tests/protocol/golden.test.ts`
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import {
  certificateCodec,
  checkCapability,
  checkCertificate,
  checkReceipt,
  checkVoucher,
  inferEventCodec,
  settleResponseCodec,
} from '@lexora/protocol'
import { describe, expect, it } from 'vitest'
import * as golden from './golden/samples.ts'

const writing = process.env['LEXORA_GOLDEN'] === 'write'
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const bytesOf = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'))

function vectors(file: string, current: Record<string, Uint8Array>): Record<string, string> {
  const path = fileURLToPath(new URL(`golden/${file}.json`, import.meta.url))
  const now = Object.fromEntries(Object.entries(current).map(([name, bytes]) => [name, hex(bytes)]))
  if (writing) writeFileSync(path, `${JSON.stringify(now, null, 2)}\n`)
  return JSON.parse(readFileSync(path, 'utf8')) as Record<string, string>
}

describe('golden messages', () => {
  const stored = vectors(
    'messages',
    Object.fromEntries(golden.samples.map((sample) => [sample.name, sample.encode()])),
  )

  it('holds one vector per sample, and no other', () => {
    expect(Object.keys(stored)).toEqual(golden.samples.map((sample) => sample.name))
  })

  it.each(golden.samples)('writes and reads the $name', (sample) => {
    const bytes = stored[sample.name] ?? ''
    expect(hex(sample.encode())).toBe(bytes)
    expect(sample.decode(bytesOf(bytes))).toEqual(sample.value)
  })
})

describe('golden envelopes', () => {
  const stored = vectors('envelopes', { ...golden.sealed })
  const vector = (name: string): Uint8Array => bytesOf(stored[name] ?? '')
  const network = { ledgerPeerId: golden.ledger.peerId, nowMs: golden.NOW_MS }

  it.each(Object.entries(golden.sealed))('seals the %s as before', (name, bytes) => {
    expect(hex(bytes)).toBe(stored[name])
  })

  it('opens each of them', () => {
    expect(checkCertificate(vector('certificate'), network)).toEqual(golden.certificate)
    expect(
      checkCapability(vector('capability'), { ...network, peerId: golden.provider.peerId }),
    ).toEqual({
      record: golden.capability,
      certificate: golden.certificate,
    })
    expect(checkVoucher(vector('voucher'), { ...network, gateway: golden.gateway.peerId })).toEqual(
      golden.voucher,
    )
    const signed = (name: string): unknown => checkReceipt(vector(name))
    const receipt = golden.receipt
    expect(signed('countersigned')).toEqual({
      receipt,
      signedByProvider: true,
      signedByGateway: true,
    })
    expect(signed('claimed')).toEqual({ receipt, signedByProvider: true, signedByGateway: false })
    expect(signed('attested by the gateway')).toEqual({
      receipt,
      signedByProvider: false,
      signedByGateway: true,
    })
  })
})

// Written by hand out of the protobuf specification, so that the vectors above do not only agree with themselves.
describe('vectors by hand', () => {
  it('writes a tokens event', () => {
    const bytes = inferEventCodec.encode({ kind: 'tokens', sequence: 1, ids: [300], text: 'hi' })
    expect(hex(bytes)).toBe('1209' + '0801' + '10ac02' + '1a026869')
  })

  it('writes a certificate', () => {
    const bytes = certificateCodec.encode({
      peerId: 'A',
      role: 'ledger',
      accountRef: '',
      notBeforeMs: 1_600_000_000_000,
      notAfterMs: 1_600_000_000_001,
      serial: 2_147_483_648,
    })
    expect(hex(bytes)).toBe(
      '0a0141' + '12066c6564676572' + '208080babbc82e' + '288180babbc82e' + '308080808008',
    )
  })

  it('reads amounts of which some codecs lose the upper bit', () => {
    const text = Buffer.from('3000000000').toString('hex')
    const bytes = bytesOf(`0a0a${text}120130` + `1a0a${text}`)
    expect(settleResponseCodec.decode(bytes)).toEqual({
      capturedNanoUsd: 3_000_000_000n,
      feeNanoUsd: 0n,
      providerNanoUsd: 3_000_000_000n,
      alreadySettled: false,
    })
  })
})
