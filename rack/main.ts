import { hostname } from 'node:os';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { destination, pino } from 'pino';
import { enroll } from './enroll.ts';
import { DEFAULT_PORTS } from './httpboot/boot-plane.ts';
import { startRack } from './rack.ts';
import { findRegion } from './region/remembered.ts';

/**
 * V8 lets what outlived two scavenges grow to up to four times of what is in use before it looks for garbage among it.
 * Twice is enough: a rack at work takes some 50 MB less of memory, and no more CPU than runs differ by.
 */
setFlagsFromString('--heap-growing-percent=100');

const USAGE = `Usage:
  rack --state DIR [--region unix:PATH|https://HOST:PORT] [--name NAME] [--address IP]... [--interface NAME]...
       [--blobs DIR] [--cache-limit GIB] [--leases FILE] [--no-tftp] [--log-level LEVEL]
  rack enroll https://HOST:PORT TOKEN --state DIR [--name NAME]

  enroll    what \`ingot rack token\` prints on the region's host: makes this rack known there, once
  --region  the region of the enrolment unless told
  --leases  lease file (Kea's memfile) of a DHCP server that others run here: who asks for a boot script is read there
  --no-tftp no firmware here asks by TFTP
`;
const VERSION = '0.1.0';
const DEFAULT_CACHE_GIB = 20;
const STOP_WITHIN_MS = 1900;

function refuse(message: string): never {
  process.stderr.write(`${message}\n${USAGE}`);
  process.exit(2);
}

function readArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        state: { type: 'string', default: '/var/lib/ingot' },
        region: { type: 'string' },
        name: { type: 'string', default: hostname() },
        address: { type: 'string', multiple: true, default: [] },
        interface: { type: 'string', multiple: true, default: [] },
        blobs: { type: 'string' },
        leases: { type: 'string' },
        'no-tftp': { type: 'boolean', default: false },
        'cache-limit': { type: 'string', default: String(DEFAULT_CACHE_GIB) },
        'log-level': { type: 'string', default: 'info' },
        help: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error));
  }
}

async function main(): Promise<void> {
  const { values, positionals } = readArguments();
  if (values.help) {
    process.stdout.write(USAGE);
    return;
  }
  if (positionals[0] === 'enroll') {
    const [, url, token] = positionals;
    if (!url || !token) refuse('enroll needs a URL and a token.');
    if (positionals.length > 3) refuse(`Unexpected: ${positionals.slice(3).join(' ')}`);
    const enrolled = await enroll(values.state, values.name, url, token);
    const start = `Start it with: ingot rack --state ${values.state}`;
    if (enrolled.ok) process.stdout.write(`Enrolled as ${enrolled.rack}. ${start}\n`);
    else process.stderr.write(`Not enrolled: ${enrolled.message}\n`);
    process.exitCode = enrolled.ok ? 0 : 1;
    return;
  }
  if (positionals.length > 0) refuse(`Unknown command: ${positionals[0]}`);
  const gibibytes = Number(values['cache-limit']);
  if (!(gibibytes > 0)) refuse('--cache-limit must be a number of GiB.');
  const level = values['log-level'];
  if (!['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'].includes(level))
    refuse(`No such log level: ${level}`);
  const found = await findRegion(values.state, values.region);
  if (!found.ok) refuse(found.message);
  const log = pino({ name: 'rack', level }, destination({ fd: 2, sync: true }));
  const rack = await startRack({
    stateDir: values.state,
    region: found.region,
    name: values.name,
    addresses: values.address,
    interfaces: values.interface,
    blobs: values.blobs ?? null,
    foreignLeases: values.leases ?? null,
    tftp: !values['no-tftp'],
    cacheLimitBytes: gibibytes * 2 ** 30,
    ports: DEFAULT_PORTS,
    version: VERSION,
    log,
  });
  const stop = (signal: NodeJS.Signals) => {
    log.info({ signal }, 'stopping');
    // Whatever hangs: Kea ends with this process (its parent-death signal).
    setTimeout(() => process.exit(1), STOP_WITHIN_MS).unref();
    rack.stop().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
}

main().catch((error: unknown) => {
  process.stderr.write(`rack: ${error instanceof Error ? error.message : error}\n`);
  process.exit(1);
});
