import type { Audit, AuditRecord } from '../core/records.ts'
import { noteAudit } from '../core/rules/audit.ts'
import { checkText, type Desk } from '../desk.ts'

/** What operators did. */
export interface AuditDesk {
  /**
   * Enters a command before it is carried out. It is durable before anything that is submitted after the call, so
   * nothing is done without it; a command that ends here without effect was cut short by a crash.
   */
  noteAudit(audit: Audit): Promise<Audit>
  /** The latest, newest first. */
  listAudits(lengthMax: number): AuditRecord[]
}

/** The part of the service that keeps the audit log. */
export function createAuditDesk({ writer, state }: Desk): AuditDesk {
  return {
    async noteAudit(audit) {
      checkText(audit.actor, 'actor')
      checkText(audit.reason, 'reason')
      return writer.submit(noteAudit, audit)
    },
    listAudits: (lengthMax) => state.audits.slice(-lengthMax).reverse(),
  }
}
