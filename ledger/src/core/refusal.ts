import type { ErrorCode, ErrorFacts } from '@lexora/protocol'
import type { Change } from './entry.ts'

/** Why a command was not carried out. Expected, so it is returned and never thrown inside the core. */
export interface Refusal {
  code: ErrorCode
  /** For the person who must act. */
  message: string
  facts?: ErrorFacts
}

/** What a rule decides: the changes to enter with the answer for the caller, or a refusal. No changes: a repeat. */
export type Decision<T> =
  | { ok: true; changes: Change[]; answer: T }
  | { ok: false; reason: Refusal }

/** A decision to go on. */
export function accept<T>(answer: T, changes: Change[] = []): Decision<T> {
  return { ok: true, changes, answer }
}

/** A decision to refuse. */
export function refuse(
  code: ErrorCode,
  message: string,
  facts?: ErrorFacts,
): { ok: false; reason: Refusal } {
  return { ok: false, reason: facts === undefined ? { code, message } : { code, message, facts } }
}
