import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { errorObject, HttpRefusal, toApiError } from './errors.ts'

const REFUSALS: ReadonlyMap<string, HttpRefusal> = new Map([
  ['HPE_HEADER_OVERFLOW', new HttpRefusal(431, 'invalid_request', 'The headers are too large.')],
  [
    'ERR_HTTP_REQUEST_TIMEOUT',
    new HttpRefusal(408, 'timeout', 'The request did not arrive in time.'),
  ],
])

const NOT_HTTP = new HttpRefusal(400, 'invalid_request', 'This is not a well-formed HTTP request.')

/** Answers what Node's parser could not read as a request: nothing else sees it. The connection ends with it. */
export function answerBrokenRequests(
  newRequestId: () => string,
): (error: Error & { code?: string }, socket: Socket) => void {
  return (error, socket) => {
    if (error.code === 'ECONNRESET' || !socket.writable || isAnswering(socket)) {
      socket.destroy()
      return
    }
    const answer = toApiError(REFUSALS.get(error.code ?? '') ?? NOT_HTTP)
    const body = JSON.stringify({ error: errorObject(answer) })
    socket.end(
      `HTTP/1.1 ${answer.status} ${STATUS_CODES[answer.status]}\r\nconnection: close\r\n` +
        `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n` +
        `x-request-id: ${newRequestId()}\r\n\r\n${body}`,
    )
  }
}

/** Whether part of a response is already out: a second head in the middle of it would corrupt it. */
function isAnswering(socket: Socket): boolean {
  const { _httpMessage } = socket as Socket & { _httpMessage?: { headersSent: boolean } | null }
  return _httpMessage?.headersSent === true
}
