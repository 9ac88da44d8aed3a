import type { Site } from '@ingot/core/allocate/candidate.ts';
import { type Kysely, sql } from 'kysely';
import { batched } from '../../store/batched.ts';
import type { Tables } from '../../store/schema.ts';
import { loadAtlas } from '../network/atlas.ts';
import { planOf } from '../network/specifier.ts';

const NO_NETWORK: Site['network'] = { subnets: [], vlans: [], fabrics: [], spaces: [] };
/** Constraints whose values are looked up in the network plan. */
const ON_NETWORK = ['interfaces', 'subnets', 'vlans', 'fabrics', 'fabric_classes'];

interface Names {
  tags: string[] | null;
  zones: string[] | null;
  pools: string[] | null;
  owners: string[] | null;
}

/** Reading for those who ask at the same time, by database. */
const readers = new WeakMap<object, (constraints: readonly string[]) => Promise<Site>>();

/** The site as of now, for these constraints; those who ask at the same time share one reading. */
export async function siteFor(db: Kysely<Tables>, constraints: readonly string[]): Promise<Site> {
  let read = readers.get(db);
  if (read === undefined) {
    read = batched({ size: 64, atOnce: 1 }, async (asked) => {
      const site = await loadSite(db, [...new Set(asked.flat())]);
      return asked.map(() => site);
    });
    readers.set(db, read);
  }
  return await read(constraints);
}

/**
 * What exists, so that a misspelt name in a constraint is an error. Only what these constraints ask for is read: the
 * architectures of all machines and the network plan are left out otherwise.
 */
async function loadSite(db: Kysely<Tables>, constraints: readonly string[]): Promise<Site> {
  const network = constraints.some((name) => ON_NETWORK.includes(name.replace(/^not_/, '')));
  const { rows } = await sql<Names>`
    SELECT (SELECT jsonb_agg(name) FROM tags) AS tags, (SELECT jsonb_agg(name) FROM zones) AS zones,
      (SELECT jsonb_agg(name) FROM pools) AS pools, (SELECT jsonb_agg(username) FROM users) AS owners`.execute(db);
  return {
    tags: rows[0]?.tags ?? [],
    zones: rows[0]?.zones ?? [],
    pools: rows[0]?.pools ?? [],
    owners: rows[0]?.owners ?? [],
    architectures: constraints.includes('arch') ? await architectures(db) : [],
    network: network ? planOf(await loadAtlas(db)) : NO_NETWORK,
  };
}

async function architectures(db: Kysely<Tables>): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`
    SELECT arch || '/' || subarch AS name FROM images UNION SELECT architecture FROM machines WHERE architecture <> ''`.execute(
    db,
  );
  return rows.map((row) => row.name);
}
