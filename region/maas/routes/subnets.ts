import { formatIpv4 } from '@ingot/core/network/address.ts';
import { sql } from 'kysely';
import { commit, markNetwork } from '../change.ts';
import { eventDate } from '../dates.ts';
import { loadAtlas, type Subnet } from '../network/atlas.ts';
import { subnetObject } from '../network/render.ts';
import { findSubnets, resolveOne } from '../network/specifier.ts';
import { subnetFields } from '../network/subnet-form.ts';
import { purposedObject, spanObject, subnetUsage } from '../network/usage.ts';
import { crud, EMPTY, json, named, parameter, type Reply, type Resource, type UserCall } from '../table.ts';
import { badRequest, noMatch } from '../wire/errors.ts';
import { float, type Json } from '../wire/json.ts';
import { strictBoolean } from '../wire/scalars.ts';

async function subnetOf(call: UserCall): Promise<Subnet> {
  const atlas = await loadAtlas(call.deps.db);
  return resolveOne(atlas, atlas.subnets, call.path.id ?? '', findSubnets, 'Subnet');
}

async function answer(call: UserCall, id: number): Promise<Reply> {
  const atlas = await loadAtlas(call.deps.db);
  const subnet = atlas.subnets.get(id);
  if (subnet === undefined) throw noMatch('Subnet');
  return json(subnetObject(atlas, subnet));
}

const DUPLICATE = { cidr: ['Subnet with this Cidr already exists.'] };

async function list(call: UserCall): Promise<Reply> {
  const atlas = await loadAtlas(call.deps.db);
  return json([...atlas.subnets.values()].map((subnet) => subnetObject(atlas, subnet)));
}

async function create(call: UserCall): Promise<Reply> {
  const { name, cidr, vlan_id, ...rest } = subnetFields(call, await loadAtlas(call.deps.db), null);
  if (name === undefined || cidr === undefined || vlan_id === undefined) {
    throw badRequest('The site has no untagged VLAN in its default fabric: name a VLAN.');
  }
  const id = await commit(
    call.deps,
    async (trx) => {
      const row = await trx
        .insertInto('subnets')
        .values({ name, cidr, vlan_id, ...rest })
        .returning('id')
        .executeTakeFirstOrThrow();
      await markNetwork(trx, `subnet:${row.id}`, []);
      return row.id;
    },
    DUPLICATE,
  );
  return await answer(call, id);
}

async function update(call: UserCall): Promise<Reply> {
  const subnet = await subnetOf(call);
  const fields = subnetFields(call, await loadAtlas(call.deps.db), subnet);
  await commit(
    call.deps,
    async (trx) => {
      await trx.updateTable('subnets').set(fields).where('id', '=', subnet.id).execute();
      await markNetwork(trx, `subnet:${subnet.id}`, [subnet.vlan_id]);
    },
    DUPLICATE,
  );
  return await answer(call, subnet.id);
}

async function remove(call: UserCall): Promise<Reply> {
  const subnet = await subnetOf(call);
  const force = strictBoolean(call.query, 'force', false);
  await commit(call.deps, async (trx) => {
    const spans = await trx.selectFrom('address_spans').select('kind').where('subnet_id', '=', subnet.id).execute();
    if (!force && spans.some((span) => span.kind === 'dynamic-range')) {
      throw badRequest('Cannot delete a subnet that is actively servicing a dynamic IP range.');
    }
    if (!force && spans.some((span) => span.kind !== 'discovered' && !span.kind.endsWith('-range'))) {
      throw badRequest('Cannot delete a subnet that has IP addresses in use.');
    }
    await markNetwork(trx, `subnet:${subnet.id}`, [subnet.vlan_id]);
    await trx.deleteFrom('subnets').where('id', '=', subnet.id).execute();
  });
  return EMPTY;
}

async function statistics(call: UserCall): Promise<Reply> {
  const subnet = await subnetOf(call);
  const { whole, taken, free } = await subnetUsage(call.deps.db, subnet);
  const total = whole.end - whole.start + 1;
  const available = free.reduce((sum, span) => sum + span.end - span.start + 1, 0);
  const usage = (total - available) / total;
  const ranges = [...taken, ...free.map((span) => ({ ...span, purposes: ['unused'] }))].sort(
    (a, b) => a.start - b.start,
  );
  const largest = free.reduce((most, span) => Math.max(most, span.end - span.start + 1), 0);
  return json({
    num_available: available,
    largest_available: largest,
    num_unavailable: total - available,
    total_addresses: total,
    usage: float(usage),
    usage_string: `${Math.round(usage * 100)}%`,
    available_string: `${Math.round((1 - usage) * 100)}%`,
    first_address: formatIpv4(whole.start),
    last_address: formatIpv4(whole.end),
    ip_version: 4,
    ...(strictBoolean(call.query, 'include_ranges', false) ? { ranges: ranges.map(purposedObject) } : {}),
    ...(strictBoolean(call.query, 'include_suggestions', false)
      ? { suggested_gateway: free[0] === undefined ? null : formatIpv4(free[0].start), suggested_dynamic_range: null }
      : {}),
  });
}

/** Numbers of allocation kinds (objects §0). */
const ALLOC_TYPES: Readonly<Record<string, number>> = { auto: 0, sticky: 1, 'user-reserved': 4, discovered: 6 };

