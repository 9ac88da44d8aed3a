import { commit, markNetwork } from '../change.ts';
import { type Atlas, loadAtlas, type Space, UNDEFINED_SPACE, vlansOfSpace } from '../network/atlas.ts';
import { spaceObject, undefinedSpaceObject } from '../network/render.ts';
import { findSpaces, resolveOne } from '../network/specifier.ts';
import { crud, EMPTY, json, parameter, type Reply, type Resource, type UserCall } from '../table.ts';
import { badRequest, invalidField, noMatch } from '../wire/errors.ts';
import { lastOf } from '../wire/values.ts';

const isUndefined = (call: UserCall): boolean => [UNDEFINED_SPACE, '-1'].includes(call.path.id ?? '');

function spaceOf(call: UserCall, atlas: Atlas): Space {
  return resolveOne(atlas, atlas.spaces, call.path.id ?? '', findSpaces, 'Space');
}

function realSpace(call: UserCall, atlas: Atlas): Space {
  if (isUndefined(call)) throw badRequest('Space cannot be modified: it stands for VLANs that are in no space.');
  return spaceOf(call, atlas);
}

async function answer(call: UserCall, id: number): Promise<Reply> {
  const atlas = await loadAtlas(call.deps.db);
  const space = atlas.spaces.get(id);
  if (space === undefined) throw noMatch('Space');
  return json(spaceObject(atlas, space));
}

const DUPLICATE = { name: ['Space with this Name already exists.'] };

function spaceName(call: UserCall): string | undefined {
  const name = lastOf(call.values, 'name');
  if (name === UNDEFINED_SPACE || /^space-\d+$/.test(name ?? '')) throw invalidField('name', 'Reserved space name.');
  return name === '' ? undefined : name;
}

async function list(call: UserCall): Promise<Reply> {
  const atlas = await loadAtlas(call.deps.db);
  const none = undefinedSpaceObject(atlas);
  return json([
    ...[...atlas.spaces.values()].map((space) => spaceObject(atlas, space)),
    ...(none === null ? [] : [none]),
  ]);
}

async function read(call: UserCall): Promise<Reply> {
  const atlas = await loadAtlas(call.deps.db);
  if (!isUndefined(call)) return json(spaceObject(atlas, spaceOf(call, atlas)));
  const none = undefinedSpaceObject(atlas);
  if (none === null) throw noMatch('Space');
  return json(none);
}

async function create(call: UserCall): Promise<Reply> {
  const name = spaceName(call);
  const description = lastOf(call.values, 'description') ?? '';
  const id = await commit(
    call.deps,
    async (trx) => {
      // An unnamed space is called after its id, which is only known afterwards.
      const row = await trx
        .insertInto('spaces')
        .values({ name: name ?? `unnamed-${Date.now()}-${Math.random()}`, description })
        .returning('id')
        .executeTakeFirstOrThrow();
      if (name === undefined) {
        await trx
          .updateTable('spaces')
          .set({ name: `space-${row.id}` })
          .where('id', '=', row.id)
          .execute();
      }
      return row.id;
    },
    DUPLICATE,
  );
  return await answer(call, id);
}

async function update(call: UserCall): Promise<Reply> {
  const atlas = await loadAtlas(call.deps.db);
  const space = realSpace(call, atlas);
  const name = spaceName(call) ?? space.name;
  const description = lastOf(call.values, 'description') ?? space.description;
  await commit(
    call.deps,
    async (trx) => {
      await trx.updateTable('spaces').set({ name, description }).where('id', '=', space.id).execute();
      await markNetwork(
        trx,
        `space:${space.id}`,
        vlansOfSpace(atlas, space.id).map((vlan) => vlan.id),
      );
    },
    DUPLICATE,
  );
  return await answer(call, space.id);
}

async function remove(call: UserCall): Promise<Reply> {
  const atlas = await loadAtlas(call.deps.db);
  const space = realSpace(call, atlas);
  await commit(call.deps, async (trx) => {
    await markNetwork(
      trx,
      `space:${space.id}`,
      vlansOfSpace(atlas, space.id).map((vlan) => vlan.id),
    );
    await trx.deleteFrom('spaces').where('id', '=', space.id).execute();
  });
  return EMPTY;
}

const parameters = [parameter('name', 'The name.'), parameter('description', 'Free text.')];

export const spaceRoutes: readonly Resource[] = [
  {
    paths: ['spaces/'],
    anon: null,
    auth: {
      name: 'SpacesHandler',
      doc: 'Spaces.',
      operations: [
        crud('GET', 'user', { title: 'List spaces' }, list),
        crud('POST', 'admin', { title: 'Create a space', parameters }, create),
      ],
    },
  },
  {
    paths: ['spaces/{id}/'],
    anon: null,
    auth: {
      name: 'SpaceHandler',
      doc: 'One space.',
      operations: [
        crud('GET', 'user', { title: 'Read a space' }, read),
        crud('PUT', 'admin', { title: 'Change a space', parameters }, update),
        crud('DELETE', 'admin', { title: 'Delete a space' }, remove),
      ],
    },
  },
];
