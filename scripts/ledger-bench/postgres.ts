import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chown, mkdtemp, readdir, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Target } from './load.ts'

/** What is used of the `pg` package. */
interface Connection {
  connect(): Promise<void>
  end(): Promise<void>
  query(query: string | { name: string; text: string; values: unknown[] }): Promise<unknown>
}

const { Client } = createRequire(new URL('../tools/package.json', import.meta.url))('pg') as {
  Client: new (options: object) => Connection
}

const INSTALLED = '/usr/lib/postgresql'
const PORT = 54_329
const CUSTOMERS = 1_000
const PROVIDERS = 50
/** The rows after the customers and the providers. */
const FEES = CUSTOMERS + PROVIDERS

const SCHEMA = `
  create table account (
    id int primary key, debits bigint not null default 0, credits bigint not null default 0,
    held bigint not null default 0, check (id > ${CUSTOMERS} or credits - debits - held >= 0));
  create table transfer (
    id text primary key, pending text unique, kind text not null, account int not null,
    amount bigint not null, at timestamptz not null default now());
  insert into account (id, credits) select g, 1000000000000000 from generate_series(1, ${FEES}) g;`

/** One statement is one transaction and one round trip: the least that two-phase transfers can cost here. */
const HOLD = `
  with held as (
    update account set held = held + $3 where id = $2 and credits - debits - held >= $3 returning id)
  insert into transfer (id, kind, account, amount) select $1, 'hold', id, $3 from held`
const CAPTURE = (hasFees: boolean): string => `
  with taken as (
    update account set held = held - $4, debits = debits + $5 where id = $2 returning id),
  earned as (update account set credits = credits + $6 where id = $3 returning id)
  ${hasFees ? `, fees as (update account set credits = credits + $7 where id = ${FEES})` : ''}
  insert into transfer (id, pending, kind, account, amount)
  select $1 || '/end', $1, 'capture', taken.id, $5 from taken, earned ${hasFees ? '' : 'where $7 >= 0'}`

/** A PostgreSQL server of its own, in its own folder, with Debian's defaults. */
export interface Postgres {
  version: string
  /** So many connections, used in turn; with or without the row that every capture writes. */
  target(
    connections: number,
    hasFees: boolean,
  ): Promise<{ target: Target; close: () => Promise<void> }>
  stop(): Promise<void>
}

/** Installs PostgreSQL where it is missing (root and apt only) and starts it; undefined where that is not possible. */
export async function startPostgres(): Promise<Postgres | undefined> {
  const binaries = await findBinaries()
  if (binaries === undefined) return undefined
  // The server refuses to run as root, and a socket's path must be short.
  const user = process.getuid?.() === 0 ? { uid: idOf('-u'), gid: idOf('-g') } : {}
  const directory = await mkdtemp('/tmp/lexora-pg-')
  if (user.uid !== undefined) await chown(directory, user.uid, user.gid)
  const data = join(directory, 'data')
  const init = ['-D', data, '-A', 'trust', '-U', 'bench', '-E', 'UTF8', '--locale=C']
  execFileSync(join(binaries, 'initdb'), init, { ...user, cwd: directory, stdio: 'ignore' })
  const settings = ['-D', data, '-k', directory, '-p', String(PORT), '-c', 'listen_addresses=']
  const server = spawn(join(binaries, 'postgres'), settings, {
    ...user,
    cwd: directory,
    stdio: 'ignore',
  })
  const open = async (): Promise<Connection> => {
    const client = new Client({ host: directory, port: PORT, user: 'bench', database: 'postgres' })
    await client.connect()
    return client
  }
  const first = await patiently(open)
  await first.query(SCHEMA)
  await first.end()
  return {
    version: execFileSync(join(binaries, 'postgres'), ['--version']).toString().trim(),
    target: (connections, hasFees) => openTarget(open, connections, hasFees),
    async stop() {
      server.kill('SIGINT')
      await once(server, 'exit')
      await rm(directory, { recursive: true })
    },
  }
}

async function openTarget(
  open: () => Promise<Connection>,
  connections: number,
  hasFees: boolean,
): Promise<{ target: Target; close: () => Promise<void> }> {
  const pool = await Promise.all(Array.from({ length: connections }, open))
  const capture = { name: 'capture', text: CAPTURE(hasFees) }
  const holders = new Map<string, number>()
  let count = 0
  const idle = [...pool]
  // As many callers as connections: one is always idle.
  async function run(statement: { name: string; text: string; values: unknown[] }): Promise<void> {
    const client = idle.pop()
    if (client === undefined) throw new Error('more callers than connections')
    await client.query(statement)
    idle.push(client)
  }
  return {
    target: {
      async hold() {
        const id = crypto.randomUUID()
        const customer = 1 + (count++ % CUSTOMERS)
        holders.set(id, customer)
        await run({ name: 'hold', text: HOLD, values: [id, customer, 25_000] })
        return id
      },
      capture(id) {
        const customer = holders.get(id) ?? 0
        holders.delete(id)
        const provider = CUSTOMERS + 1 + (count % (PROVIDERS - 1))
        const values = [id, customer, provider, 25_000, 12_500, 11_250, 1_250]
        return run({ ...capture, values })
      },
    },
    close: async () => void (await Promise.all(pool.map((client) => client.end()))),
  }
}

async function findBinaries(): Promise<string | undefined> {
  const versions = (): Promise<string[]> => readdir(INSTALLED).catch(() => [])
  let [version] = await versions()
  if (version === undefined && process.getuid?.() === 0) {
    try {
      execFileSync('apt-get', ['install', '-y', '--no-install-recommends', 'postgresql-15'], {
        stdio: 'ignore',
        env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      })
    } catch {
      return undefined
    }
    version = (await versions())[0]
  }
  return version === undefined ? undefined : join(INSTALLED, version, 'bin')
}

function idOf(flag: '-u' | '-g'): number {
  return Number(execFileSync('id', [flag, 'postgres']).toString())
}

async function patiently<T>(attempt: () => Promise<T>): Promise<T> {
  for (let left = 100; ; left -= 1) {
    try {
      return await attempt()
    } catch (error) {
      if (left === 0) throw error
      await sleep(100)
    }
  }
}
