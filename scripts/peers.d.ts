/** Peers that tests and benchmarks use and that ship no types. */
declare module 'autocannon'
declare module 'express'
declare module 'oidc-provider'
