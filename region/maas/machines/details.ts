import type { Kysely } from 'kysely';
import type { Tables } from '../../store/schema.ts';
import { bsonDocument } from './bson.ts';

const PASSED = 2;

/** BSON with what lshw and LLDP said in the current commissioning; null for what is not there. */
export async function machineDetails(db: Kysely<Tables>, machineId: number): Promise<Buffer> {
  const rows = await db
    .selectFrom('machines as m')
    .innerJoin('script_results as r', 'r.set_id', 'm.set_commissioning')
    .select(['r.name', 'r.stdout'])
    .where('m.id', '=', machineId)
    .where('r.name', 'in', ['maas-lshw', 'maas-capture-lldpd'])
    .where('r.status', '=', PASSED)
    .execute();
  const outputOf = (name: string): Buffer | null => rows.find((row) => row.name === name)?.stdout ?? null;
  return bsonDocument({ lshw: outputOf('maas-lshw'), lldp: outputOf('maas-capture-lldpd') });
}
