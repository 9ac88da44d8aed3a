import { XMLParser } from 'fast-xml-parser';
import { field } from './inventory.ts';

const MIB = 1024 * 1024;
/** lshw nests about ten deep. */
const MAX_DEPTH = 40;
/** lshw of the largest servers stays far below. The parser does 3 MB/s, and a region serves nobody else meanwhile. */
const MAX_XML = 2 * MIB;

/**
 * Installed memory in MiB by `lshw -xml`, which sums the modules the firmware lists (SMBIOS type 17); 0 when it says nothing.
 * The kernel's own total is smaller: it leaves out what firmware and kernel keep. No DTD or entity is read.
 */
export function memoryMibFromLshw(xml: string, warn: (text: string) => void): number {
  if (xml.trim() === '') return 0;
  if (xml.length > MAX_XML || /<!(DOCTYPE|ENTITY)/i.test(xml)) {
    warn('lshw: output is too long or carries a document type');
    return 0;
  }
  try {
    const parser = new XMLParser({
      ignoreAttributes: false,
      attributeNamePrefix: '@',
      processEntities: false,
      parseTagValue: false,
    });
    return Math.floor(systemMemoryBytes(parser.parse(xml), 0) / MIB);
  } catch (error) {
    warn(`lshw: ${error instanceof Error ? error.message : 'no XML'}`);
    return 0;
  }
}

/** MemTotal of /proc/meminfo in MiB, rounded down. */
export function memoryMibFromMeminfo(meminfo: string): number {
  const match = /^MemTotal:\s+(\d+) kB/m.exec(meminfo);
  return match === null ? 0 : Math.floor(Number(match[1]) / 1024);
}

/** Sum over the nodes that are main memory (`memory`, `memory:0` …), not caches, firmware or the banks below. */
function systemMemoryBytes(value: unknown, depth: number): number {
  if (depth > MAX_DEPTH) return 0;
  if (Array.isArray(value)) return value.reduce((sum: number, item) => sum + systemMemoryBytes(item, depth + 1), 0);
  if (/^memory(:\d+)?$/.test(String(field(value, '@id'))) && field(value, '@class') === 'memory') {
    const size = field(value, 'size');
    const bytes = Number(typeof size === 'string' ? size : field(size, '#text'));
    if (Number.isFinite(bytes) && bytes > 0) return bytes;
  }
  return ['list', 'node'].reduce((sum, name) => {
    const child = field(value, name);
    return child === undefined ? sum : sum + systemMemoryBytes(child, depth + 1);
  }, 0);
}
