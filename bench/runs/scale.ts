import { startPostgres } from '../../conformance/postgres-server.ts'
import { type Bench, type Contestant, formHeaders, stop, type Target, tell, tokenForm } from '../bench.ts'
import { requireProgram } from '../left-out.ts'
import type { Result } from '../report.ts'
import { type Seed, seededClient, seededToken, seedPostgres, seedSqlite } from '../seed.ts'
import { asking as introspecting } from './introspection.ts'

const full: Seed = { clients: 100_000, tokens: 1_000_000 }
const small: Seed = { clients: 1000, tokens: 1000 }

/** More than a process keeps in memory. */
const many = 20_000

/** A file with next to nothing in it, and one with a million tokens. */
export async function scale(bench: Bench): Promise<Readonly<Record<string, Result>>> {
  const open = async (name: string, seed: Seed) => {
    const directory = bench.createFolder(name)
    await stop(await bench.target('issuer-holdfast', { directory }))
    tell(`scale: ${seed.tokens} tokens`)
    seedSqlite(directory, seed)
    return await bench.target('issuer-holdfast', { directory })
  }
  const [big, little] = [await open('full', full), await open('small', small)]
  const results = {
    'scale-issuance': await bench.takeTurns('scale-issuance', issuing(big, little)),
    'scale-introspection': await bench.takeTurns('scale-introspection', asking(big, little)),
  }
  await stop(big, little)
  return results
}

/** The same in two databases of one PostgreSQL server. */
export async function scalePostgres(bench: Bench): Promise<Readonly<Record<string, Result>>> {
  requireProgram('postgres')
  const server = await startPostgres()
  try {
    const open = async (name: string, seed: Seed) => {
      const postgres = await server.createDatabase()
      const keys = { encryptionKey: bench.encryptionKey }
      const options = { directory: bench.createFolder(name), settings: { store: { postgres }, keys } }
      await stop(await bench.target('issuer-holdfast', options))
      tell(`scale on PostgreSQL: ${seed.tokens} tokens`)
      await seedPostgres(postgres, seed)
      return await bench.target('issuer-holdfast', options)
    }
    const [big, little] = [await open('full', full), await open('small', small)]
    const results = {
      'scale-postgres-issuance': await bench.takeTurns('scale-postgres-issuance', issuing(big, little)),
      'scale-postgres-introspection': await bench.takeTurns('scale-postgres-introspection', asking(big, little)),
    }
    await stop(big, little)
    return results
  } finally {
    await server.stop()
  }
}

function issuing(big: Target, little: Target): Readonly<Record<string, Contestant>> {
  return {
    'full database': issuingTo(big, small.clients),
    'small database': issuingTo(little, small.clients),
    'full, many clients': issuingTo(big, many),
  }
}

function asking(big: Target, little: Target): Readonly<Record<string, Contestant>> {
  return {
    'full database': introspecting(big, spread(many, full.tokens).map(seededToken)),
    'small database': introspecting(little, spread(small.tokens, small.tokens).map(seededToken)),
  }
}

function issuingTo(target: Target, clients: number): Contestant {
  const body = spread(clients, clients).map((each) => tokenForm(seededClient(each)))
  const url = `https://localhost:${target.port}/token`
  return { target, load: { url, method: 'POST', headers: formHeaders, body } }
}

/** Numbers all over what there is. */
function spread(count: number, among: number): number[] {
  return Array.from({ length: count }, (_, index) => Math.floor((index * among) / count))
}
