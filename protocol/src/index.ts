/**
 * The language of the Lexora network.
 *
 * Glossary: a *provider* is a node that lends a GPU; a *gateway* speaks the OpenAI API; the *ledger* keeps the money
 * and signs certificates and vouchers. A *hold* is money set aside for one request, a *capture* takes the metered part
 * of it, a *voucher* is the ledger's proof of a hold, a *receipt* is the provider's proof of delivery. A *record* is a
 * signed capability record. A *slot* is one sequence of an engine: what one request occupies. *Prefill* reads the
 * prompt, *decode* makes tokens.
 */
export * from './capability.ts'
export * from './certificate.ts'
export * from './constants.ts'
export * from './envelope.ts'
export * from './errors.ts'
export * from './inference.ts'
export * from './inference-messages.ts'
export * from './ledger-messages.ts'
export * from './load.ts'
export * from './money.ts'
export * from './network.ts'
export * from './peer-id.ts'
export * from './price.ts'
export * from './receipt.ts'
export * from './voucher.ts'
export type { Codec } from './wire/codec.ts'
