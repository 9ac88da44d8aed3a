import os from 'node:os';
import { RackInterface } from '@ingot/contract/rack.ts';
import { POWER_TYPES } from '@ingot/core/power/power-types.ts';
import { type Selectable, sql } from 'kysely';
import * as z from 'zod';
import type { RacksTable } from '../../store/schema.ts';
import { API_PREFIX } from '../describe.ts';
import { scriptStatusName } from '../machines/script-status.ts';
import { crud, json, named, type Reply, type Resource, type UserCall } from '../table.ts';
import { MAAS_VERSION } from '../version.ts';
import { noMatch } from '../wire/errors.ts';
import type { Json } from '../wire/json.ts';
import { allOf } from '../wire/values.ts';

/** The region as clients see it: all its processes are one controller with this id. */
const REGION_ID = 'region';

const Interfaces = z.array(RackInterface);
const Services = z.array(z.object({ name: z.string(), ok: z.boolean(), detail: z.string() }));

const AGGREGATES = [
  'commissioning',
  'testing',
  'cpu_test',
  'memory_test',
  'network_test',
  'storage_test',
  'other_test',
  'interface_test',
];

interface Place {
  domain: Json;
  zone: Json;
  domainName: string;
}

/** Controllers stand in the default zone and domain: nothing places them elsewhere. */
async function placeOf(call: UserCall): Promise<Place> {
  const { db } = call.deps;
  const domain = await db.selectFrom('domains').selectAll().where('id', '=', 0).executeTakeFirstOrThrow();
  const zone = await db.selectFrom('zones').selectAll().orderBy('id').executeTakeFirstOrThrow();
  return {
    domainName: domain.name,
    domain: {
      id: domain.id,
      name: domain.name,
      ttl: domain.ttl,
      authoritative: domain.authoritative,
      resource_record_count: 0,
      is_default: true,
      resource_uri: `${API_PREFIX}domains/${domain.id}/`,
    },
    zone: {
      id: zone.id,
      name: zone.name,
      description: zone.description,
      resource_uri: `${API_PREFIX}zones/${encodeURIComponent(zone.name)}/`,
    },
  };
}

interface Controller {
  systemId: string;
  hostname: string;
  family: 'rackcontrollers' | 'regioncontrollers';
  addresses: string[];
  architecture: string | null;
}

function controllerObject(place: Place, controller: Controller): { [key: string]: Json } {
  const isRack = controller.family === 'rackcontrollers';
  const aggregates = AGGREGATES.flatMap((name): [string, Json][] => [
    [`${name}_status`, -1],
    [`${name}_status_name`, scriptStatusName(-1)],
  ]);
  return {
    system_id: controller.systemId,
    hostname: controller.hostname,
    description: '',
    hardware_uuid: null,
    domain: place.domain,
    fqdn: `${controller.hostname}.${place.domainName}`,
    architecture: controller.architecture,
    cpu_count: 0,
    cpu_speed: 0,
    memory: 0,
    swap_size: null,
    osystem: '',
    distro_series: '',
    power_type: '',
    power_state: 'unknown',
    ip_addresses: controller.addresses,
    interface_set: [],
    zone: place.zone,
    status_action: '',
    node_type: isRack ? 2 : 3,
    node_type_name: isRack ? 'Rack controller' : 'Region controller',
    current_commissioning_result_id: null,
    current_testing_result_id: null,
    current_installation_result_id: null,
    version: MAAS_VERSION,
    ...Object.fromEntries(aggregates),
    hardware_info: {},
    tag_names: [],
    resource_uri: `${API_PREFIX}${controller.family}/${controller.systemId}/`,
  };
}

type RackRow = Selectable<RacksTable> & { linked: boolean };

/** Without an own heartbeat for this long a rack does not count as connected (three missed ones). */
const FRESH_SECONDS = 15;

async function racks(call: UserCall): Promise<RackRow[]> {
  const wanted = [...allOf(call.query, 'id'), ...allOf(call.query, 'system_id')];
  const hostnames = allOf(call.query, 'hostname');
  let query = call.deps.db
    .selectFrom('racks as r')
    .selectAll('r')
    .select(
      sql<boolean>`EXISTS (SELECT 1 FROM rack_links l WHERE l.rack_id = r.system_id AND l.heartbeat > now() - make_interval(secs => ${FRESH_SECONDS}))`.as(
        'linked',
      ),
    )
    .orderBy('r.created');
  if (wanted.length > 0) query = query.where('r.system_id', 'in', wanted);
  if (hostnames.length > 0) query = query.where('r.name', 'in', hostnames);
  return await query.execute();
}

