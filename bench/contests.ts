/** What is compared, and how much of the others' rate the first contestant is to reach. */
export interface Contest {
  readonly title: string
  /** What a reader must know of the job. */
  readonly note?: string
  readonly goals: Readonly<Record<string, number>>
  /** Where a disk, another process or a second core decides, CPU time says nothing: the rate counts in any case. */
  readonly counts?: 'rate'
}

/** All of them. */
export const contests = {
  issuance: {
    title: 'Issuance: client credentials, `client_secret_post`, certificate-bound ES256 JWT',
    goals: { 'bare handler': 0.75, 'oidc-provider': 2.2 },
  },
  guard: {
    title: 'Guard: certificate-bound ES256 JWT at an API',
    goals: { 'bare handler': 0.75, 'express-oauth2-jwt-bearer': 2.5 },
  },
  'dpop-issuance': {
    title: 'Issuance with DPoP: client credentials, `client_secret_post`, a proof (ES256) for each request',
    note: `Every request brings a proof of its own, made within the minute before the round, and the token is bound to its key.
Holdfast records each use in SQLite, on the disk before the answer leaves. \`oidc-provider\` records it in its default
adapter: in memory, where the newest thousand or two stay.`,
    goals: { 'oidc-provider': 2 },
  },
  'dpop-guard': {
    title: 'Guard with DPoP: DPoP-bound ES256 JWT and a proof (ES256) for each request',
    note: `The guard remembers each proof in memory. \`express-oauth2-jwt-bearer\` remembers none: a proof passes there as often as
it is sent. The bare handler checks one signature with \`crypto.verify\` and looks at nothing else.`,
    goals: { 'bare verify': 0.7, 'express-oauth2-jwt-bearer': 1.5 },
  },
  reference: {
    title: 'Reference tokens on SQLite: certificate-bound, on the disk before the answer leaves',
    note: 'The same server and the same request, by a client whose tokens are stored and by one whose tokens are JWTs.',
    goals: { JWT: 0.6 },
    counts: 'rate',
  },
  'dpop-store': {
    title: 'DPoP on SQLite: each proof on the disk before the answer leaves',
    note: 'The same server, by a client that is bound by DPoP and by one that is bound by its certificate.',
    goals: { 'certificate-bound': 0.6 },
    counts: 'rate',
  },
  introspection: {
    title: 'Introspection: an API asks about 500 tokens in turn, `client_secret_post`',
    note: `Holdfast reads reference tokens from SQLite. \`oidc-provider\` keeps its tokens in memory. The bare handler hashes what it
is sent, reads one row of an indexed SQLite table and answers. For a JWT Holdfast checks the signature and looks into the
table of revocations; the others have nothing like it.`,
    goals: { 'oidc-provider': 5, 'bare handler': 0.5 },
  },
  redis: {
    title: 'DPoP with the used proofs in Redis',
    note: 'Two servers, and one Redis on the same machine, whose own CPU time is not counted.',
    goals: {},
    counts: 'rate',
  },
  workers: {
    title: 'Two workers on PostgreSQL: certificate-bound ES256 JWT',
    note: '`holdfast serve --workers 2` against `--workers 1`. The load generator runs on the same two cores. Only declined requests are logged.',
    goals: { 'one worker': 1.6 },
    counts: 'rate',
  },
  'workers-writing': {
    title: 'Two workers on PostgreSQL: reference tokens',
    note: 'PostgreSQL and the load generator run on the same two cores.',
    goals: {},
    counts: 'rate',
  },
  'scale-issuance': {
    title: 'One million live reference tokens and 100,000 clients on SQLite: issuance of reference tokens',
    note: `1,000 clients ask in turn, in a database that has these and nothing else, and in the full one. The last row is the full
one, asked by 20,000 clients in turn: twice as many as a process keeps in memory, so that each has to be read.`,
    goals: { 'small database': 0.85 },
    counts: 'rate',
  },
  'scale-introspection': {
    title: 'The same on SQLite: introspection',
    note: 'Of 1,000 tokens in the small database, and of 20,000 in the full one.',
    goals: { 'small database': 0.85 },
  },
  'scale-postgres-issuance': {
    title: 'The same on PostgreSQL: issuance of reference tokens',
    goals: { 'small database': 0.85 },
    counts: 'rate',
  },
  'scale-postgres-introspection': {
    title: 'The same on PostgreSQL: introspection',
    goals: { 'small database': 0.85 },
    counts: 'rate',
  },
} as const satisfies Readonly<Record<string, Contest>>

/** What is compared. */
export type ContestName = keyof typeof contests
