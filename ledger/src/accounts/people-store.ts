/**
 * Keeps what names a person, apart from the journal: the journal is for ever, and this can be deleted. Small records
 * under text keys.
 */
export interface PeopleStore {
  /** Undefined where there is none. Throws `journalDamaged` for a record that is not as it was written. */
  get(key: string): Promise<unknown>
  /**
   * All of it or nothing; durable, power loss included, once resolved. Throws `ledger_unavailable`: after a failed
   * write nothing more is written or read until a restart.
   */
  write(changes: PeopleChanges): Promise<void>
  /** All of it as text, for a backup. */
  dump(): Promise<string>
  /** May be called twice. */
  close(): Promise<void>
}

/** Records to put and keys to delete. */
export interface PeopleChanges {
  put?: Readonly<Record<string, unknown>>
  delete?: readonly string[]
}
