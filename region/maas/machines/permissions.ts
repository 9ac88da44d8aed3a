import type { Person } from '../table.ts';
import { forbidden, PERMISSION_DENIED } from '../wire/errors.ts';

/** What permissions are decided from (lifecycle.md §3, local users). */
export interface Guarded {
  owner_id: number | null;
  locked: boolean;
}

export type Permission = 'view' | 'edit' | 'lock' | 'admin' | 'admin_read';

const unownedOrOwn = (person: Person, machine: Guarded): boolean =>
  person.admin || machine.owner_id === null || machine.owner_id === person.id;

/** A locked machine can be edited and administered by nobody, administrators included. */
export function may(person: Person, permission: Permission, machine: Guarded): boolean {
  switch (permission) {
    case 'view':
    case 'lock':
      return unownedOrOwn(person, machine);
    case 'edit':
      return !machine.locked && unownedOrOwn(person, machine);
    case 'admin':
      return !machine.locked && person.admin;
    case 'admin_read':
      return person.admin;
  }
}

/** Throws 403 with the standard sentence. */
export function demand(person: Person, permission: Permission, machine: Guarded): void {
  if (!may(person, permission, machine)) throw forbidden(PERMISSION_DENIED);
}
