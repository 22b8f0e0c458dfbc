import { defaultAlgorithms, type Vector } from './proofs.ts'

const key =
  'eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19'

/** Of a proof that the RFC prints: its second and third part. */
const printed = {
  tokenRequest:
    'eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg',
  refreshRequest:
    'eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjY1Mjk2fQ.pAqut2IRDm_De6PR93SYmGBPXpwrAk90e8cP2hjiaG5QsGSuKDYW7_X620BxqhvYC8ynrrvZLTk41mSRroapUA',
  resourceRequest:
    'eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA',
} as const

/** The proofs that RFC 9449 prints, at the moments that they name. The thumbprint is the one of its §6.1. */
export function printedVectors(): readonly Vector[] {
  const policy = { algorithms: defaultAlgorithms, nonces: 'off' } as const
  const thumbprint = '0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I'
  const proof = (rest: keyof typeof printed): readonly string[] => [`${key}.${printed[rest]}`]
  const url = 'https://server.example.com/token'
  return [
    {
      id: 'printed-token-request',
      title: 'RFC 9449 §4.1, §5: the proof of a token request',
      rule: 'RFC9449-5',
      request: { method: 'POST', url, headers: { dpop: proof('tokenRequest') } },
      policy,
      clock: 1_562_262_616,
      outcome: 'accepted',
      thumbprint,
    },
    {
      id: 'printed-refresh-request',
      title: 'RFC 9449 §5: the proof of a refresh request',
      rule: 'RFC9449-5',
      request: { method: 'POST', url, headers: { dpop: proof('refreshRequest') } },
      policy,
      clock: 1_562_265_296,
      outcome: 'accepted',
      thumbprint,
    },
    {
      id: 'printed-resource-request',
      title: 'RFC 9449 §7.1: the proof of a request at an API',
      rule: 'RFC9449-7.1',
      request: {
        method: 'GET',
        url: 'https://resource.example.org/protectedresource',
        headers: {
          authorization: ['DPoP Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU'],
          dpop: proof('resourceRequest'),
        },
      },
      policy,
      clock: 1_562_262_618,
      outcome: 'accepted',
      thumbprint,
    },
  ]
}
