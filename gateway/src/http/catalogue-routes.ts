import { LexoraError, type ModelPrice, type NanoUsd } from '@lexora/protocol'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { GatewayBackend, ModelListing } from './backend.ts'
import { apiKeyHash, requiredApiKeyHash } from './keys.ts'

type JsonHandler = (request: FastifyRequest, reply: FastifyReply) => Promise<object>

/** `GET /v1/models`. Anyone may ask; a key that is sent must be good, since tools use this call to test one. */
export function modelsHandler(backend: GatewayBackend): JsonHandler {
  return async (request) => {
    await checkKeyIfSent(backend, request)
    const models = [...backend.models()].sort((left, right) => (left.id < right.id ? -1 : 1))
    return { object: 'list', data: models.map(modelObject) }
  }
}

/** `GET /v1/models/{id}`; ids may hold slashes, encoded or not. */
export function modelHandler(backend: GatewayBackend): JsonHandler {
  return async (request) => {
    await checkKeyIfSent(backend, request)
    const { '*': id } = request.params as { '*': string }
    const model = backend.models().find((listing) => listing.id === id)
    if (model !== undefined) return modelObject(model)
    throw new LexoraError(
      'model_not_found',
      'No provider serves a model of this name now. GET /v1/models lists those that are served.',
    )
  }
}

/** `GET /v1/key`: what the key's account has left. Amounts are decimal strings of nano-USD (1e-9 USD). */
export function keyHandler(backend: GatewayBackend): JsonHandler {
  return async (request) => {
    const key = await backend.key(requiredApiKeyHash(request.headers))
    const { promo, paid, held, available } = key.balance
    return {
      object: 'key',
      label: key.label,
      account: key.accountRef,
      currency: 'USD',
      balance_nano_usd: {
        promo: promo.toString(),
        paid: paid.toString(),
        held: held.toString(),
        available: available.toString(),
      },
      ...(key.spent === undefined ? {} : { spent_nano_usd: key.spent.toString() }),
    }
  }
}

/** `GET /livez`: the event loop turns. */
export const livenessHandler: JsonHandler = async () => ({ status: 'ok' })

/** `GET /readyz` and `/health`: whether to send requests here. Details are for the operator, not for the public. */
export function readinessHandler(backend: GatewayBackend): JsonHandler {
  return async (_request, reply) => {
    const { ready, checks } = backend.ready()
    if (!ready) reply.code(503).header('retry-after', '1')
    return {
      status: ready ? 'ok' : 'unavailable',
      checks: checks.map(({ name, ok }) => ({ name, ok })),
      ...(ready ? {} : { error: NOT_READY }),
    }
  }
}

const NOT_READY = {
  message: 'This gateway is not ready for requests yet.',
  type: 'server_error',
  param: null,
  code: 'not_ready',
}

async function checkKeyIfSent(backend: GatewayBackend, request: FastifyRequest): Promise<void> {
  const hash = apiKeyHash(request.headers)
  if (hash !== undefined) await backend.key(hash)
}

function modelObject(model: ModelListing): object {
  return {
    id: model.id,
    object: 'model',
    created: Math.floor(model.createdAtMs / 1000),
    owned_by: 'lexora',
    context_length: model.contextTokens,
    quantization: model.quantisation,
    providers: model.providers,
    ...(model.price === undefined ? {} : { pricing: pricingObject(model.price) }),
  }
}

/** In OpenRouter's shape, which tools read: US dollars for one token, as decimal strings. */
function pricingObject(price: ModelPrice): object {
  return {
    prompt: usdPerToken(price.inputNanoUsd),
    completion: usdPerToken(price.outputNanoUsd),
    input_cache_read: usdPerToken(price.cachedInputNanoUsd),
  }
}

/** Nano-USD per million tokens are 1e-15 USD per token, exactly. */
function usdPerToken(nanoUsdPerMillion: NanoUsd): string {
  const digits = nanoUsdPerMillion.toString().padStart(16, '0')
  const fraction = digits.slice(-15).replace(/0+$/, '')
  return fraction === '' ? digits.slice(0, -15) : `${digits.slice(0, -15)}.${fraction}`
}
