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

const bombs: [string, string][] = [
  ['a billion laughs', laughs],
  ['an external entity', '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><list>&f;</list>'],
  ['a million tags, one in another', '<node>'.repeat(1_000_000)],
  ['50,000 closed tags, one in another', '<node>'.repeat(50_000) + '</node>'.repeat(50_000)],
  ['a million nodes beside each other', `<list>${'<node id="memory" class="x"/>'.repeat(1_000_000)}</list>`],
  ['as many nodes as are still read', `<list>${'<node/>'.repeat(299_000)}`],
  ['half a million attributes', `<node ${Array.from({ length: 500_000 }, (_, at) => `a${at}="x"`).join(' ')}/>`],
  ['entities that nobody expands', `<list>${'&amp;'.repeat(3_000_000)}</list>`],
  ['sections that do not end', '<![CDATA['.repeat(400_000)],
  ['an attribute that does not end', `<node a="${'x'.repeat(4 * MIB)}`],
  ['a name of the language itself', '<list><__proto__><size>1</size></__proto__></list>'],
];

/**
 * @fault A machine reports lshw output that is an XML bomb: entities, depth, width, or no end.
 * @sees Memory as the kernel's own total tells it, and a warning that names lshw when its output was not read.
 * @ends Read within a bounded time without expanding anything; commissioning goes on with the other tools.
 */
test.each(bombs)('lshw output with %s', (_what, lshwXml) => {
  const began = process.cpuUsage();
  const facts = factsFromInventory({ ...SILENT, lshwXml });
  // Processor time: how long it takes on the clock depends on what else runs on the machine.
  const { user, system } = process.cpuUsage(began);
  expect((user + system) / 1000).toBeLessThan(LIMIT_MS);
  expect(facts.memoryMib).toBe(1984);
  expect(facts.warnings.filter((warning) => !warning.startsWith('lshw: '))).toEqual([]);
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
