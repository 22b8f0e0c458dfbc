export type { ProofAlgorithm } from './proof/dpop.ts'
export type { AccessToken, TokenForm } from './resource/access-token.ts'
export type { Check, CheckName } from './resource/checks.ts'
export {
  createGuard,
  type Guard,
  type GuardContext,
  type GuardReport,
  type Needs,
} from './resource/guard.ts'
export type { IntrospectionOptions } from './resource/introspected-token.ts'
export {
  createResourceMetadata,
  type ProofMethod,
  type ResourceDescription,
  type ResourceMetadata,
} from './resource/metadata.ts'
export type { DpopOptions, GuardOptions } from './resource/policy.ts'
export {
  type Admitted,
  type Declined,
  renderVerdict,
  type Verdict,
} from './resource/verdict.ts'
