import type { Action, ActionRequest } from '@ingot/contract/native.ts';
import type { Actor, Command } from '@ingot/core/machine/model.ts';
import { scriptNamesOf, unknownScript } from '../lifecycle/builtin-scripts.ts';
import { failureFor } from './failure.ts';

/** Which keys of the request an action reads; any other one is refused rather than ignored. */
const KEYS: Partial<Record<Action, readonly (keyof ActionRequest)[]>> = {
  commission: ['enableSsh', 'skipBmcConfig', 'skipNetworking', 'skipStorage', 'commissioningScripts', 'testingScripts'],
  test: ['enableSsh', 'testingScripts'],
  deploy: ['image', 'userData', 'userDataEncoding'],
  release: ['erase', 'secureErase', 'quickErase'],
  'power-off': ['soft'],
};

export function checkKeys(action: Action, request: ActionRequest): void {
  const allowed: readonly string[] = ['comment', ...(KEYS[action] ?? [])];
  const stray = Object.keys(request).find((key) => !allowed.includes(key));
  if (stray === undefined) return;
  const params = { what: `The action ${action}`, key: stray };
  throw failureFor('input.unknown_key', params, { field: stray, fix: `It reads: ${allowed.join(', ')}.` });
}

/** The command of every action but deploy, which needs the store (machines/deploy-request.ts). */
export function commandOf(action: Exclude<Action, 'deploy'>, request: ActionRequest, actor: Actor): Command {
  const { comment } = request;
  switch (action) {
    case 'commission':
      return {
        type: 'commission',
        actor,
        comment,
        enableSsh: request.enableSsh,
        skipBmcConfig: request.skipBmcConfig,
        skipNetworking: request.skipNetworking,
        skipStorage: request.skipStorage,
        scripts: {
          commissioning: known('commissioning', request, 'commissioningScripts'),
          testing: known('testing', request, 'testingScripts'),
        },
      };
    case 'test':
      return {
        type: 'test',
        actor,
        comment,
        enableSsh: request.enableSsh,
        scripts: { testing: known('testing', request, 'testingScripts') },
      };
    case 'release':
      return {
        type: 'release',
        actor,
        comment,
        erase: request.erase,
        secureErase: request.secureErase,
        quickErase: request.quickErase,
      };
    case 'power-off':
      return { type: 'power-off', actor, comment, soft: request.soft };
    case 'accept':
    case 'delete':
      return { type: action, actor };
    default:
      return { type: action, actor, comment };
  }
}

/** The words as they came; 400 for one that chooses nothing, for work that tests nothing passes. */
function known(
  kind: 'commissioning' | 'testing',
  request: ActionRequest,
  field: 'commissioningScripts' | 'testingScripts',
): string[] | undefined {
  const words = request[field];
  const nothing = kind === 'testing' && words?.length === 1 && words[0] === 'none';
  const odd = nothing ? null : unknownScript(kind, words ?? []);
  if (odd === null) return words;
  const fix = `There are: ${scriptNamesOf(kind).join(', ')}${kind === 'testing' ? '; or none' : ''}.`;
  throw failureFor(
    'input.invalid',
    { what: `"${field}"`, why: `names ${odd}, which is no ${kind} script` },
    { field, fix },
  );
}

/** The bytes that cloud-init is to get. Throws 400 for what is not base64 although it says so. */
export function userDataOf(request: ActionRequest): Buffer | null {
  if (request.userData === undefined || request.userData === '') return null;
  if (request.userDataEncoding !== 'base64') return Buffer.from(request.userData, 'utf8');
  const text = request.userData.replace(/\s+/g, '');
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text) || text.length % 4 !== 0) {
    const fix = 'Encode it, or leave userDataEncoding out to send plain text.';
    throw failureFor('input.invalid', { what: '"userData"', why: 'is not base64' }, { field: 'userData', fix });
  }
  return Buffer.from(text, 'base64');
}
