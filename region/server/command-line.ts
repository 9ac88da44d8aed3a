import { parseArgs } from 'node:util';

export interface ListenAddress {
  host: string;
  port: number;
}

interface Shared {
  stateDir: string;
  /** Null: the private cluster below the state directory. */
  databaseUrl: string | null;
  logLevel: string;
}

export type RegionCommand = Shared &
  (
    | {
        command: 'serve';
        listen: ListenAddress;
        /** Where racks of other hosts come in, by TLS; null: racks of this host only. */
        rackListen: ListenAddress | null;
        /** Further names or addresses by which racks reach that listener. */
        rackNames: string[];
      }
    | { command: 'migrate' }
    | { command: 'init' }
    | { command: 'restore'; file: string }
    | { command: 'createadmin'; username: string; password: string; email: string }
    | { command: 'apikey'; username: string; generate: boolean }
  );

export const USAGE = `region [serve|migrate|init|restore|createadmin|apikey] [options]

  serve          serve the APIs, the web UI, racks and machines (the default)
  init           make the private cluster, the schema and the key, then end
  restore        --file DUMP   put a dump of pg_dump --format=custom into a new state directory, then end
  migrate        bring the schema up to date, then end
  createadmin    --username NAME --password PASSWORD|- [--email ADDRESS]   "-" reads it from standard input
  apikey         --username NAME [--generate]      print the user's API key

  --state DIR            where everything is kept (default /var/lib/ingot)
  --listen HOST:PORT     (default 127.0.0.1:5240)
  --rack-listen HOST:PORT   let racks of other hosts in, by TLS; usually 0.0.0.0:5250 (default: none)
  --rack-name NAME       name or address by which racks reach it, when it is none of this host; may be repeated
  --database URL         your own PostgreSQL instead of the private cluster (also INGOT_DATABASE_URL)
  --log-level LEVEL      trace, debug, info, warn or error (default info)`;

/** A command line that cannot be understood: one line for the user, exit code 2. */
export class UsageError extends Error {}

export function parseListen(text: string, flag = '--listen'): ListenAddress {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  const host = match?.[1] ?? match?.[2];
  if (host === undefined || port > 65_535) throw new UsageError(`${flag} takes HOST:PORT, not ${text}`);
  return { host, port };
}

const OPTIONS = {
  state: { type: 'string', default: '/var/lib/ingot' },
  listen: { type: 'string', default: '127.0.0.1:5240' },
  'rack-listen': { type: 'string' },
  'rack-name': { type: 'string', multiple: true },
  database: { type: 'string' },
  'log-level': { type: 'string', default: 'info' },
  file: { type: 'string' },
  username: { type: 'string' },
  password: { type: 'string' },
  email: { type: 'string', default: '' },
  generate: { type: 'boolean', default: false },
} as const;

function parse(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: OPTIONS, allowPositionals: true, strict: true });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

const RACK_NAME = /^[A-Za-z0-9.:-]{1,253}$/;

function rackDoor(values: { 'rack-listen'?: string | undefined; 'rack-name'?: string[] | undefined }) {
  const listen = values['rack-listen'];
  const rackNames = values['rack-name'] ?? [];
  const odd = rackNames.find((name) => !RACK_NAME.test(name));
  if (odd !== undefined) throw new UsageError(`--rack-name takes a host name or an address, not ${odd}`);
  if (rackNames.length > 0 && listen === undefined) throw new UsageError('--rack-name needs --rack-listen HOST:PORT');
  return { rackListen: listen === undefined ? null : parseListen(listen, '--rack-listen'), rackNames };
}

/** argv without node and script. `databaseUrl` is the environment's. Throws UsageError. */
export function parseCommandLine(argv: readonly string[], databaseUrl: string | undefined): RegionCommand {
  const { values, positionals } = parse(argv);
  const [command = 'serve', ...rest] = positionals;
  if (rest.length > 0) throw new UsageError(`unexpected: ${rest.join(' ')}`);
  const logLevel = values['log-level'];
  if (!['trace', 'debug', 'info', 'warn', 'error'].includes(logLevel)) {
    throw new UsageError(`--log-level is trace, debug, info, warn or error, not ${logLevel}`);
  }
  const shared = { stateDir: values.state, databaseUrl: values.database ?? (databaseUrl || null), logLevel };
  const required = (name: 'username' | 'password' | 'file'): string => {
    const value = values[name];
    if (value === undefined || value === '') throw new UsageError(`${command} needs --${name}`);
    return value;
  };
  switch (command) {
    case 'serve':
      return { ...shared, command, listen: parseListen(values.listen), ...rackDoor(values) };
    case 'migrate':
    case 'init':
      return { ...shared, command };
    case 'restore':
      return { ...shared, command, file: required('file') };
    case 'createadmin':
      return {
        ...shared,
        command,
        username: required('username'),
        password: required('password'),
        email: values.email,
      };
    case 'apikey':
      return { ...shared, command, username: required('username'), generate: values.generate };
    default:
      throw new UsageError(`there is no "${command}"; there are serve, migrate, init, restore, createadmin and apikey`);
  }
}
