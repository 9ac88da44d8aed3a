import { findMachine } from '../machines/find.ts';
import { loadResults, RESULT_TYPES, type ResultFilter, setObject } from '../machines/results.ts';
import { crud, EMPTY, json, named, parameter, type Reply, type Resource, type UserCall } from '../table.ts';
import { badRequest, noMatch } from '../wire/errors.ts';
import { anyText, strictBoolean } from '../wire/scalars.ts';
import { has, textOf, type Values } from '../wire/values.ts';

const HARDWARE = ['node', 'cpu', 'memory', 'storage', 'network', 'gpu'];

/** A word or a number; null when absent. */
function choice(values: Values, name: string, words: readonly string[]): number | null {
  const text = textOf(values, name)?.toLowerCase();
  if (text === undefined) return null;
  const index = words.indexOf(text);
  if (index >= 0) return index;
  if (/^\d$/.test(text) && Number(text) < words.length) return Number(text);
  throw badRequest(`Invalid ${name}: it must be one of ${words.join(', ')} or its number.`);
}

function filterOf(values: Values): ResultFilter {
  const names = textOf(values, 'filters');
  return {
    hardwareType: choice(values, 'hardware_type', HARDWARE),
    names: names === undefined ? null : names.split(',').map((name) => name.trim()),
    withOutput: anyText(values, 'include_output'),
  };
}

const findNode = (call: UserCall) => findMachine(call.deps.db, call.user, call.path.system_id ?? '', 'view', 'Node');

async function list(call: UserCall): Promise<Reply> {
  const machine = await findNode(call);
  const type = choice(
    call.query,
    'type',
    RESULT_TYPES.map((name) => name.toLowerCase()),
  );
  let query = call.deps.db.selectFrom('script_sets').selectAll().where('machine_id', '=', machine.id).orderBy('id');
  if (type !== null) query = query.where('type', '=', type);
  const sets = await query.execute();
  const filter = filterOf(call.query);
  const results = await loadResults(
    call.deps.db,
    sets.map((set) => set.id),
    filter,
  );
  return json(
    sets.map((set) =>
      setObject(
        machine.system_id,
        set,
        results.filter((row) => row.set_id === set.id),
        filter.withOutput,
      ),
    ),
  );
}

const CURRENT: Readonly<Record<string, 'set_commissioning' | 'set_testing' | 'set_installation' | 'set_release'>> = {
  'current-commissioning': 'set_commissioning',
  'current-testing': 'set_testing',
  'current-installation': 'set_installation',
  'current-release': 'set_release',
};

/** By id, or `current-commissioning` and the like. */
async function setOf(call: UserCall) {
  const machine = await findNode(call);
  const key = call.path.id ?? '';
  const column = CURRENT[key];
  let id: number | null = /^\d{1,9}$/.test(key) ? Number(key) : null;
  if (column !== undefined) {
    const row = await call.deps.db
      .selectFrom('machines')
      .select(column)
      .where('id', '=', machine.id)
      .executeTakeFirst();
    id = row?.[column] ?? null;
  }
  const set =
    id === null
      ? undefined
      : await call.deps.db
          .selectFrom('script_sets')
          .selectAll()
          .where('id', '=', id)
          .where('machine_id', '=', machine.id)
          .executeTakeFirst();
  if (set === undefined) throw noMatch('ScriptSet');
  return { machine, set };
}

async function read(call: UserCall): Promise<Reply> {
  const { machine, set } = await setOf(call);
  const filter = filterOf(call.values);
  return json(setObject(machine.system_id, set, await loadResults(call.deps.db, [set.id], filter), filter.withOutput));
}

/** Suppressed results do not count in the machine's aggregates. */
async function update(call: UserCall): Promise<Reply> {
  const { machine, set } = await setOf(call);
  const filter = filterOf(call.values);
  if (has(call.values, 'suppressed')) {
    const suppressed = strictBoolean(call.values, 'suppressed', false);
    const ids = (await loadResults(call.deps.db, [set.id], filter)).map((row) => row.id);
    await call.deps.db.transaction().execute(async (trx) => {
      if (ids.length > 0) await trx.updateTable('script_results').set({ suppressed }).where('id', 'in', ids).execute();
      await trx.insertInto('body_dirty').values({ machine_id: machine.id }).execute();
    });
  }
  return json(setObject(machine.system_id, set, await loadResults(call.deps.db, [set.id], filter), filter.withOutput));
}