function rackObject(place: Place, rack: RackRow): Json {
  const interfaces = Interfaces.safeParse(rack.interfaces);
  const services = Services.safeParse(rack.services);
  const addresses = interfaces.success
    ? interfaces.data.flatMap((nic) => nic.addresses.map((address) => address.split('/')[0] ?? address))
    : [];
  return {
    ...controllerObject(place, {
      systemId: rack.system_id,
      hostname: rack.name,
      family: 'rackcontrollers',
      addresses,
      architecture: null,
    }),
    service_set: [
      { name: 'rackd', status: rack.linked ? 'running' : 'dead', status_info: rack.linked ? '' : 'not connected' },
      ...(services.success ? services.data : []).map((service) => ({
        name: service.name,
        status: rack.linked ? (service.ok ? 'running' : 'dead') : 'unknown',
        status_info: service.detail,
      })),
    ],
  };
}

async function regionObject(call: UserCall): Promise<Json> {
  return controllerObject(await placeOf(call), {
    systemId: REGION_ID,
    hostname: os.hostname().split('.')[0] ?? os.hostname(),
    family: 'regioncontrollers',
    addresses: [],
    architecture: process.arch === 'x64' ? 'amd64/generic' : `${process.arch}/generic`,
  });
}

async function readRack(call: UserCall): Promise<Reply> {
  const rack = (await racks(call)).find((row) => row.system_id === call.path.system_id);
  if (rack === undefined) throw noMatch('RackController');
  return json(rackObject(await placeOf(call), rack));
}

async function readRegion(call: UserCall): Promise<Reply> {
  if (call.path.system_id !== REGION_ID) throw noMatch('RegionController');
  return json(await regionObject(call));
}

/** Lists of controllers are for administrators; others see none (lifecycle.md §3). */
export const controllerRoutes: readonly Resource[] = [
  {
    paths: ['rackcontrollers/'],
    anon: null,
    auth: {
      name: 'RackControllersHandler',
      doc: 'Racks.',
      operations: [
        crud('GET', 'user', { title: 'List racks' }, async (call) => {
          if (!call.user.admin) return json([]);
          const place = await placeOf(call);
          return json((await racks(call)).map((rack) => rackObject(place, rack)));
        }),
        named('GET', 'describe_power_types', 'user', { title: 'Describe the power types that racks can switch' }, () =>
          Promise.resolve(
            json(POWER_TYPES.map((type) => ({ ...type, fields: type.fields.map((each) => ({ ...each })) }))),
          ),
        ),
      ],
    },
  },
  {
    paths: ['rackcontrollers/{system_id}/'],
    anon: null,
    auth: {
      name: 'RackControllerHandler',
      doc: 'One rack.',
      operations: [
        crud('GET', 'user', { title: 'Read a rack' }, readRack),
        named('GET', 'list_boot_images', 'admin', { title: 'List images a rack can boot' }, async (call) => {
          const rack = (await racks(call)).find((row) => row.system_id === call.path.system_id);
          if (rack === undefined) throw noMatch('RackController');
          const images = await call.deps.db.selectFrom('images').selectAll().orderBy('id').execute();
          return json({
            images: images.map((image) => ({
              name: `${image.os}/${image.release}`,
              architecture: image.arch,
              subarches: [image.subarch],
            })),
            connected: rack.linked,
            status: 'synced',
          });
        }),
      ],
    },
  },
  {
    paths: ['regioncontrollers/'],
    anon: null,
    auth: {
      name: 'RegionControllersHandler',
      doc: 'The region.',
      operations: [
        crud('GET', 'user', { title: 'List region controllers' }, async (call) =>
          json(call.user.admin ? [await regionObject(call)] : []),
        ),
      ],
    },
  },
  {
    paths: ['regioncontrollers/{system_id}/'],
    anon: null,
    auth: {
      name: 'RegionControllerHandler',
      doc: 'One region controller.',
      operations: [crud('GET', 'user', { title: 'Read a region controller' }, readRegion)],
    },
  },
];