async function addresses(call: UserCall): Promise<Reply> {
  const subnet = await subnetOf(call);
  const withUser = strictBoolean(call.query, 'with_username', true);
  const withNode =
    strictBoolean(call.query, 'with_summary', true) && strictBoolean(call.query, 'with_node_summary', true);
  const rows = await call.deps.db
    .selectFrom('address_spans as a')
    .leftJoin('users as u', 'u.id', 'a.user_id')
    .leftJoin('interface_links as l', 'l.address_id', 'a.id')
    .leftJoin('interfaces as i', 'i.id', 'l.interface_id')
    .leftJoin('machines as m', 'm.id', 'i.machine_id')
    .leftJoin('domains as d', 'd.id', 'm.domain_id')
    .select([
      'a.kind',
      'a.created',
      'a.updated',
      'u.username',
      'm.system_id',
      'm.hostname',
      'm.node_type',
      'd.name as domain',
      'i.name as via',
    ])
    .select(sql<string>`host(lower(a.span))`.as('ip'))
    .where('a.subnet_id', '=', subnet.id)
    .where('a.kind', 'in', Object.keys(ALLOC_TYPES))
    .orderBy(sql`lower(a.span)`)
    .execute();
  return json(
    rows.map(
      (row): Json => ({
        ip: row.ip,
        alloc_type: ALLOC_TYPES[row.kind] ?? 6,
        created: eventDate(row.created),
        updated: eventDate(row.updated),
        user: withUser && row.username !== null ? row.username : undefined,
        node_summary:
          withNode && row.system_id !== null
            ? {
                system_id: row.system_id,
                node_type: row.node_type,
                fqdn: `${row.hostname}.${row.domain}`,
                hostname: row.hostname,
                is_container: false,
                via: row.via ?? undefined,
              }
            : undefined,
      }),
    ),
  );
}

const parameters = [
  parameter('name', 'The name; the CIDR by default.'),
  parameter('description', 'Free text.'),
  parameter('vlan', 'Id of its VLAN.', 'Int'),
  parameter('fabric', 'Id of the fabric, together with vid.', 'Int'),
  parameter('vid', 'Tag of its VLAN in the fabric.', 'Int'),
  parameter('gateway_ip', 'Gateway.'),
  parameter('dns_servers', 'DNS servers; repeat for several.'),
  parameter('rdns_mode', '0, 1 or 2.', 'Int'),
  parameter('allow_dns', 'Machines may ask our DNS.', 'Boolean'),
  parameter('allow_proxy', 'Machines may use our proxy.', 'Boolean'),
  parameter('active_discovery', 'Look for hosts actively.', 'Boolean'),
  parameter('managed', 'Addresses are given out of all of it, not only of reserved ranges.', 'Boolean'),
  parameter('disabled_boot_architectures', 'Boot methods that get no answer here.'),
];

export const subnetRoutes: readonly Resource[] = [
  {
    paths: ['subnets/'],
    anon: null,
    auth: {
      name: 'SubnetsHandler',
      doc: 'Subnets.',
      operations: [
        crud('GET', 'user', { title: 'List subnets' }, list),
        crud(
          'POST',
          'admin',
          {
            title: 'Create a subnet',
            parameters: [parameter('cidr', 'Network as a.b.c.d/n.', 'String', true), ...parameters],
          },
          create,
        ),
      ],
    },
  },
  {
    paths: ['subnets/{id}/'],
    anon: null,
    auth: {
      name: 'SubnetHandler',
      doc: 'One subnet.',
      operations: [
        crud('GET', 'user', { title: 'Read a subnet' }, async (call) => answer(call, (await subnetOf(call)).id)),
        crud(
          'PUT',
          'admin',
          { title: 'Change a subnet', parameters: [parameter('cidr', 'Network.'), ...parameters] },
          update,
        ),
        crud(
          'DELETE',
          'admin',
          {
            title: 'Delete a subnet',
            parameters: [parameter('force', 'Although addresses of it are in use.', 'Boolean')],
          },
          remove,
        ),
        named(
          'GET',
          'statistics',
          'user',
          {
            title: 'Count addresses',
            parameters: [
              parameter('include_ranges', 'List the ranges.', 'Boolean'),
              parameter('include_suggestions', 'Suggest a gateway.', 'Boolean'),
            ],
          },
          statistics,
        ),
        named('GET', 'reserved_ip_ranges', 'user', { title: 'List taken addresses' }, async (call) =>
          json((await subnetUsage(call.deps.db, await subnetOf(call))).taken.map(purposedObject)),
        ),
        named('GET', 'unreserved_ip_ranges', 'user', { title: 'List free addresses' }, async (call) =>
          json((await subnetUsage(call.deps.db, await subnetOf(call))).free.map(spanObject)),
        ),
        named(
          'GET',
          'ip_addresses',
          'user',
          {
            title: 'List addresses and who has them',
            parameters: [
              parameter('with_username', 'Show the user.', 'Boolean'),
              parameter('with_summary', 'Show the machine.', 'Boolean'),
              parameter('with_node_summary', 'Show the machine.', 'Boolean'),
            ],
          },
          addresses,
        ),
      ],
    },
  },
];
