import { createHmac, timingSafeEqual } from 'node:crypto'

/** Lower-case hex of HMAC-SHA-256: how Razorpay signs. */
function signatureOf(secret: string, content: string | Uint8Array): string {
  return createHmac('sha256', secret).update(content).digest('hex')
}

/** Compares in constant time. */
export function isSignedWith(
  secret: string,
  content: string | Uint8Array,
  signature: string,
): boolean {
  const wanted = Buffer.from(signatureOf(secret, content))
  const given = Buffer.from(signature)
  return given.byteLength === wanted.byteLength && timingSafeEqual(given, wanted)
}
