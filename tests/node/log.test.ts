import { LexoraError } from '@lexora/protocol'
import { describe, expect, it } from 'vitest'
import { createLog } from '../../node/src/log.ts'

function capture(): { lines: () => Record<string, unknown>[]; log: ReturnType<typeof createLog> } {
  const written: string[] = []
  const destination = { write: (line: string) => void written.push(line) }
  return {
    lines: () => written.map((line) => JSON.parse(line) as Record<string, unknown>),
    log: createLog({ level: 'debug', component: 'node', destination }),
  }
}

describe('createLog()', () => {
  it('writes allow-listed fields and nothing else', () => {
    const { log, lines } = capture()
    log
      .child({ part: 'serving' })
      .info(
        { model: 'm', peer: 'p', prompt: 'CANARY', messages: ['CANARY'], text: 'CANARY' },
        'request finished',
      )
    expect(lines()[0]).toMatchObject({
      component: 'node',
      part: 'serving',
      model: 'm',
      peer: 'p',
      msg: 'request finished',
    })
    expect(JSON.stringify(lines())).not.toContain('CANARY')
  })

  it('leaves out what other people’s errors say, which may be what they were given', () => {
    const { log, lines } = capture()
    const cause = new TypeError('CANARY\n    of two lines')
    log.error({ err: Object.assign(cause, { code: 'E_CODE', body: 'CANARY' }) }, 'failed')
    log.error({ err: new LexoraError('timeout', 'in our words', { cause }) }, 'failed')
    log.error({ err: 'CANARY' }, 'failed')
    expect(JSON.stringify(lines())).not.toContain('CANARY')
    expect(JSON.stringify(lines())).not.toContain('two lines')
    expect(lines()[0]?.['err']).toMatchObject({ name: 'TypeError', code: 'E_CODE' })
    expect(lines()[1]?.['err']).toMatchObject({
      code: 'timeout',
      message: 'in our words',
      cause: 'TypeError',
    })
  })
})
