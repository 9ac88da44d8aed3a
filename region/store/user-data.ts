import type { RegionDeps } from '../deps.ts';
import { NotFound } from './not-found.ts';
import { sealedIdentity } from './sealed-identity.ts';

/** Stores what cloud-init of the deployed system is given; null forgets it. Throws NotFound. */
export async function writeUserData(
  deps: Pick<RegionDeps, 'db' | 'sealer'>,
  systemId: string,
  data: Buffer | null,
): Promise<void> {
  const row = await deps.db.selectFrom('machines').select('id').where('system_id', '=', systemId).executeTakeFirst();
  if (!row) throw new NotFound('machine', systemId);
  const sealed = data === null ? null : deps.sealer.seal(data, sealedIdentity.userData(row.id));
  await deps.db.updateTable('machines').set({ user_data: sealed }).where('id', '=', row.id).execute();
}

/** User-data as the owner gave it, null when there is none. Throws NotFound. */
export async function readUserData(deps: Pick<RegionDeps, 'db' | 'sealer'>, systemId: string): Promise<Buffer | null> {
  const query = deps.db.selectFrom('machines').select(['id', 'user_data']).where('system_id', '=', systemId);
  const row = await query.executeTakeFirst();
  if (!row) throw new NotFound('machine', systemId);
  return row.user_data === null ? null : deps.sealer.open(row.user_data, sealedIdentity.userData(row.id));
}
