export {
  certificateKeyOf,
  decodeBase64,
  derOf,
  factsOf,
  parsePem,
  pemOf,
  thumbprintOf,
  x509Of,
} from './node/certificates/read.ts'
export { type ThumbprintSpelling, thumbprintSpellings } from './node/certificates/thumbprint-spellings.ts'
export { nodePrimitives } from './node/primitives.ts'
