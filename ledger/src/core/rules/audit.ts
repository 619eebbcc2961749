import type { Audit } from '../records.ts'
import { accept, type Decision } from '../refusal.ts'
import type { LedgerState } from '../state.ts'

/** Enters what an operator is about to do, or that it was refused. */
export function noteAudit(_state: LedgerState, audit: Audit): Decision<Audit> {
  return accept(audit, [{ type: 'audit', audit }])
}
