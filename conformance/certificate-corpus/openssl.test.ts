import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Refused } from '@holdfast/pop'
import { parseCrls, verifyPath } from '@holdfast/pop/certificates'
import { afterAll, expect, it } from 'vitest'
import { requirePrograms } from '../requires.ts'
import { type Chain, chains, type Evidence, now } from './chains.ts'

const folder = mkdtempSync(join(tmpdir(), 'holdfast-corpus-'))
afterAll(() => rmSync(folder, { recursive: true }))

requirePrograms('openssl')(
  '[RFC8705-7.5-1] paths, judged by us and by openssl verify -purpose sslclient -x509_strict',
  () => {
    it.each(chains.map((chain, at) => ({ ...chain, at })))('$ours: $title', async ({ evidence, ours, differs, at }) => {
      const given = await evidence()
      expect(await judgedByUs(given)).toBe(ours)
      const openssl = judgedByOpenssl(given, String(at))
      expect(openssl.accepted, openssl.said).toBe(differs === undefined ? ours === 'accepted' : ours !== 'accepted')
    })
  },
)

async function judgedByUs({ chain, anchors, crls }: Evidence): Promise<Chain['ours']> {
  try {
    const lists = crls && { crls: crls.flatMap((pem) => parseCrls(pem)) }
    await verifyPath({ chain: chain.map(der), anchors: anchors.map(der), now, ...lists })
    return 'accepted'
  } catch (error) {
    if (error instanceof Refused) return error.reason
    throw error
  }
}

/** `-partial_chain`: an anchor need not be a root, as with us. No store of the system, only what is given. */
function judgedByOpenssl({ chain, anchors, crls }: Evidence, name: string): { accepted: boolean; said: string } {
  const file = (kind: string, pems: readonly string[]) => {
    const path = join(folder, `${name}-${kind}.pem`)
    writeFileSync(path, pems.join(''))
    return path
  }
  const [leaf = '', ...others] = chain
  const untrusted = others.length > 0 ? ['-untrusted', file('others', others)] : []
  const lists = crls ? ['-crl_check_all', '-CRLfile', file('crls', crls)] : []
  const rules = ['-purpose', 'sslclient', '-x509_strict', '-partial_chain', '-attime', String(now)]
  const stores = ['-no-CApath', '-no-CAstore', '-CAfile', file('anchors', anchors)]
  const all = ['verify', ...rules, ...stores, ...untrusted, ...lists, file('leaf', [leaf])]
  const { status, stdout, stderr } = spawnSync('openssl', all, { encoding: 'utf8' })
  return { accepted: status === 0, said: `${stdout}${stderr}` }
}

function der(pem: string): Buffer {
  return Buffer.from(pem.split('\n').slice(1, -2).join(''), 'base64')
}
