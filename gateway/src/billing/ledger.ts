import {
  type AuthoriseRequest,
  type AuthoriseResponse,
  authoriseRequestCodec,
  authoriseResponseCodec,
  type KeyInfo,
  keyInfoCodec,
  keyInfoRequestCodec,
  LEDGER_METHODS,
  type PriceList,
  priceListCodec,
  type RenewHoldsResponse,
  renewHoldsRequestCodec,
  renewHoldsResponseCodec,
  type SettleRequest,
  type SettleResponse,
  settleRequestCodec,
  settleResponseCodec,
  voidRequestCodec,
} from '@lexora/protocol'
import type { LedgerClient } from '@lexora/protocol/mesh'

/** The ledger as the gateway uses it. Each throws the ledger's coded error or `ledger_unavailable`. */
export interface Ledger {
  /** One round trip: checks the key, places the hold, returns the sealed voucher. */
  authorise(request: AuthoriseRequest): Promise<AuthoriseResponse>
  /** Captures a hold by a countersigned receipt. Idempotent. */
  settle(request: SettleRequest): Promise<SettleResponse>
  /** Releases a hold with nothing delivered. Idempotent. */
  voidHold(holdId: string): Promise<void>
  renewHolds(holdIds: string[]): Promise<RenewHoldsResponse>
  keyInfo(keyHash: Uint8Array): Promise<KeyInfo>
  prices(): Promise<PriceList>
  readonly isConnected: boolean
}

/** Speaks to the ledger over a standing client. */
export function createLedger(client: LedgerClient): Ledger {
  return {
    authorise: (request) =>
      client.call(
        LEDGER_METHODS.authorise,
        { request: authoriseRequestCodec, response: authoriseResponseCodec },
        request,
      ),
    settle: (request) =>
      client.call(
        LEDGER_METHODS.settle,
        { request: settleRequestCodec, response: settleResponseCodec },
        request,
      ),
    voidHold: (holdId) => client.send(LEDGER_METHODS.voidHold, voidRequestCodec, { holdId }),
    renewHolds: (holdIds) =>
      client.call(
        LEDGER_METHODS.renewHolds,
        { request: renewHoldsRequestCodec, response: renewHoldsResponseCodec },
        { holdIds },
      ),
    keyInfo: (keyHash) =>
      client.call(
        LEDGER_METHODS.keyInfo,
        { request: keyInfoRequestCodec, response: keyInfoCodec },
        { keyHash },
      ),
    prices: () => client.request(LEDGER_METHODS.prices, priceListCodec),
    get isConnected() {
      return client.isConnected
    },
  }
}
