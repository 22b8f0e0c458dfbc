import { Refused, refusals } from '@holdfast/pop'
import { ClientError } from '@holdfast/pop/client'
import { AdministrationError } from '../administration/administration-error.ts'
import { SealedKeyError } from '../administration/keys/signing-keys.ts'
import { StoreUnavailable } from '../ports/store.ts'
import { SettingsError } from '../settings.ts'
import { StoreOwned } from '../store/sqlite/owner.ts'
import { StoreAway, StoreUnusable } from '../store/unusable.ts'
import { type ExitCode, Failure } from './exit.ts'

/** One sentence and an exit code for whatever ended a command. */
export function explain(error: unknown): { readonly code: ExitCode; readonly message: string } {
  if (error instanceof Failure) return error
  if (error instanceof SealedKeyError) return { code: 78, message: error.message }
  if (error instanceof SettingsError) return { code: 78, message: error.message }
  if (error instanceof AdministrationError) return { code: 1, message: error.message }
  if (error instanceof StoreOwned) return { code: 69, message: error.message }
  if (error instanceof StoreAway) return { code: 69, message: error.message }
  if (error instanceof StoreUnusable) return { code: 66, message: error.message }
  if (error instanceof ClientError) return clientError(error)
  if (error instanceof Refused) return { code: 1, message: `${error.reason}: ${refusals[error.reason].says}` }
  for (const cause of causesOf(error)) {
    const known = systemError(cause)
    if (known) return known
  }
  if (error instanceof StoreUnavailable) return { code: 69, message: error.message }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return { code: 70, message: `this is a defect of Holdfast, please report it: ${text}` }
}

/** What the client library says, with the exit code that fits. */
function clientError(error: ClientError): { readonly code: ExitCode; readonly message: string } {
  const { reason, message } = error
  for (const cause of causesOf(error.cause)) {
    const known = systemError(cause)
    if (known) return known
  }
  if (reason === 'server_untrusted') return { code: 69, message: `${message} Name its CA with --ca.` }
  const unavailable = [
    'connection_failed',
    'connection_lost',
    'deadline_exceeded',
    'server_unavailable',
    'metadata_unavailable',
  ]
  if (unavailable.includes(reason)) return { code: 69, message }
  if (reason === 'certificate_unusable' || reason === 'trust_malformed') return { code: 66, message }
  return { code: 1, message }
}

interface SystemError extends Error {
  readonly code: string
  readonly address?: string
  readonly port?: number
  readonly path?: string
  readonly hostname?: string
}

function systemError(error: SystemError): { readonly code: ExitCode; readonly message: string } | undefined {
  const { code, address, port, path, hostname } = error
  const place = path ?? hostname ?? (port === undefined ? 'the server' : `${address ?? 'the server'} port ${port}`)
  switch (code) {
    case 'EADDRINUSE':
      return {
        code: 69,
        message: `Port ${port} is in use by another program. Stop that one, or choose other ports: --port-base of holdfast dev, listen in the settings.`,
      }
    case 'EACCES':
      return port === undefined
        ? { code: 66, message: `${place} may not be opened: permission denied.` }
        : { code: 69, message: `Port ${port} may not be opened: permission denied. Choose one above 1023.` }
    case 'ENOENT':
    case 'EISDIR':
    case 'ENOTDIR':
      return {
        code: 66,
        message: `${place} cannot be read: ${code === 'EISDIR' ? 'it is a folder' : 'there is no such file'}.`,
      }
    case 'ECONNREFUSED':
      return { code: 69, message: `Nothing answers at ${place}. Is the server running? \`holdfast dev\` starts one.` }
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return { code: 69, message: `There is no host ${place}.` }
    case 'ETIMEDOUT':
    case 'ABORT_ERR':
      return { code: 69, message: `${place} does not answer in time.` }
    case 'ECONNRESET':
      return { code: 69, message: 'The server closed the connection: it may refuse the certificate, or its absence.' }
    default:
      return untrusted.has(code)
        ? { code: 69, message: `The certificate of the server is not trusted (${code}). Name its CA with --ca.` }
        : undefined
  }
}

const untrusted = new Set([
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
])

/** The system's errors behind an error: `fetch` hides them in `cause`, connecting to two addresses in `errors`. */
function* causesOf(error: unknown): Generator<SystemError> {
  if (!(error instanceof Error)) return
  if (error instanceof AggregateError) for (const each of error.errors) yield* causesOf(each)
  if ('code' in error && typeof error.code === 'string') yield error as SystemError
  yield* causesOf(error.cause)
}
