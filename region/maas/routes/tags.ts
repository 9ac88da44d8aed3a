import { type Selectable, sql } from 'kysely';
import type { TagsTable } from '../../store/schema.ts';
import { commit, markWhere } from '../change.ts';
import { API_PREFIX } from '../describe.ts';
import { idsWhere } from '../machines/filters.ts';
import { listMachines } from '../machines/list.ts';
import { crud, EMPTY, json, named, parameter, type Reply, type Resource, type UserCall } from '../table.ts';
import { conflict, invalidField, noMatch, REQUIRED } from '../wire/errors.ts';
import type { Json } from '../wire/json.ts';
import { splitWords } from '../wire/scalars.ts';
import { allOf, lastOf, textOf } from '../wire/values.ts';

type TagRow = Selectable<TagsTable>;

const tagObject = (tag: TagRow): Json => ({
  name: tag.name,
  definition: tag.definition,
  comment: tag.comment,
  kernel_opts: tag.kernel_opts,
  resource_uri: `${API_PREFIX}tags/${tag.name}/`,
});

const TAG_NAME = /^[a-zA-Z0-9_-]+$/;
const DUPLICATE = { name: ['Tag with this Name already exists.'] };

async function tagOf(call: UserCall): Promise<TagRow> {
  const name = call.path.name ?? '';
  const tag = await call.deps.db.selectFrom('tags').selectAll().where('name', '=', name).executeTakeFirst();
  if (tag === undefined) throw noMatch('Tag');
  return tag;
}

function tagFields(call: UserCall, before: Pick<TagRow, 'name' | 'definition' | 'comment' | 'kernel_opts'> | null) {
  const name = lastOf(call.values, 'name') ?? before?.name ?? '';
  if (name === '') throw invalidField('name', REQUIRED);
  if (!TAG_NAME.test(name) || name.length > 256) {
    throw invalidField('name', 'Enter a valid tag name: letters, digits, dashes and underscores, at most 256.');
  }
  const definition = lastOf(call.values, 'definition') ?? before?.definition ?? '';
  if (definition !== (before?.definition ?? '')) {
    // Accepting one that nothing evaluates would be a tag that silently never matches.
    throw invalidField('definition', 'Tags by XPath definition are not available yet: add machines with update_nodes.');
  }
  return {
    name,
    definition,
    comment: lastOf(call.values, 'comment') ?? before?.comment ?? '',
    kernel_opts: lastOf(call.values, 'kernel_opts') ?? before?.kernel_opts ?? '',
  };
}

async function create(call: UserCall): Promise<Reply> {
  const fields = tagFields(call, null);
  const row = await commit(
    call.deps,
    (trx) => trx.insertInto('tags').values(fields).returningAll().executeTakeFirstOrThrow(),
    DUPLICATE,
  );
  return json(tagObject(row));
}

const tagged = (tagId: number) =>
  sql<boolean>`EXISTS (SELECT 1 FROM machine_tags t WHERE t.machine_id = m.id AND t.tag_id = ${tagId})`;

async function update(call: UserCall): Promise<Reply> {
  const tag = await tagOf(call);
  const fields = tagFields(call, tag);
  const row = await commit(
    call.deps,
    async (trx) => {
      await markWhere(trx, tagged(tag.id));
      return await trx
        .updateTable('tags')
        .set(fields)
        .where('id', '=', tag.id)
        .returningAll()
        .executeTakeFirstOrThrow();
    },
    DUPLICATE,
  );
  return json(tagObject(row));
}

async function remove(call: UserCall): Promise<Reply> {
  const tag = await tagOf(call);
  await commit(call.deps, async (trx) => {
    await markWhere(trx, tagged(tag.id));
    await trx.deleteFrom('tags').where('id', '=', tag.id).execute();
  });
  return EMPTY;
}

