import { secretFieldsOf } from '@ingot/core/power/power-types.ts';
import type { Kysely, Transaction } from 'kysely';
import * as z from 'zod';
import type { RegionDeps } from '../deps.ts';
import { markMachines } from './mark.ts';
import { NotFound } from './not-found.ts';
import type { Tables } from './schema.ts';
import { sealedIdentity } from './sealed-identity.ts';

const Parameters = z.record(z.string(), z.string());

export interface PowerParameters {
  type: string;
  /** With secrets. Never log, never put into a list body. */
  parameters: Record<string, string>;
}

/** Power type and all parameters, secrets opened. Throws NotFound. */
export async function readPowerParameters(
  deps: Pick<RegionDeps, 'sealer'> & { db: Kysely<Tables> | Transaction<Tables> },
  systemId: string,
): Promise<PowerParameters> {
  const row = await deps.db
    .selectFrom('machines')
    .select(['id', 'power_type', 'power_parameters', 'power_secrets'])
    .where('system_id', '=', systemId)
    .executeTakeFirst();
  if (!row) throw new NotFound('machine', systemId);
  const secrets = row.power_secrets ? deps.sealer.open(row.power_secrets, sealedIdentity.powerSecrets(row.id)) : null;
  const opened = secrets ? Parameters.parse(JSON.parse(secrets.toString('utf8'))) : {};
  return { type: row.power_type, parameters: { ...Parameters.parse(row.power_parameters), ...opened } };
}

/** Replaces power type and parameters as a whole; secrets are split off and sealed. Throws NotFound. */
export async function writePowerParameters(
  deps: Pick<RegionDeps, 'sealer'> & { db: Kysely<Tables> | Transaction<Tables> },
  systemId: string,
  power: PowerParameters,
): Promise<void> {
  const row = await deps.db.selectFrom('machines').select('id').where('system_id', '=', systemId).executeTakeFirst();
  if (!row) throw new NotFound('machine', systemId);
  const secretNames = secretFieldsOf(power.type);
  const open: Record<string, string> = {};
  const secret: Record<string, string> = {};
  for (const [name, value] of Object.entries(power.parameters)) {
    if (secretNames.includes(name)) secret[name] = value;
    else open[name] = value;
  }
  const sealed = deps.sealer.seal(JSON.stringify(secret), sealedIdentity.powerSecrets(row.id));
  await deps.db
    .updateTable('machines')
    .set((eb) => ({
      power_type: power.type,
      power_parameters: JSON.stringify(open),
      power_secrets: Object.keys(secret).length > 0 ? sealed : null,
      version: eb('version', '+', 1),
      updated: new Date(),
    }))
    .where('id', '=', row.id)
    .execute();
  await markMachines(deps.db, [{ id: row.id, systemId }]);
}
