import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestCluster, type TestCluster } from '../testing/cluster.ts';
import { testRegion } from '../testing/region.ts';

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await startTestCluster();
});
afterAll(() => cluster.close());

const SUBNETS = 8;
const EACH = 2000;
/** Root, one inner page, one leaf and what its neighbours' bounds touch; without a distance it is a multiple. */
const PAGES_A_LOOK = 8;

test('whether an address is free is found in a few pages, however many are given in turn from several subnets', async () => {
  const region = await testRegion(cluster);
  try {
    const { db } = region.deps;
    await sql`INSERT INTO subnets (name, vlan_id, cidr)
      SELECT 'net ' || k, (SELECT min(id) FROM vlans), ('10.' || 100 + k || '.0.0/16')::cidr
      FROM generate_series(1, ${SUBNETS}::integer) k`.execute(db);
    await sql`INSERT INTO address_spans (subnet_id, span, kind)
      SELECT s.id, inetrange(host(s.cidr)::inet + i, host(s.cidr)::inet + i, '[]'), 'sticky'
      FROM generate_series(1, ${EACH}::integer) i, (SELECT id, cidr FROM subnets WHERE name LIKE 'net %') s
      ORDER BY i, s.id`.execute(db);
    await sql`ANALYZE address_spans`.execute(db);
    let pages = 0;
    for (let subnet = 1; subnet <= SUBNETS; subnet += 1) pages += await pagesOfLook(`10.${100 + subnet}.3.77`);
    expect(pages).toBeLessThanOrEqual(SUBNETS * PAGES_A_LOOK);
  } finally {
    await region.close();
  }

  async function pagesOfLook(ip: string): Promise<number> {
    return await region.deps.db.transaction().execute(async (trx) => {
      await sql`SET LOCAL enable_seqscan = off`.execute(trx);
      const { rows } = await sql<{ 'QUERY PLAN': { Plan: Record<string, unknown> }[] }>`
        EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) SELECT 1 FROM address_spans
        WHERE span && ${sql.lit(`[${ip},${ip}]`)} AND kind IN ('auto','sticky','user-reserved','dynamic-range')`.execute(
        trx,
      );
      const plan = rows[0]?.['QUERY PLAN'][0]?.Plan;
      return Number(plan?.['Shared Hit Blocks']) + Number(plan?.['Shared Read Blocks']);
    });
  }
}, 120_000);
