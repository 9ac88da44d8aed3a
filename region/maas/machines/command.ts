import { entryOf } from '@ingot/core/machine/catalogue.ts';
import type { Actor, Command, Refusal } from '@ingot/core/machine/model.ts';
import type { Applied, Caller } from '../../deps.ts';
import { NotFound } from '../../store/not-found.ts';
import type { Call, UserCall } from '../table.ts';
import { type FieldErrors, invalidForm, MaasError, noMatch } from '../wire/errors.ts';
import { textOf } from '../wire/values.ts';

export function actorOf(call: UserCall): Actor {
  return { kind: 'user', id: call.user.id, name: call.user.name, admin: call.user.admin };
}

export function callerOf(call: UserCall): Caller {
  return {
    userId: call.user.id,
    username: call.user.name,
    endpoint: 'api',
    address: call.address,
    userAgent: call.userAgent,
  };
}

export const commentOf = (call: Call): string | undefined => textOf(call.values, 'comment');

/** A command through the door. Throws the dialect's error when it is refused, 404 when the machine is gone. */
export async function perform(call: UserCall, systemId: string, command: Command): Promise<Applied & { ok: true }> {
  return accepted(command.type, await applyOr404(() => call.deps.door.apply(systemId, command, callerOf(call))));
}

export async function applyOr404(apply: () => Promise<Applied>): Promise<Applied> {
  try {
    return await apply();
  } catch (error) {
    if (error instanceof NotFound) throw noMatch('Machine');
    throw error;
  }
}

export function accepted(type: Command['type'], applied: Applied): Applied & { ok: true } {
  if (!applied.ok) throw refusalError(type, applied.refused);
  return applied;
}

/** These are forms upstream: a wrong status is a form error of theirs, 400, where other operations answer 409. */
const FORMS: readonly Command['type'][] = ['commission', 'test'];

/** Field that upstream puts a refusal under, by the first part of its code. */
const FIELDS: Readonly<Record<string, string>> = {
  net: 'network',
  storage: 'storage',
  install: 'storage',
  image: 'distro_series',
  status: '__all__',
  commissioning: '__all__',
};

/** A refusal of core in MAAS's status and shape (conventions §8, §13). The first reason picks the status. */
export function refusalError(type: Command['type'], refused: readonly Refusal[]): MaasError {
  const [first] = refused;
  if (first === undefined) return new MaasError(500, 'The command was refused without a reason.');
  const status = statusOf(type, first);
  if (status === 400) {
    const fields: FieldErrors = {};
    for (const reason of refused) {
      if (statusOf(type, reason) !== 400) continue;
      const field = FIELDS[reason.code.split('.')[0] ?? ''] ?? '__all__';
      fields[field] = [...(fields[field] ?? []), reason.message];
    }
    return invalidForm(fields);
  }
  return new MaasError(status, first.message, status === 503 ? retryAfter(first) : {});
}

function statusOf(type: Command['type'], reason: Refusal): number {
  const status = entryOf(reason.code)?.http ?? 409;
  return status === 409 && FORMS.includes(type) ? 400 : status;
}

/** Address exhaustion does not pass in ten seconds, a rack's reconnect does. */
function retryAfter(reason: Refusal): Record<string, string> {
  return reason.code === 'rack.none' ? { 'retry-after': '10' } : {};
}
