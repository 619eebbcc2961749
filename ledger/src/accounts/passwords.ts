import { LexoraError } from '@lexora/protocol'

/** OWASP's smallest setting for argon2id: 19 MiB, two passes, one lane. */
const ARGON2 = { memoryCost: 19_456, timeCost: 2, parallelism: 1 }
/** Hashes at once: each takes a core and 19 MiB, and holds wait for neither. */
const RUNNING_MAX = 2
/** Hashes that wait: some seconds of work. */
const WAITING_MAX = 64
const PASSWORD_LENGTH_MIN = 10
const PASSWORD_LENGTH_MAX = 256

/** Makes and checks password hashes, a bounded number at a time. */
export interface Passwords {
  /** Throws `invalid_request` for a password that is too short or too long, `rate_limited` where too many wait. */
  hash(password: string): Promise<string>
  /** False for a wrong password. Takes as long where there is no hash. Throws `rate_limited`. */
  isRight(password: string, hash: string | undefined): Promise<boolean>
}

/** Makes {@link Passwords}. The native library loads with the first password: most commands need none. */
export function createPasswords(): Passwords {
  const waiting: (() => void)[] = []
  let running = 0

  async function inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (running >= RUNNING_MAX) {
      if (waiting.length >= WAITING_MAX) {
        throw new LexoraError('rate_limited', 'too many people log in at once; try again soon', {
          facts: { retryAfterMs: 1_000 },
        })
      }
      await new Promise<void>((resolve) => waiting.push(resolve))
    } else {
      running += 1
    }
    try {
      return await work()
    } finally {
      const next = waiting.shift()
      if (next === undefined) running -= 1
      else next()
    }
  }

  return {
    async hash(password) {
      const { length } = password
      if (length < PASSWORD_LENGTH_MIN || length > PASSWORD_LENGTH_MAX) {
        const rule = `${PASSWORD_LENGTH_MIN} to ${PASSWORD_LENGTH_MAX} characters`
        throw new LexoraError('invalid_request', `a password has ${rule}`)
      }
      return inTurn(async () => {
        const { hash } = await import('@node-rs/argon2')
        return hash(password.normalize('NFKC'), ARGON2)
      })
    },
    async isRight(password, wanted) {
      const text = password.slice(0, PASSWORD_LENGTH_MAX).normalize('NFKC')
      return inTurn(async () => {
        const { hash, verify } = await import('@node-rs/argon2')
        // Somebody who guesses addresses must not see by the clock which of them exist.
        if (wanted === undefined) await hash(text, ARGON2)
        return wanted !== undefined && (await verify(wanted, text))
      })
    },
  }
}
