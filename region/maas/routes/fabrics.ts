import { commit, markNetwork } from '../change.ts';
import { type Fabric, loadAtlas, subnetsOfVlans, type Vlan, vlansOfFabric } from '../network/atlas.ts';
import { fabricObject, vlanObject } from '../network/render.ts';
import { findFabrics, resolveOne } from '../network/specifier.ts';
import { vlanFields, withDhcpRules } from '../network/vlan-form.ts';
import { crud, EMPTY, json, parameter, type Reply, type Resource, type UserCall } from '../table.ts';
import { badRequest, invalidField, noMatch, REQUIRED } from '../wire/errors.ts';
import { lastOf } from '../wire/values.ts';

const db = (call: UserCall) => call.deps.db;

async function fabricOf(call: UserCall, parameterName: 'id' | 'fabric_id' = 'id'): Promise<Fabric> {
  const atlas = await loadAtlas(db(call));
  return resolveOne(atlas, atlas.fabrics, call.path[parameterName] ?? '', findFabrics, 'Fabric');
}

async function answerFabric(call: UserCall, id: number): Promise<Reply> {
  const atlas = await loadAtlas(db(call));
  const fabric = atlas.fabrics.get(id);
  if (fabric === undefined) throw noMatch('Fabric');
  return json(fabricObject(atlas, fabric));
}

async function answerVlan(call: UserCall, id: number): Promise<Reply> {
  const atlas = await loadAtlas(db(call));
  const vlan = atlas.vlans.get(id);
  if (vlan === undefined) throw noMatch('VLAN');
  return json(vlanObject(atlas, vlan));
}

const FABRIC_DUPLICATE = { name: ['Fabric with this Name already exists.'] };

function fabricFields(call: UserCall) {
  const name = lastOf(call.values, 'name');
  const classType = lastOf(call.values, 'class_type');
  const description = lastOf(call.values, 'description');
  if (name !== undefined && name !== '' && /^fabric-\d+$/.test(name)) {
    throw invalidField('name', 'Reserved fabric name.');
  }
  return {
    ...(name === undefined ? {} : { name: name === '' ? null : name }),
    ...(classType === undefined ? {} : { class_type: classType === '' ? null : classType }),
    ...(description === undefined ? {} : { description }),
  };
}

/** A fabric is made with its untagged VLAN. */
async function createFabric(call: UserCall): Promise<Reply> {
  const fields = fabricFields(call);
  const id = await commit(
    call.deps,
    async (trx) => {
      const row = await trx
        .insertInto('fabrics')
        .values({ name: null, ...fields })
        .returning('id')
        .executeTakeFirstOrThrow();
      await trx.insertInto('vlans').values({ fabric_id: row.id, vid: 0, name: 'untagged' }).execute();
      await markNetwork(trx, `fabric:${row.id}`, []);
      return row.id;
    },
    FABRIC_DUPLICATE,
  );
  return await answerFabric(call, id);
}

async function updateFabric(call: UserCall): Promise<Reply> {
  const atlas = await loadAtlas(db(call));
  const fabric = resolveOne(atlas, atlas.fabrics, call.path.id ?? '', findFabrics, 'Fabric');
  const fields = fabricFields(call);
  if (Object.keys(fields).length > 0) {
    await commit(
      call.deps,
      async (trx) => {
        await trx.updateTable('fabrics').set(fields).where('id', '=', fabric.id).execute();
        const vlans = vlansOfFabric(atlas, fabric.id).map((vlan) => vlan.id);
        await markNetwork(trx, `fabric:${fabric.id}`, vlans);
      },
      FABRIC_DUPLICATE,
    );
  }
  return await answerFabric(call, fabric.id);
}

async function deleteFabric(call: UserCall): Promise<Reply> {
  const atlas = await loadAtlas(db(call));
  const fabric = resolveOne(atlas, atlas.fabrics, call.path.id ?? '', findFabrics, 'Fabric');
  if (fabric.id === 0) throw badRequest('This fabric is the default fabric, it cannot be deleted.');
  const vlans = vlansOfFabric(atlas, fabric.id);
  if (subnetsOfVlans(atlas, vlans).length > 0)
    throw badRequest("Can't delete fabric; the following subnets are still present.");
  await commit(call.deps, async (trx) => {
    const ids = vlans.map((vlan) => vlan.id);
    await markNetwork(trx, `fabric:${fabric.id}`, ids);
    await trx.deleteFrom('fabrics').where('id', '=', fabric.id).execute();
  });
  return EMPTY;
}

/** By database id, or by fabric and VID (`untagged` = 0). */
async function vlanOf(call: UserCall): Promise<Vlan> {
  const atlas = await loadAtlas(db(call));
  if (call.path.vlan_id !== undefined) {
    const vlan = atlas.vlans.get(Number(call.path.vlan_id));
    if (vlan === undefined) throw noMatch('VLAN');
    return vlan;
  }
  const fabric = resolveOne(atlas, atlas.fabrics, call.path.fabric_id ?? '', findFabrics, 'Fabric');
  const vid = call.path.vid === 'untagged' ? 0 : Number(call.path.vid);
  const vlan = vlansOfFabric(atlas, fabric.id).find((candidate) => candidate.vid === vid);
  if (vlan === undefined) throw noMatch('VLAN');
  return vlan;
}

const VLAN_DUPLICATE = { __all__: ['VLAN with this VID and Fabric already exists.'] };