const OUTPUTS = ['combined', 'stdout', 'stderr', 'result', 'all'];

/** The outputs as one text, each below its name when there are several. */
async function download(call: UserCall): Promise<Reply> {
  const { set } = await setOf(call);
  const output = textOf(call.query, 'output') ?? 'combined';
  if (!OUTPUTS.includes(output)) throw badRequest(`Invalid output: it must be one of ${OUTPUTS.join(', ')}.`);
  const filetype = textOf(call.query, 'filetype') ?? 'txt';
  if (filetype !== 'txt') throw badRequest('Invalid filetype: only txt is available.');
  const rows = await loadResults(call.deps.db, [set.id], { ...filterOf(call.query), withOutput: true });
  const parts = rows.flatMap((row): (readonly [string, Buffer])[] => {
    if (output === 'stdout') return [[`${row.name}.out`, row.stdout]];
    if (output === 'stderr') return [[`${row.name}.err`, row.stderr]];
    if (output === 'result') return [[`${row.name}.yaml`, row.result]];
    if (output === 'combined') return [[row.name, row.output]];
    return [
      [row.name, row.output],
      [`${row.name}.out`, row.stdout],
      [`${row.name}.err`, row.stderr],
      [`${row.name}.yaml`, row.result],
    ];
  });
  const [only] = parts;
  const bytes =
    only !== undefined && parts.length === 1
      ? only[1]
      : Buffer.concat(
          parts.flatMap(([name, body]) => [
            Buffer.from(`${'-'.repeat(79)}\n${name}\n${'-'.repeat(79)}\n`),
            body,
            Buffer.from('\n'),
          ]),
        );
  return { kind: 'bytes', contentType: 'application/binary', bytes };
}

async function remove(call: UserCall): Promise<Reply> {
  const { machine, set } = await setOf(call);
  const row = await call.deps.db
    .selectFrom('machines')
    .select(['set_commissioning', 'set_testing', 'set_installation'])
    .where('id', '=', machine.id)
    .executeTakeFirstOrThrow();
  const current = Object.entries({
    commissioning: row.set_commissioning,
    testing: row.set_testing,
    installation: row.set_installation,
  }).find(([, id]) => id === set.id);
  if (current !== undefined)
    throw badRequest(`Unable to delete the current ${current[0]} script set for node: ${machine.hostname}`);
  await call.deps.db.deleteFrom('script_sets').where('id', '=', set.id).execute();
  return EMPTY;
}

const filters = [
  parameter('hardware_type', 'node, cpu, memory, storage, network or gpu.'),
  parameter('filters', 'Names or ids, separated by commas.'),
];
const includeOutput = parameter('include_output', 'Any text: add the outputs, base64.');

export const resultRoutes: readonly Resource[] = [
  {
    paths: ['nodes/{system_id}/results/'],
    anon: null,
    auth: {
      name: 'NodeScriptResultsHandler',
      doc: 'Script results of a machine.',
      operations: [
        crud(
          'GET',
          'user',
          {
            title: 'List results',
            parameters: [
              parameter('type', 'commissioning, installation, testing, release or deployment.'),
              ...filters,
              includeOutput,
            ],
          },
          list,
        ),
      ],
    },
  },
  {
    paths: ['nodes/{system_id}/results/{id}/'],
    anon: null,
    auth: {
      name: 'NodeScriptResultHandler',
      doc: 'Results of one run.',
      operations: [
        crud('GET', 'user', { title: 'Read results of a run', parameters: [...filters, includeOutput] }, read),
        crud(
          'PUT',
          'admin',
          {
            title: 'Suppress results',
            parameters: [
              parameter('suppressed', 'Leave them out of the aggregates.', 'Boolean'),
              ...filters,
              includeOutput,
            ],
          },
          update,
        ),
        crud('DELETE', 'admin', { title: 'Delete the results of a run' }, remove),
        named(
          'GET',
          'download',
          'user',
          {
            title: 'Download outputs',
            parameters: [
              parameter('output', 'combined, stdout, stderr, result or all.'),
              parameter('filetype', 'txt.'),
              ...filters,
            ],
          },
          download,
        ),
      ],
    },
  },
];
