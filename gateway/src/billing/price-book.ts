import { errorCodeOf, PRICES_NOTICE, type PriceList, priceListCodec } from '@lexora/protocol'
import type { Logger } from 'pino'
import type { Ledger } from './ledger.ts'

/** The price list that this gateway shows. Charges never depend on it: a hold names its version at the ledger. */
export interface PriceBook {
  /** The newest list seen, or undefined before the ledger was first reached. */
  current(): PriceList | undefined
  /** Asks the ledger again in the background; a failure keeps what is known. */
  refresh(ledger: Ledger): void
  /** What the ledger pushes. */
  readonly notices: Record<string, (payload: Uint8Array) => void>
}

/** Makes an empty price book. */
export function createPriceBook({ log }: { log: Logger }): PriceBook {
  let list: PriceList | undefined

  function take(received: PriceList): void {
    if (list === undefined || received.version >= list.version) list = received
  }

  return {
    current: () => list,
    refresh(ledger) {
      ledger.prices().then(take, (error: unknown) => {
        log.warn({ code: errorCodeOf(error) }, 'the price list could not be read')
      })
    },
    notices: { [PRICES_NOTICE]: (payload) => take(priceListCodec.decode(payload)) },
  }
}
