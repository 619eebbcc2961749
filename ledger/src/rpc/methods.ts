import {
  authoriseRequestCodec,
  authoriseResponseCodec,
  CERTIFICATE_LIFETIME_MS,
  type CheckedReceipt,
  certificateResponseCodec,
  checkReceipt,
  claimRequestCodec,
  claimResponseCodec,
  enrolRequestCodec,
  issueCertificate,
  issueVoucher,
  keyInfoCodec,
  keyInfoRequestCodec,
  LEDGER_METHODS,
  LexoraError,
  type MemberRole,
  priceListCodec,
  renewHoldsRequestCodec,
  renewHoldsResponseCodec,
  type Signer,
  settleRequestCodec,
  settleResponseCodec,
  VOUCHER_LIFETIME_MS,
  voidRequestCodec,
} from '@lexora/protocol'
import type { RequestHandler } from '@lexora/protocol/mesh'
import type { DeliveryReport } from '../billing/hold-desk.ts'
import type { Member } from '../core/records.ts'
import type { LedgerService } from '../service.ts'

/** What the methods use. */
export interface LedgerMethodsComponents {
  service: LedgerService
  /** The network's root of trust: signs certificates and vouchers. */
  signer: Signer
  /** Unix time in ms. */
  clock: () => number
}

type Answer = (payload: Uint8Array, peerId: string) => Uint8Array | Promise<Uint8Array>

const NOTHING = new Uint8Array()

/**
 * One peer's methods. The caller is its proven peer id; what it may do depends on its membership at the time of each
 * call, so that a revoked peer with an open session can do nothing more.
 */
export function ledgerMethods(
  components: LedgerMethodsComponents,
  peerId: string,
): Record<string, RequestHandler> {
  const methods = {
    ...membershipMethods(components),
    ...gatewayMethods(components),
    ...providerMethods(components),
  }
  const handlers: Record<string, RequestHandler> = {}
  for (const [name, answer] of Object.entries(methods)) {
    handlers[name] = async (payload) => answer(payload, peerId)
  }
  return handlers
}

/** Open to every peer: this is how one becomes a member. */
function membershipMethods({
  service,
  signer,
  clock,
}: LedgerMethodsComponents): Record<string, Answer> {
  function certificate(member: Member): Uint8Array {
    const nowMs = clock()
    return certificateResponseCodec.encode({
      certificate: issueCertificate(signer, {
        peerId: member.peerId,
        role: member.role,
        accountRef: member.accountId,
        notBeforeMs: nowMs,
        notAfterMs: nowMs + CERTIFICATE_LIFETIME_MS,
        serial: member.serial,
      }),
    })
  }

  return {
    async [LEDGER_METHODS.enrol](payload, peerId) {
      return certificate(
        await service.enrol({ token: enrolRequestCodec.decode(payload).token, peerId }),
      )
    },
    [LEDGER_METHODS.renewCertificate]: (_payload, peerId) => certificate(service.member(peerId)),
  }
}

/** What gateways ask. */
function gatewayMethods({
  service,
  signer,
  clock,
}: LedgerMethodsComponents): Record<string, Answer> {
  const onlyGateways = (peerId: string): void => requireRole(service, peerId, 'gateway')
  return {
    async [LEDGER_METHODS.authorise](payload, peerId) {
      onlyGateways(peerId)
      const request = authoriseRequestCodec.decode(payload)
      const hold = await service.authorise({ ...request, gateway: peerId })
      const voucher = issueVoucher(signer, {
        holdId: hold.holdId,
        requestId: request.requestId,
        gateway: peerId,
        model: request.model,
        priceVersion: hold.priceVersion,
        ceilingNanoUsd: hold.ceiling,
        promptTokensMax: request.promptTokensMax,
        maxTokens: request.maxTokens,
        expiresAtMs: clock() + VOUCHER_LIFETIME_MS,
      })
      const { holdId, priceVersion, accountId, leaseUntilMs } = hold
      return authoriseResponseCodec.encode({
        voucher,
        holdId,
        priceVersion,
        accountRef: accountId,
        leaseUntilMs,
      })
    },
    async [LEDGER_METHODS.settle](payload, peerId) {
      onlyGateways(peerId)
      const { holdId, receipt } = settleRequestCodec.decode(payload)
      const checked = checkReceipt(receipt)
      if (!checked.signedByGateway || checked.receipt.gateway !== peerId) {
        refuseReceipt('must be countersigned by the gateway that settles it')
      }
      const report = deliveryReport(service, { holdId, bytes: receipt }, checked)
      const { signedByProvider } = checked
      return settleResponseCodec.encode(
        await service.settle({ ...report, gateway: peerId, signedByProvider }),
      )
    },
    async [LEDGER_METHODS.voidHold](payload, peerId) {
      onlyGateways(peerId)
      await service.voidHold({ ...voidRequestCodec.decode(payload), gateway: peerId })
      return NOTHING
    },
    [LEDGER_METHODS.renewHolds](payload, peerId) {
      onlyGateways(peerId)
      const { holdIds } = renewHoldsRequestCodec.decode(payload)
      return renewHoldsResponseCodec.encode(service.renewHolds({ gateway: peerId, holdIds }))
    },
    [LEDGER_METHODS.keyInfo](payload, peerId) {
      onlyGateways(peerId)
      return keyInfoCodec.encode(service.keyInfo(keyInfoRequestCodec.decode(payload).keyHash))
    },
    [LEDGER_METHODS.prices](_payload, peerId) {
      service.member(peerId)
      return priceListCodec.encode(service.prices())
    },
  }
}

/** What providers ask. */
function providerMethods({ service }: LedgerMethodsComponents): Record<string, Answer> {
  return {
    async [LEDGER_METHODS.claim](payload, peerId) {
      requireRole(service, peerId, 'provider')
      const { holdId, receipt } = claimRequestCodec.decode(payload)
      const checked = checkReceipt(receipt)
      if (!checked.signedByProvider || checked.receipt.provider !== peerId) {
        refuseReceipt('must be signed by the provider that claims it')
      }
      const report = deliveryReport(service, { holdId, bytes: receipt }, checked)
      return claimResponseCodec.encode({ state: await service.claim(report) })
    },
  }
}

/** What a receipt says, once it is sure that it speaks of this hold and of the request that the hold is for. */
function deliveryReport(
  service: LedgerService,
  { holdId, bytes }: { holdId: string; bytes: Uint8Array },
  { receipt }: CheckedReceipt,
): DeliveryReport {
  const terms = service.holdTerms(holdId)
  const isForHold =
    receipt.holdId === holdId &&
    receipt.gateway === terms.gateway &&
    receipt.model === terms.model &&
    receipt.priceVersion === terms.priceVersion &&
    Buffer.from(receipt.requestId).toString('hex') === terms.requestId
  if (!isForHold) refuseReceipt('speaks of another hold or request')
  const { provider, usage, finishReason } = receipt
  return { holdId, provider, usage, finishReason, receipt: bytes }
}

function requireRole(service: LedgerService, peerId: string, role: MemberRole): void {
  if (service.member(peerId).role !== role) {
    throw new LexoraError('forbidden', `only a ${role} may ask this`)
  }
}

function refuseReceipt(rule: string): never {
  throw new LexoraError('receipt_invalid', `the receipt ${rule}`)
}
