import { LexoraError } from '@lexora/protocol'

/** What connects a ledger with Razorpay. */
export interface RazorpaySettings {
  /** `rzp_test_…` or `rzp_live_…`; public. */
  keyId: string
  keySecret: string
  webhookSecret: string
  /** Deliveries from before a rotation are still signed with it. */
  webhookSecretPrevious?: string
  /** Another place than Razorpay's own, for tests: never with a live key. */
  url?: string
}

/** Shortest secret that is believed to be one. */
const SECRET_LENGTH_MIN = 8

/** Throws `invalid_request` that names the setting, never its value. */
export function checkRazorpaySettings(settings: RazorpaySettings): RazorpaySettings {
  const { keyId, url } = settings
  if (!/^rzp_(?:test|live)_[A-Za-z0-9]{4,64}$/.test(keyId)) {
    throw fault('LEXORA_RAZORPAY_KEY_ID', 'must be rzp_test_… or rzp_live_…')
  }
  const secrets = {
    LEXORA_RAZORPAY_KEY_SECRET: settings.keySecret,
    LEXORA_RAZORPAY_WEBHOOK_SECRET: settings.webhookSecret,
    LEXORA_RAZORPAY_WEBHOOK_SECRET_PREVIOUS:
      settings.webhookSecretPrevious ?? settings.webhookSecret,
  }
  for (const [name, secret] of Object.entries(secrets)) {
    if (secret.length < SECRET_LENGTH_MIN) throw fault(name, 'is missing or too short')
  }
  if (settings.webhookSecret === settings.keySecret) {
    throw fault('LEXORA_RAZORPAY_WEBHOOK_SECRET', 'must differ from the key’s secret')
  }
  if (url === undefined) return settings
  const { protocol, hostname } = parseUrl(url)
  if (keyId.startsWith('rzp_live_')) {
    throw fault('LEXORA_RAZORPAY_URL', 'must not be set with a live key')
  }
  const isLoopback = ['127.0.0.1', '[::1]', 'localhost'].includes(hostname)
  if (protocol !== 'https:' && !(protocol === 'http:' && isLoopback)) {
    throw fault('LEXORA_RAZORPAY_URL', 'must be https, or http on loopback')
  }
  return settings
}

function parseUrl(url: string): URL {
  try {
    return new URL(url)
  } catch {
    throw fault('LEXORA_RAZORPAY_URL', 'is not a URL')
  }
}

function fault(name: string, rule: string): LexoraError {
  return new LexoraError('invalid_request', `${name} ${rule}`, { facts: { setting: name } })
}