async function createVlan(call: UserCall): Promise<Reply> {
  const fabric = await fabricOf(call, 'fabric_id');
  const { vid, ...fields } = await vlanFields(call, await loadAtlas(db(call)));
  if (typeof vid !== 'number') throw invalidField('vid', REQUIRED);
  const id = await commit(
    call.deps,
    async (trx) => {
      const row = await trx
        .insertInto('vlans')
        .values({ ...withoutUndefined(fields), vid, fabric_id: fabric.id })
        .returning('id')
        .executeTakeFirstOrThrow();
      await markNetwork(trx, `vlan:${row.id}`, []);
      return row.id;
    },
    VLAN_DUPLICATE,
  );
  return await answerVlan(call, id);
}

async function updateVlan(call: UserCall): Promise<Reply> {
  const vlan = await vlanOf(call);
  const asked = withoutUndefined(await vlanFields(call, await loadAtlas(db(call))));
  const fields = await withDhcpRules(call, vlan, asked);
  if (Object.keys(fields).length > 0) {
    await commit(
      call.deps,
      async (trx) => {
        await trx.updateTable('vlans').set(fields).where('id', '=', vlan.id).execute();
        await markNetwork(trx, `vlan:${vlan.id}`, [vlan.id]);
      },
      VLAN_DUPLICATE,
    );
  }
  return await answerVlan(call, vlan.id);
}

/** The cast holds because every key of a form's fields is optional: leaving one out keeps the type. */
function withoutUndefined<Fields extends object>(fields: Partial<Fields>): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Fields;
}

async function deleteVlan(call: UserCall): Promise<Reply> {
  const vlan = await vlanOf(call);
  if (vlan.vid === 0) throw badRequest('This VLAN is the default VLAN in the fabric, it cannot be deleted.');
  const atlas = await loadAtlas(db(call));
  if (subnetsOfVlans(atlas, [vlan]).length > 0) throw badRequest('This VLAN still has subnets, it cannot be deleted.');
  await commit(call.deps, async (trx) => {
    await markNetwork(trx, `vlan:${vlan.id}`, [vlan.id]);
    await trx.deleteFrom('vlans').where('id', '=', vlan.id).execute();
  });
  return EMPTY;
}

const fabricParameters = [
  parameter('name', 'The name.'),
  parameter('description', 'Free text.'),
  parameter('class_type', 'A word for the kind of fabric, usable in constraints.'),
];

const vlanParameters = [
  parameter('name', 'The name.'),
  parameter('description', 'Free text.'),
  parameter('mtu', 'Largest packet, 552 to 65535.', 'Int'),
  parameter('dhcp_on', 'Serve DHCP on it.', 'Boolean'),
  parameter('primary_rack', 'Rack that serves it.'),
  parameter('secondary_rack', 'Rack that stands in.'),
  parameter('relay_vlan', 'Id of the VLAN whose DHCP is relayed here.', 'Int'),
  parameter('space', 'Space it belongs to; `undefined` takes it out.'),
];

export const fabricRoutes: readonly Resource[] = [
  {
    paths: ['fabrics/'],
    anon: null,
    auth: {
      name: 'FabricsHandler',
      doc: 'Fabrics.',
      operations: [
        crud('GET', 'user', { title: 'List fabrics' }, async (call) => {
          const atlas = await loadAtlas(db(call));
          return json([...atlas.fabrics.values()].map((fabric) => fabricObject(atlas, fabric)));
        }),
        crud('POST', 'admin', { title: 'Create a fabric', parameters: fabricParameters }, createFabric),
      ],
    },
  },
  {
    paths: ['fabrics/{id}/'],
    anon: null,
    auth: {
      name: 'FabricHandler',
      doc: 'One fabric.',
      operations: [
        crud('GET', 'user', { title: 'Read a fabric' }, async (call) => answerFabric(call, (await fabricOf(call)).id)),
        crud('PUT', 'admin', { title: 'Change a fabric', parameters: fabricParameters }, updateFabric),
        crud('DELETE', 'admin', { title: 'Delete a fabric' }, deleteFabric),
      ],
    },
  },
  {
    paths: ['fabrics/{fabric_id}/vlans/'],
    anon: null,
    auth: {
      name: 'VlansHandler',
      doc: 'VLANs of a fabric.',
      operations: [
        crud('GET', 'user', { title: 'List VLANs of a fabric' }, async (call) => {
          const atlas = await loadAtlas(db(call));
          const fabric = resolveOne(atlas, atlas.fabrics, call.path.fabric_id ?? '', findFabrics, 'Fabric');
          return json(vlansOfFabric(atlas, fabric.id).map((vlan) => vlanObject(atlas, vlan)));
        }),
        crud(
          'POST',
          'admin',
          {
            title: 'Create a VLAN',
            parameters: [parameter('vid', 'Tag, 0 to 4094.', 'Int', true), ...vlanParameters],
          },
          createVlan,
        ),
      ],
    },
  },
  {
    paths: ['vlans/{vlan_id}/', 'fabrics/{fabric_id}/vlans/{vid}/'],
    anon: null,
    auth: {
      name: 'VlanHandler',
      doc: 'One VLAN.',
      operations: [
        crud('GET', 'user', { title: 'Read a VLAN' }, async (call) => answerVlan(call, (await vlanOf(call)).id)),
        crud(
          'PUT',
          'admin',
          {
            title: 'Change a VLAN',
            parameters: [
              parameter('vid', 'New tag.', 'Int'),
              parameter('fabric', 'Fabric to move it to.'),
              ...vlanParameters,
            ],
          },
          updateVlan,
        ),
        crud('DELETE', 'admin', { title: 'Delete a VLAN' }, deleteVlan),
      ],
    },
  },
];
