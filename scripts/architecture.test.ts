import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';

// The arrows of docs/architecture.md, read from the page itself: a new arrow is a change of that page first.
const root = path.resolve(import.meta.dirname, '..');
const page = readFileSync(path.join(root, 'docs/architecture.md'), 'utf8');

/** Room → rooms it may import, from the table "Rooms". */
function allowedArrows(): Map<string, string[]> {
  const arrows = new Map<string, string[]>();
  for (const [, room = '', , may = ''] of page.matchAll(/^\| `(\w+)\/` \|(.*)\|(.*)\|$/gm)) {
    // "core, contract; starts others as child processes": what follows a semicolon is not an import.
    const words = (may.split(';')[0] ?? '').match(/\b(core|contract|protocols|rack|region|agent|lab)\b/g) ?? [];
    arrows.set(room, [...new Set(words)]);
  }
  return arrows;
}

const arrows = allowedArrows();

interface SourceFile {
  room: string;
  file: string;
  imports: string[];
}

function sourceFiles(): SourceFile[] {
  return [...arrows.keys()].flatMap((room) =>
    readdirSync(path.join(root, room), { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.tsx?$/.test(name) && !name.includes('node_modules') && !name.endsWith('.d.ts'))
      .map((name) => {
        const file = path.join(room, name);
        const text = readFileSync(path.join(root, file), 'utf8');
        const imports = [...text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*'([^']+)'/g)].map(([, target = '']) => target);
        return { room, file, imports };
      }),
  );
}

const files = sourceFiles();

/** The room an import leads to; null when it stays, or leads to a library. */
function roomOf(source: SourceFile, target: string): string | null {
  const own = /^@ingot\/(\w+)\//.exec(target)?.[1];
  if (own !== undefined) return own === source.room ? null : own;
  if (!target.startsWith('.')) return null;
  const room = path.normalize(path.join(path.dirname(source.file), target)).split(path.sep)[0] ?? '';
  return room === source.room ? null : room;
}

test('the page lists every room', () => {
  const { workspaces }: { workspaces: string[] } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
  expect([...arrows.keys()].toSorted()).toEqual(workspaces.toSorted());
  expect(arrows.get('core')).toEqual([]);
  expect(arrows.get('rack')).toEqual(['core', 'contract', 'protocols']);
});

test('no room imports what the page does not allow', () => {
  expect(files.length).toBeGreaterThan(100);
  const wrong = files.flatMap((source) =>
    source.imports
      .map((target) => ({ target, room: roomOf(source, target) }))
      .filter(({ room }) => room !== null && !arrows.get(source.room)?.includes(room))
      .map(({ target }) => `${source.file} imports ${target}`),
  );
  expect(wrong).toEqual([]);
});

test('the region imports protocols only where machines boot or ask for metadata', () => {
  const wrong = files
    .filter((source) => source.room === 'region' && !/^region\/metadata\//.test(source.file))
    .filter((source) => source.imports.some((target) => target.startsWith('@ingot/protocols/')))
    .map((source) => source.file);
  expect(wrong).toEqual([]);
});

test('the domain does no I/O: core imports none of Node’s modules', () => {
  const wrong = files
    .filter((source) => source.room === 'core' && !/\.test\.ts$/.test(source.file))
    .flatMap((source) =>
      source.imports.filter((target) => target.startsWith('node:')).map((target) => `${source.file} imports ${target}`),
    );
  expect(wrong).toEqual([]);
});

test('imports name a file with its ending', () => {
  const wrong = files.flatMap((source) =>
    source.imports
      .filter((target) => target.startsWith('.') || target.startsWith('@ingot/'))
      .filter((target) => !/\.(tsx?|css|json|svg|wasm|sql)$/.test(target))
      .map((target) => `${source.file} imports ${target}`),
  );
  expect(wrong).toEqual([]);
});

test('nothing stands in a room without a meaning', () => {
  const wrong = files.filter(
    (source) =>
      source.file.split(path.sep).some((part) => /^(utils?|common|helpers?|misc|types|lib)(\.tsx?)?$/.test(part)) ||
      /(^|\/)index\.tsx?$/.test(source.file),
  );
  expect(wrong.map((source) => source.file)).toEqual([]);
});
