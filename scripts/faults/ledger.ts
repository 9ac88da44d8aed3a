/** One fault that a test shows: what goes wrong, what the user sees of it, and how it ends. */
export interface ShownFault {
  fault: string;
  sees: string;
  ends: string;
  /** As written; a table test keeps its placeholders. */
  test: string;
  /** Path from the root of the repository. */
  file: string;
}

export interface FileFaults {
  faults: ShownFault[];
  /** What is wrong with the file's blocks, each with file and line. */
  malformed: string[];
}

const TAGS = ['fault', 'sees', 'ends'] as const;
/** One or two lines of plain prose. */
const LONGEST = 320;

/** Reads the blocks `@fault … @sees … @ends …` of a test file. Never throws: what is wrong is in `malformed`. */
export function faultsIn(file: string, text: string): FileFaults {
  const found: FileFaults = { faults: [], malformed: [] };
  for (const block of text.matchAll(/\/\*\*(?:(?!\*\/).)*\*\//gs)) {
    const words = block[0];
    if (!/^[ \t/*]*@(?:fault|sees|ends)\b/m.test(words)) continue;
    const line = text.slice(0, block.index).split('\n').length;
    const tags = tagsOf(words);
    const test = testAfter(text, block.index + words.length);
    const problem = tags.problem ?? (test === null ? 'no test( or it( with a literal name follows' : null);
    if (problem !== null || test === null) found.malformed.push(`${file}:${line}: ${problem}`);
    else found.faults.push({ ...tags.values, test, file });
  }
  return found;
}

interface Tags {
  values: Pick<ShownFault, (typeof TAGS)[number]>;
  problem: string | null;
}

function tagsOf(block: string): Tags {
  const values = { fault: '', sees: '', ends: '' };
  const order: string[] = [];
  for (const [, tag = '', words = ''] of block
    .replace(/^\/\*\*|\*\/$/g, '')
    .replace(/^[ \t]*\*[ \t]?/gm, '')
    .matchAll(/^[ \t]*@(\w+)[ \t]+((?:(?!^[ \t]*@).)*)/gms)) {
    order.push(tag);
    if (tag === 'fault' || tag === 'sees' || tag === 'ends') values[tag] = words.replace(/\s+/g, ' ').trim();
  }
  const wrongOrder = order.join(' ') !== TAGS.join(' ');
  const empty = TAGS.find((tag) => values[tag] === '');
  const long = TAGS.find((tag) => values[tag].length > LONGEST);
  let problem: string | null = null;
  if (wrongOrder) problem = `the tags are "${order.join(' ')}", not "${TAGS.join(' ')}"`;
  else if (empty) problem = `@${empty} says nothing`;
  else if (long) problem = `@${long} is longer than ${LONGEST} characters`;
  return { values, problem };
}

/** The name of the test call that begins at `from`, behind nothing but white space and decorations of the call itself. */
function testAfter(text: string, from: number): string | null {
  const call = /\s*(?:test|it)((?:\.\w+)*)/y;
  call.lastIndex = from;
  const begun = call.exec(text);
  if (begun === null) return null;
  let at = call.lastIndex;
  // test.each(TABLE)('name', …): the table stands in the way.
  if (/\.(?:each|for|skipIf|runIf)$/.test(begun[1] ?? '')) {
    const end = text[at] === '(' ? closing(text, at) : null;
    if (end === null) return null;
    at = end + 1;
  }
  const name = /\s*\(\s*(?:'((?:[^'\\\n]|\\.)*)'|"((?:[^"\\\n]|\\.)*)"|`((?:[^`\\]|\\.)*)`)/y;
  name.lastIndex = at;
  const named = name.exec(text);
  const literal = named?.[1] ?? named?.[2] ?? named?.[3];
  return literal === undefined || literal === '' ? null : literal.replace(/\\(.)/g, '$1').replace(/\s+/g, ' ');
}

/** Index of the parenthesis that closes the one at `open`; strings are passed over. Null when it is not closed. */
function closing(text: string, open: number): number | null {
  let depth = 0;
  for (let at = open; at < text.length; at += 1) {
    const sign = text[at] ?? '';
    if (sign === '(') depth += 1;
    if (sign === ')') depth -= 1;
    if (depth === 0) return at;
    if (sign === "'" || sign === '"' || sign === '`') {
      const quoted = new RegExp(`${sign}(?:[^${sign}\\\\]|\\\\.)*${sign}`, 'sy');
      quoted.lastIndex = at;
      if (!quoted.test(text)) return null;
      at = quoted.lastIndex - 1;
    }
  }
  return null;
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('<', '&lt;');

/** docs/reference/faults.md: by room, in the order of files and of tests in them. */
export function faultsPage(faults: readonly ShownFault[]): string {
  const rooms = [...new Set(faults.map(({ file }) => roomOf(file)))].sort();
  const sections = rooms.map((room) => {
    const rows = faults
      .filter(({ file }) => roomOf(file) === room)
      .map(({ fault, sees, ends, test, file }) => {
        const shown = `${cell(test)} ([${file.split('/').slice(1).join('/')}](../../${file}))`;
        return `| ${cell(fault)} | ${cell(sees)} | ${cell(ends)} | ${shown} |`;
      });
    return [
      `## ${room}`,
      '',
      '| Fault | What the user sees | How it ends | Test |',
      '| --- | --- | --- | --- |',
      ...rows,
      '',
    ];
  });
  return [
    '# Faults, what is seen of them, and how they end',
    '',
    'Each row is an automated test: what is done to the system, what a user sees, and the state it ends in. The page is',
    'generated from the tests themselves; codes are explained in [codes.md](../codes.md).',
    '',
    ...sections.flat(),
  ].join('\n');
}

function roomOf(file: string): string {
  return file.split('/')[0] ?? file;
}
