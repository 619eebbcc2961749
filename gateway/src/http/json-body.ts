import { LexoraError } from '@lexora/protocol'
import type { FastifyInstance, FastifyRequest } from 'fastify'

/** Reads JSON bodies and nothing else. The parser's own messages quote the text, so ours replace them. */
export function readJsonBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser<Buffer>('application/json', { parseAs: 'buffer' }, parseBody)
}

async function parseBody(_request: FastifyRequest, body: Buffer): Promise<unknown> {
  return json(utf8(body))
}

function utf8(body: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body)
  } catch {
    throw new LexoraError('invalid_request', 'The request body is not valid UTF-8.')
  }
}

function json(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    throw new LexoraError('invalid_request', 'The request body is not valid JSON.')
  }
}
