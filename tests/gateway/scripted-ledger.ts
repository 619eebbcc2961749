import {
  type AuthoriseRequest,
  type AuthoriseResponse,
  type CheckedReceipt,
  checkReceipt,
  issueVoucher,
  type KeyInfo,
  LexoraError,
  type PriceList,
  type SettleRequest,
  type Signer,
} from '@lexora/protocol'
import type { Ledger } from '../../gateway/src/billing/ledger.ts'
import { NOW, newSigner } from './fixture.ts'

/** A ledger of one gateway that keeps what it was told and does as a test says. */
export class ScriptedLedger implements Ledger {
  readonly signer: Signer = newSigner()
  readonly gateway: string
  isConnected = true
  /** Thrown by every call while it is set. */
  failure: LexoraError | undefined
  /** Thrown by `settle` and `authorise` alone. */
  settleFailure: (request: SettleRequest) => LexoraError | undefined = () => undefined
  authoriseFailure: LexoraError | undefined
  readonly authorised: AuthoriseRequest[] = []
  readonly open = new Set<string>()
  readonly settled = new Map<string, CheckedReceipt>()
  readonly voided: string[] = []
  readonly renewals: string[][] = []
  /** Settle calls that came in, with repeats, and how many ran at once at most. */
  settleCalls = 0
  concurrencyMax = 0
  #running = 0
  /** Awaited by each settle. */
  gate: Promise<void> = Promise.resolve()
  keyInfoAnswer: KeyInfo | undefined
  priceList: PriceList = { version: 1, effectiveAtMs: 0, feeBasisPoints: 500, models: [] }

  constructor(gateway: string) {
    this.gateway = gateway
  }

  /** Everything fails as it does when the ledger cannot be reached. */
  goAway(): void {
    this.isConnected = false
    this.failure = new LexoraError('ledger_unavailable', 'the ledger cannot be reached now')
  }

  comeBack(): void {
    this.isConnected = true
    this.failure = undefined
  }

  async authorise(request: AuthoriseRequest): Promise<AuthoriseResponse> {
    this.#check(this.authoriseFailure)
    this.authorised.push(request)
    const holdId = `hold-${this.authorised.length}`
    this.open.add(holdId)
    const { requestId, model, promptTokensMax, maxTokens } = request
    const voucher = issueVoucher(this.signer, {
      holdId,
      requestId,
      gateway: this.gateway,
      model,
      priceVersion: 3,
      ceilingNanoUsd: 1_000n,
      promptTokensMax,
      maxTokens,
      expiresAtMs: NOW + 60_000,
    })
    return { voucher, holdId, priceVersion: 3, accountRef: 'acc', leaseUntilMs: NOW + 60_000 }
  }

  async settle(request: SettleRequest): ReturnType<Ledger['settle']> {
    this.settleCalls++
    this.#running++
    this.concurrencyMax = Math.max(this.concurrencyMax, this.#running)
    try {
      await this.gate
      this.#check(this.settleFailure(request))
      const alreadySettled = this.settled.has(request.holdId)
      this.settled.set(request.holdId, checkReceipt(request.receipt))
      this.open.delete(request.holdId)
      return { capturedNanoUsd: 5n, feeNanoUsd: 1n, providerNanoUsd: 4n, alreadySettled }
    } finally {
      this.#running--
    }
  }

  async voidHold(holdId: string): Promise<void> {
    this.#check()
    this.voided.push(holdId)
    this.open.delete(holdId)
  }

  async renewHolds(holdIds: string[]): ReturnType<Ledger['renewHolds']> {
    this.renewals.push(holdIds)
    this.#check()
    return {
      openHoldIds: holdIds.filter((holdId) => this.open.has(holdId)),
      leaseUntilMs: NOW + 60_000,
    }
  }

  async keyInfo(): Promise<KeyInfo> {
    this.#check()
    if (this.keyInfoAnswer === undefined) throw new LexoraError('invalid_api_key', 'no such key')
    return this.keyInfoAnswer
  }

  async prices(): Promise<PriceList> {
    this.#check()
    return this.priceList
  }

  #check(own?: LexoraError): void {
    const failure = this.failure ?? own
    if (failure !== undefined) throw failure
  }
}
