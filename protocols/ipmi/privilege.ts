/** Privilege levels of sessions and users: IPMI 2.0 §6.8. Each may do what those below it may. */
export const PRIVILEGE = { USER: 2, OPERATOR: 3, ADMIN: 4 } as const;
export type Privilege = keyof typeof PRIVILEGE;
