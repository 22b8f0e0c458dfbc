import { ClientError } from '@holdfast/pop/client'
import { describe, expect, it } from 'vitest'
import { AdministrationError } from '../administration/administration-error.ts'
import { SettingsError } from '../settings.ts'
import { StoreOwned } from '../store/sqlite/owner.ts'
import { StoreAway, StoreUnusable } from '../store/unusable.ts'
import { Failure } from './exit.ts'
import { explain } from './explain.ts'

describe('what ends a command', () => {
  const system = (code: string, more: object = {}) => Object.assign(new Error(code), { code, ...more })

  it.each([
    ['a refusal of the command itself', new Failure(2, 'Wrong.'), 2],
    ['wrong settings', new SettingsError('issuer: is missing.'), 78],
    ['a command that the server did not carry out', new AdministrationError('taken', 'There is one.'), 1],
    ['a store that another process has', new StoreOwned('holdfast.db', 1), 69],
    ['a database server that is not there', new StoreAway('x', { cause: system('ECONNREFUSED') }), 69],
    ['a database that cannot be used', new StoreUnusable('x', { cause: system('EACCES', { path: 'x.db' }) }), 66],
    ['a port that is taken', system('EADDRINUSE', { port: 5001 }), 69],
    ['a server that is not there', system('ECONNREFUSED', { port: 5001 }), 69],
    ['one that is not there at either address', new AggregateError([system('ECONNREFUSED', { port: 5001 })]), 69],
    ['one that fetch cannot reach', new TypeError('fetch failed', { cause: system('ECONNREFUSED') }), 69],
    ['one that is not trusted', system('SELF_SIGNED_CERT_IN_CHAIN'), 69],
    ['a file that is not there', system('ENOENT', { path: 'x.pem' }), 66],
    ['what the client library refuses', new ClientError('token_unbound'), 1],
    ['what the client library cannot reach', new ClientError('connection_failed'), 69],
    ['a bug', new TypeError('x is undefined'), 70],
    ['what is no error', 'text', 70],
  ])('says of %s what its exit code is', (_, error, code) => {
    const said = explain(error)
    expect(said.code).toBe(code)
    expect(said.message).not.toBe('')
  })

  it('names the port that is taken, and what to do', () => {
    expect(explain(system('EADDRINUSE', { port: 5001 })).message).toMatch(/^Port 5001 is in use.*choose other ports/)
  })
})
