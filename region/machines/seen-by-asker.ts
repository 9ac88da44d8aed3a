import type { MachineState } from '@ingot/core/machine/model.ts';
import type { Kysely } from 'kysely';
import type { Tables } from '../store/schema.ts';

/** A machine that nobody owns becomes the asker's when it is deployed: it is the asker's SSH keys that count. */
export async function seenByAsker(db: Kysely<Tables>, machine: MachineState, userId: number): Promise<MachineState> {
  if (machine.owner !== null) return machine;
  const key = await db.selectFrom('ssh_keys').select('id').where('user_id', '=', userId).limit(1).executeTakeFirst();
  return { ...machine, facts: { ...machine.facts, ownerHasSshKey: key !== undefined } };
}
