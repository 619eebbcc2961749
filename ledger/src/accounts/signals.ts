import { createHmac } from 'node:crypto'
import { isIPv6 } from 'node:net'

/** Longest description of a device that is looked at. */
const DEVICE_LENGTH_MAX = 1_024
/** Characters of a hash that are kept: 132 bits. */
const SIGNAL_LENGTH = 22
/** Groups of an IPv6 address that name a customer's network; the other half is the customer's own. */
const NETWORK_GROUPS = 4
const ADDRESS_GROUPS = 8

/** Where a sign-up comes from. */
export interface Origin {
  /** An IP address. */
  address?: string
  /** Whatever tells a device apart. */
  device?: string
}

/** The keyed hashes of an origin: the same origin gives the same ones, and nobody without the key can guess it. */
export function signalsOf({ address, device }: Origin, key: Uint8Array): string[] {
  const seal = (kind: string, text: string): string => {
    const hash = createHmac('sha256', key).update(`${kind} ${text}`).digest('base64url')
    return `${kind}_${hash.slice(0, SIGNAL_LENGTH)}`
  }
  return [
    ...(address === undefined ? [] : [seal('address', networkOf(address))]),
    ...(device === undefined ? [] : [seal('device', device.slice(0, DEVICE_LENGTH_MAX))]),
  ]
}

/** One household: an IPv4 address, or the network of an IPv6 one, of which a customer gets 2^64 addresses. */
function networkOf(address: string): string {
  if (!isIPv6(address)) return address.slice(0, 64)
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)
  if (mapped?.[1] !== undefined) return mapped[1]
  const [head = '', tail = ''] = address.toLowerCase().replace(/%.*/, '').split('::')
  const front = head === '' ? [] : head.split(':')
  const back = tail === '' ? [] : tail.split(':')
  const zeros = Math.max(0, ADDRESS_GROUPS - front.length - back.length)
  const groups = [...front, ...Array.from({ length: zeros }, () => '0'), ...back]
  return groups
    .slice(0, NETWORK_GROUPS)
    .map((group) => group.padStart(4, '0'))
    .join(':')
}
