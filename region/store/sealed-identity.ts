/** What each sealed value is bound to, so that it cannot be moved to another row or column. */
export const sealedIdentity = {
  powerSecrets: (machineId: number) => `machine:${machineId}:power`,
  userData: (machineId: number) => `machine:${machineId}:user-data`,
  apiToken: (tokenKey: string) => `api-token:${tokenKey}`,
  instanceToken: (machineId: number) => `machine:${machineId}:instance-token`,
} as const;
