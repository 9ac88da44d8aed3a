import { SshKeyRequest, SshKeyView } from '@ingot/contract/native.ts';
import * as z from 'zod';
import { addSshKey, deleteSshKey, listSshKeys, parseSshKey, type SshKey } from '../../accounts/ssh-keys.ts';
import { noSuch } from '../failure.ts';
import { type Route, route, signedIn } from '../route.ts';

/** Public keys of the caller: they get into the machines that they deploy. */
export function sshKeyRoutes(): Route[] {
  return [
    route(
      {
        method: 'GET',
        path: '/ssh-keys',
        operation: 'listSshKeys',
        summary: 'SSH keys of the caller',
        access: 'user',
        answer: z.array(SshKeyView),
      },
      async ({ deps, principal }) => (await listSshKeys(deps, signedIn(principal).userId)).map(viewOf),
    ),
    route(
      {
        method: 'POST',
        path: '/ssh-keys',
        operation: 'addSshKey',
        summary: 'Add a public key of the caller',
        access: 'user',
        body: SshKeyRequest,
        answer: SshKeyView,
      },
      async ({ deps, principal, body }) => viewOf(await addSshKey(deps, signedIn(principal).userId, body.key)),
    ),
    route(
      {
        method: 'DELETE',
        path: '/ssh-keys/:id',
        operation: 'removeSshKey',
        summary: 'Remove a key of the caller; machines that have it keep it',
        access: 'user',
        params: z.object({ id: z.coerce.number().int() }),
        answer: null,
      },
      async ({ deps, principal, params }) => {
        if (!(await deleteSshKey(deps, signedIn(principal).userId, params.id))) {
          throw noSuch('SSH key', String(params.id));
        }
        return undefined;
      },
    ),
  ];
}

function viewOf(stored: SshKey): SshKeyView {
  const parsed = parseSshKey(stored.key);
  return {
    id: stored.id,
    key: stored.key,
    comment: parsed?.comment ?? '',
    fingerprint: parsed?.fingerprint ?? '',
  };
}