/** Counts are those of matched machines, not of changes; unknown ids are ignored (as upstream). */
async function updateNodes(call: UserCall): Promise<Reply> {
  const tag = await tagOf(call);
  const definition = textOf(call.values, 'definition');
  if (definition !== undefined && definition !== tag.definition) {
    throw conflict(`Definition supplied '${definition}' doesn't match current definition '${tag.definition}'`);
  }
  const add = splitWords(allOf(call.values, 'add'));
  const removed = splitWords(allOf(call.values, 'remove'));
  const counts = await commit(call.deps, async (trx) => {
    const idsOf = async (systemIds: readonly string[]): Promise<number[]> => {
      if (systemIds.length === 0) return [];
      const rows = await trx.selectFrom('machines').select('id').where('system_id', 'in', systemIds).execute();
      return rows.map((row) => row.id);
    };
    const [adding, removing] = [await idsOf(add), await idsOf(removed)];
    if (adding.length > 0) {
      await trx
        .insertInto('machine_tags')
        .values(adding.map((id) => ({ machine_id: id, tag_id: tag.id })))
        .onConflict((clash) => clash.doNothing())
        .execute();
    }
    if (removing.length > 0) {
      await trx.deleteFrom('machine_tags').where('tag_id', '=', tag.id).where('machine_id', 'in', removing).execute();
    }
    await markWhere(trx, sql`m.id = ANY(${[...adding, ...removing]}::integer[])`);
    return { added: adding.length, removed: removing.length };
  });
  return json(counts);
}

async function machinesOf(call: UserCall): Promise<Reply> {
  const tag = await tagOf(call);
  return await listMachines(call.deps, await idsWhere(call.deps.db, call.user, [tagged(tag.id)]));
}

async function nothingOf(call: UserCall): Promise<Reply> {
  await tagOf(call);
  return json([]);
}

const fields = [
  parameter('comment', 'What the tag is for.'),
  parameter('kernel_opts', 'Kernel options that machines with the tag boot with.'),
  parameter('definition', 'XPath over the hardware inventory.'),
];

export const tagRoutes: readonly Resource[] = [
  {
    paths: ['tags/'],
    anon: null,
    auth: {
      name: 'TagsHandler',
      doc: 'Tags of machines.',
      operations: [
        crud('GET', 'user', { title: 'List tags' }, async (call) => {
          const rows = await call.deps.db.selectFrom('tags').selectAll().orderBy('id').execute();
          return json(rows.map(tagObject));
        }),
        crud(
          'POST',
          'admin',
          { title: 'Create a tag', parameters: [parameter('name', 'The name.', 'String', true), ...fields] },
          create,
        ),
      ],
    },
  },
  {
    paths: ['tags/{name}/'],
    anon: null,
    auth: {
      name: 'TagHandler',
      doc: 'One tag.',
      operations: [
        crud('GET', 'user', { title: 'Read a tag' }, async (call) => json(tagObject(await tagOf(call)))),
        crud(
          'PUT',
          'admin',
          { title: 'Change a tag', parameters: [parameter('name', 'The new name.'), ...fields] },
          update,
        ),
        crud('DELETE', 'admin', { title: 'Delete a tag' }, remove),
        named('GET', 'machines', 'user', { title: 'List machines with the tag' }, machinesOf),
        named('GET', 'nodes', 'user', { title: 'List nodes with the tag' }, machinesOf),
        named('GET', 'devices', 'user', { title: 'List devices with the tag' }, nothingOf),
        named('GET', 'rack_controllers', 'user', { title: 'List rack controllers with the tag' }, nothingOf),
        named('GET', 'region_controllers', 'user', { title: 'List region controllers with the tag' }, nothingOf),
        named(
          'POST',
          'update_nodes',
          'admin',
          {
            title: 'Add and remove machines',
            parameters: [
              parameter('add', 'System ids of machines to tag; repeat for several.'),
              parameter('remove', 'System ids of machines to untag; repeat for several.'),
              parameter('definition', 'Refuse when the definition of the tag is another one.'),
            ],
          },
          updateNodes,
        ),
      ],
    },
  },
];
