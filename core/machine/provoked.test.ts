import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { CODES, isCode } from './catalogue.ts';

const root = new URL('../../', import.meta.url);
const ledger = new URL('provoked-codes.tsv', import.meta.url);
const ROOMS = ['core', 'contract', 'protocols', 'region', 'rack', 'agent', 'cli', 'web', 'lab', 'scripts'];
/** The command line is tested against answers written by hand, the console's pages too: nothing is provoked there. */
const MADE_UP = /^(cli|web)\//;
const OWN_TESTS = /^core\/machine\/(provoked|codes-doc)\.test\.ts$/;

interface Source {
  path: string;
  text: string;
}

function sources(wanted: (path: string) => boolean): Source[] {
  return ROOMS.flatMap((room) =>
    readdirSync(new URL(`${room}/`, root), { recursive: true, encoding: 'utf8' })
      .map((path) => `${room}/${path}`)
      .filter((path) => /\.tsx?$/.test(path) && !path.includes('node_modules') && wanted(path))
      .map((path) => ({ path, text: readFileSync(new URL(path, root), 'utf8') })),
  ).sort((a, b) => (a.path < b.path ? -1 : 1));
}

const isTest = (path: string) => /\.test\.tsx?$/.test(path);

/** Is the code written inside an assertion, or in the table of a test that runs once for each of its rows? */
function asserts(text: string, code: string): boolean {
  return text.split(/;\n/).some((statement) => {
    const at = statement.search(new RegExp(`['"\`]${code.replace('.', '\\.')}['"\`]`));
    return at >= 0 && /\bexpect\b|\b(test|it|describe)\.each\b/.test(statement);
  });
}

const tracked = existsSync(ledger) ? readFileSync(ledger, 'utf8') : '';

/** Which test provokes a code: the one in the ledger while it still does, else the cheapest kind first, then by name. */
function provokers(): Map<string, string> {
  const named = new Map(tracked.split('\n').map((line): [string, string] => [line.split('\t')[0] ?? '', line]));
  const tests = sources((path) => isTest(path) && !OWN_TESTS.test(path));
  const cost = (path: string) => (/\.(root|story|web)\./.test(path) ? 2 : path.includes('.pg.') ? 1 : 0);
  const found = new Map<string, string>();
  for (const code of CODES) {
    const [first] = tests
      .filter(({ path }) => (code.startsWith('web.') ? path.startsWith('web/') : !MADE_UP.test(path)))
      .filter(({ text }) => asserts(text, code))
      .map(({ path }) => ({ path, cost: named.get(code) === `${code}\t${path}` ? -1 : cost(path) }))
      .sort((a, b) => a.cost - b.cost);
    if (first !== undefined) found.set(code, first.path);
  }
  return found;
}

test('every code is provoked by a test, and the tracked ledger names which', () => {
  const found = provokers();
  expect(CODES.filter((code) => !found.has(code))).toEqual([]);
  const rows = CODES.map((code) => `${code}\t${found.get(code)}\n`).sort();
  const text = `code\ttest that provokes it\n${rows.join('')}`;
  if (process.env.INGOT_UPDATE_LEDGERS === '1') writeFileSync(ledger, text);
  expect(readFileSync(ledger, 'utf8')).toBe(text);
});

/** How codes are written in programs: a `code` of a literal object or a comparison, or the first argument of what makes one. */
const WRITTEN = [
  /\bcode: '([a-z_]+(?:\.[a-z_]+)*)'/g,
  /(?<!typeof )\bcode [!=]== '([a-z_]+(?:\.[a-z_]+)*)'/g,
  /\b(?:failure|refusal|failureFor|refusedFor|refused|Problem|detail)\(\s*'([a-z_]+(?:\.[a-z_]+)+)'/g,
];
/** `code` of a wait is the name of a phase, that of an issue is zod's. */
const OTHERS = ['power', 'dhcp', 'kernel', 'agent', 'reboot', 'unrecognized_keys', 'string', 'number'];

test('no program writes a code that is not in the catalogue', () => {
  const strangers = sources((path) => !isTest(path)).flatMap(({ path, text }) =>
    WRITTEN.flatMap((pattern) => [...text.matchAll(pattern)].map(([, code = '']) => code))
      .filter((code) => !isCode(code) && !OTHERS.includes(code))
      .map((code) => `${path}: ${code}`),
  );
  expect(strangers).toEqual([]);
});

test('every code of the catalogue is written by some program', () => {
  const programs = sources(
    (path) => !isTest(path) && !/^core\/machine\/catalogue/.test(path) && !path.startsWith('lab/'),
  );
  const text = programs.map((one) => one.text).join('\n');
  // Made by name: `${word}.unknown`, and the errors of the power drivers.
  const composed = /^(zone|pool)\.unknown$|^power\./;
  expect(CODES.filter((code) => !text.includes(`'${code}'`) && !composed.test(code))).toEqual([]);
});
