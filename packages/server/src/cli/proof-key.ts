import type { KeyObject } from 'node:crypto'
import { isProofAlgorithm, jwkThumbprint, type ProofAlgorithm, proofAlgorithms } from '@holdfast/pop'
import { nodePrimitives } from '@holdfast/pop/certificates'
import { generateProofKey, type ProofKey, proofKeyOf } from '@holdfast/pop/client/node'
import { type Command, Option } from 'commander'
import { Failure } from './exit.ts'
import { readPrivateKey } from './private-key-file.ts'

/** A DPoP key that lies in a file, or is about to. */
export interface FiledProofKey {
  readonly key: ProofKey
  /** What `cnf.jkt` says of it. RFC 7638. */
  readonly thumbprint: string
}

/** What the command line says of DPoP. */
export interface DpopOptions {
  readonly dpop?: true
  readonly dpopKey?: string
  readonly alg?: ProofAlgorithm
}

/** Adds the options by which a token is bound to a DPoP key. */
export function addDpopOptions(command: Command): Command {
  return command
    .option('--dpop', 'bind to a DPoP key, made on the fly, instead of a certificate')
    .option('--dpop-key <file>', 'the same with a key of your own: private, PEM or JWK')
    .addOption(
      new Option('--alg <alg>', 'algorithm of the proofs: ES256, or what the key is for, when left out').choices(
        proofAlgorithms,
      ),
    )
}

/** The DPoP key that the command line asks for, and what keeps it: its own file, or the text of one to be made. */
export type ChosenProofKey = FiledProofKey & ({ readonly file: string } | { readonly text: string })

/** The DPoP key that a token is to be bound to. None where nobody asked for DPoP. */
export async function chosenProofKey({ dpop, dpopKey, alg }: DpopOptions): Promise<ChosenProofKey | undefined> {
  if (dpopKey !== undefined) return { ...(await readProofKey(dpopKey, alg)), file: dpopKey }
  if (dpop) return await createProofKeyFile(alg ?? 'ES256')
  if (alg !== undefined) throw new Failure(2, '--alg is about DPoP proofs: add --dpop, or --dpop-key FILE.')
  return undefined
}

/** Makes a key, and its text for a file: a private JWK that names its algorithm. */
async function createProofKeyFile(alg: ProofAlgorithm): Promise<FiledProofKey & { readonly text: string }> {
  const key = await generateProofKey(alg)
  const text = `${JSON.stringify({ ...key.export({ format: 'jwk' }), alg }, null, 2)}\n`
  return { ...(await filed(key, alg)), text }
}

/**
 * Reads the key of a file.
 * @param wanted goes before the algorithm that the file names
 */
export async function readProofKey(file: string, wanted?: ProofAlgorithm): Promise<FiledProofKey> {
  const { key, alg } = await readPrivateKey(file)
  const chosen = wanted ?? alg
  if (!isProofAlgorithm(chosen))
    throw new Failure(66, `${file} is a key for ${chosen}, which signs no proofs: name another with --alg.`)
  try {
    return await filed(key, chosen)
  } catch (cause) {
    throw new Failure(66, `The key in ${file} signs no proofs by ${chosen}: name another --alg, or another key.`, cause)
  }
}

async function filed(key: KeyObject, alg: ProofAlgorithm): Promise<FiledProofKey> {
  const proofKey = proofKeyOf(key, alg)
  return { key: proofKey, thumbprint: await jwkThumbprint(proofKey.jwk, nodePrimitives) }
}
