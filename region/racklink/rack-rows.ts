import { createHash, randomBytes } from 'node:crypto';
import { type Kysely, sql } from 'kysely';
import type { Tables } from '../store/schema.ts';
import type { Hello } from './link-parts.ts';

type Db = Kysely<Tables>;

/** How long a one-time enrolment token is good. */
const TOKEN_HOURS = 24;

export interface RackRow {
  id: string;
  name: string;
  publicKey: string;
}

export async function findRack(db: Db, rackId: string): Promise<RackRow | null> {
  const row = await db
    .selectFrom('racks')
    .select(['system_id', 'name', 'public_key'])
    .where('system_id', '=', rackId)
    .executeTakeFirst();
  return row ? { id: row.system_id, name: row.name, publicKey: row.public_key } : null;
}

/** Adds a rack, or gives it a new name and key. A name that another rack has gets the rack's id behind it. */
export async function saveRack(db: Db, rack: RackRow): Promise<void> {
  const taken = await db
    .selectFrom('racks')
    .select('system_id')
    .where('name', '=', rack.name)
    .where('system_id', '<>', rack.id)
    .executeTakeFirst();
  const name = taken ? `${rack.name}-${rack.id}` : rack.name;
  await db
    .insertInto('racks')
    .values({ system_id: rack.id, name, public_key: rack.publicKey })
    .onConflict((conflict) => conflict.column('system_id').doUpdateSet({ name, public_key: rack.publicKey }))
    .execute();
}

/** What a rack says of itself. A new certificate reaches the other rack of its VLANs with the next snapshot. */
export async function noteHello(db: Db, hello: Hello): Promise<void> {
  const { rack, version, interfaces, certificate } = hello;
  await db.transaction().execute(async (trx) => {
    const before = await trx.selectFrom('racks').select('certificate').where('system_id', '=', rack).executeTakeFirst();
    await trx
      .updateTable('racks')
      .set({
        version,
        interfaces: JSON.stringify(interfaces),
        last_seen: sql<Date>`now()`,
        ...(certificate === undefined ? {} : { certificate }),
      })
      .where('system_id', '=', rack)
      .execute();
    if (certificate === undefined || certificate === before?.certificate) return;
    await trx.insertInto('changes').values({ kind: 'network', key: rack }).execute();
  });
}

export async function noteServices(db: Db, rackId: string, services: unknown): Promise<void> {
  await db
    .updateTable('racks')
    .set({ services: JSON.stringify(services), last_seen: sql<Date>`now()` })
    .where('system_id', '=', rackId)
    .execute();
}

/** Takes the rack's link over for this process. Epochs only grow, so whoever held it sees that theirs is older. */
export async function takeLink(db: Db, rackId: string, process: string): Promise<number> {
  const row = await db
    .insertInto('rack_links')
    .values({ rack_id: rackId, process, epoch: sql<number>`nextval('rack_epochs')` })
    .onConflict((conflict) =>
      conflict.column('rack_id').doUpdateSet((eb) => ({
        process: eb.ref('excluded.process'),
        epoch: eb.ref('excluded.epoch'),
        since: sql<Date>`now()`,
        heartbeat: sql<Date>`now()`,
      })),
    )
    .returning('epoch')
    .executeTakeFirstOrThrow();
  return row.epoch;
}

/** False when a newer link has taken over. */
export async function beatLink(db: Db, rackId: string, epoch: number): Promise<boolean> {
  const done = await db
    .updateTable('rack_links')
    .set({ heartbeat: sql<Date>`now()` })
    .where('rack_id', '=', rackId)
    .where('epoch', '=', epoch)
    .executeTakeFirst();
  return done.numUpdatedRows > 0n;
}

export async function dropLink(db: Db, rackId: string, epoch: number): Promise<void> {
  await db
    .with('dropped', (cte) =>
      cte.deleteFrom('rack_links').where('rack_id', '=', rackId).where('epoch', '=', epoch).returning('rack_id'),
    )
    .updateTable('racks')
    .from('dropped')
    .set({ last_seen: sql<Date>`now()` })
    .whereRef('racks.system_id', '=', 'dropped.rack_id')
    .execute();
}

function tokenHash(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

/** A one-time token for `ingot rack enroll`, kept only as a hash. */
export async function createRackToken(deps: { db: Db }): Promise<{ token: string; expires: Date }> {
  // Hexadecimal: one in 64 base64url tokens begins with a dash, which a command line takes for an option.
  const token = randomBytes(32).toString('hex');
  const { expires } = await deps.db
    .insertInto('rack_tokens')
    .values({ token_hash: tokenHash(token), expires: sql<Date>`now() + ${TOKEN_HOURS} * interval '1 hour'` })
    .returning('expires')
    .executeTakeFirstOrThrow();
  return { token, expires };
}

/** Spends a token. The same rack may repeat a request whose answer it did not get; nobody else can use it twice. */
export async function spendRackToken(db: Db, token: string): Promise<boolean> {
  const done = await db
    .updateTable('rack_tokens')
    .set({ used: sql<Date>`now()` })
    .where('token_hash', '=', tokenHash(token))
    .where('used', 'is', null)
    .where('expires', '>', sql<Date>`now()`)
    .executeTakeFirst();
  return done.numUpdatedRows > 0n;
}
