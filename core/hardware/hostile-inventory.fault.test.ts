import fc from 'fast-check';
import { expect, test } from 'vitest';
import { factsFromInventory } from './facts.ts';
import type { InventoryText } from './inventory.ts';

const SEED = 20260301;
const SILENT: InventoryText = {
  firmware: 'bios',
  lshwXml: '',
  lsblk: '',
  ipAddress: '',
  dmi: {},
  cpuinfo: '',
  meminfo: 'MemTotal:        2031616 kB\n',
  ethernet: [],
  modaliases: [],
  cmdline: '',
};
const MIB = 1024 * 1024;
/** A region does nothing else meanwhile. Ten times what the slowest of them takes on a quiet host. */
const LIMIT_MS = 4000;

const laughs = `<!DOCTYPE list [<!ENTITY a "ha">${Array.from(
  { length: 20 },
  (_, level) => `<!ENTITY a${level} "${'&a;'.repeat(10)}">`,
).join('')}]><list>&a19;</list>`;

/** Longest output that is given to the parser at all. */
const READ = 2 * MIB;
/** As many of these as are still read. */
const many = (text: string) => text.repeat(Math.floor((READ - 100) / text.length));

/** What it is, the output, and what is said of it; null: it is read. */
const bombs: [string, string, RegExp | null][] = [
  ['a billion laughs', laughs, /document type/],
  ['an external entity', '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><list>&f;</list>', /document type/],
  ['a million tags, one in another', '<node>'.repeat(1_000_000), /too long/],
  ['50,000 closed tags, one in another', '<node>'.repeat(50_000) + '</node>'.repeat(50_000), /nested/],
  [
    'a million nodes beside each other',
    `<list>${'<node id="memory" class="x"/>'.repeat(1_000_000)}</list>`,
    /too long/,
  ],
  ['as many nodes as are still read', `<list>${many('<node/>')}</list>`, null],
  ['as many attributes as are still read', `<node ${many('a="x" ')}/>`, null],
  ['entities that nobody expands', `<list>${many('&amp;')}</list>`, null],
  ['sections that do not end', many('<![CDATA['), /./],
  ['an attribute that does not end', `<node a="${many('x')}`, /./],
  ['a name of the language itself', '<list><__proto__><size>1</size></__proto__></list>', /__proto__/],
];

/**
 * @fault A machine reports lshw output that is an XML bomb: entities, depth, width, or no end.
 * @sees Memory as the kernel's own total tells it, and a warning that names lshw when its output was not read.
 * @ends Read within a bounded time without expanding anything; commissioning goes on with the other tools.
 */
test.each(bombs)('lshw output with %s', (_what, lshwXml, said) => {
  const began = process.cpuUsage();
  const facts = factsFromInventory({ ...SILENT, lshwXml });
  // Processor time: how long it takes on the clock depends on what else runs on the machine.
  const { user, system } = process.cpuUsage(began);
  expect((user + system) / 1000).toBeLessThan(LIMIT_MS);
  expect(facts.memoryMib).toBe(1984);
  expect(facts.warnings).toEqual(said === null ? [] : [expect.stringMatching(new RegExp(`^lshw: .*${said.source}`))]);
  expect(({} as Record<string, unknown>).size).toBeUndefined();
});

/**
 * @fault The inventory tools of a broken machine print anything at all.
 * @sees What could not be read is named in the warnings of the attempt.
 * @ends No output, whatever it holds, stops the region; missing facts fail the commissioning with inventory.invalid.
 */
test('whatever the tools print, facts come back', () => {
  const text = fc.oneof(fc.string(), fc.json(), fc.constant('{"blockdevices":[null,1,{"type":"disk"}]}'));
  const broken = fc.record({
    lshwXml: fc.oneof(fc.string(), fc.array(fc.constantFrom('<node', ' id="memory"', '>', '</node>', '<size>', '1'))),
    lsblk: text,
    ipAddress: text,
    cpuinfo: fc.string(),
    meminfo: fc.string(),
    cmdline: fc.string(),
    dmi: fc.dictionary(fc.string(), fc.string()),
  });
  fc.assert(
    fc.property(broken, (output) => {
      const lshwXml = Array.isArray(output.lshwXml) ? output.lshwXml.join('') : output.lshwXml;
      const facts = factsFromInventory({ ...SILENT, ...output, lshwXml });
      expect(facts.memoryMib).toBeGreaterThanOrEqual(0);
      expect(facts.disks).toBeInstanceOf(Array);
    }),
    { seed: SEED, numRuns: 500 },
  );
});
