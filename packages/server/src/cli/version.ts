export { version } from '../http/operations/version.ts'
