export { presentInHandshake } from './testing/handshake.ts'
export { inboundWith } from './testing/inbound.ts'
export {
  createTestIssuer,
  generateTestKey,
  signJwt,
  type TestIssuer,
  type TokenOverrides,
  testNow,
} from './testing/issuer.ts'
