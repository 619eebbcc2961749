import { createPasswords } from './accounts/passwords.ts'
import type { PeopleDeskComponents, PeopleDeskOptions } from './accounts/people-desk.ts'
import type { MailConfig } from './config.ts'
import type { LedgerHome } from './home.ts'
import { createMailer } from './mail/mailer.ts'
import { openLevelPeopleStore } from './store/level-people-store.ts'

const SIGNAL_KEY = 'secret/signals'
const SIGNAL_KEY_BYTES = 32

/**
 * Opens the records about people of a ledger's folder. The key of the signals' hashes lies among them: whoever has the
 * journal alone cannot guess addresses back.
 */
export async function openPeople(
  home: LedgerHome,
  config: MailConfig,
  random: (length: number) => Uint8Array,
): Promise<PeopleDeskComponents & PeopleDeskOptions> {
  const store = await openLevelPeopleStore(home.people, { dumpFile: home.peopleDump })
  let key = (await store.get(SIGNAL_KEY)) as string | undefined
  if (key === undefined) {
    key = Buffer.from(random(SIGNAL_KEY_BYTES)).toString('hex')
    await store.write({ put: { [SIGNAL_KEY]: key } })
  }
  const mailer = createMailer({ ...config, directory: home.mail })
  const signalKey = Buffer.from(key, 'hex')
  return { store, passwords: createPasswords(), mailer, signalKey, siteUrl: config.siteUrl }
}
