import type { ImageView, RackView, SshKeyView, SubnetView } from '@ingot/contract/native.ts';
import { size } from '../format/words.ts';

export interface Check {
  name: string;
  state: 'ok' | 'warning' | 'failed';
  detail: string;
  /** What to do; null when all is well. */
  fix: string | null;
}

const ok = (name: string, detail: string): Check => ({ name, state: 'ok', detail, fix: null });
const warning = (name: string, detail: string, fix: string): Check => ({ name, state: 'warning', detail, fix });
const failed = (name: string, detail: string, fix: string): Check => ({ name, state: 'failed', detail, fix });

/** What was found on this host; everything below judges it without looking again. */
export interface HostFacts {
  stateDir: string;
  nodeMajor: number;
  freeBytes: number | null;
  upPid: number | null;
  socketExists: boolean;
  /** Path of each program, null when it is not installed. */
  programs: Record<string, string | null>;
  /** Ports that somebody else than a running Ingot holds, with what the kernel calls them: "udp 67". */
  takenPorts: string[];
}

export function hostChecks(host: HostFacts): Check[] {
  return [
    host.nodeMajor >= 20
      ? ok('node', `version ${host.nodeMajor}`)
      : failed('node', `version ${host.nodeMajor}`, 'install Node 20 or newer'),
    space(host),
    program(
      host,
      'postgres',
      'PostgreSQL',
      'apt-get install postgresql, or use a server of yours: ingot up --database URL',
    ),
    program(host, 'kea-dhcp4', 'Kea', 'apt-get install --no-install-recommends kea-dhcp4-server'),
    program(host, 'ssh', 'ssh', 'apt-get install openssh-client'),
    host.takenPorts.length === 0
      ? ok('ports', host.upPid === null ? 'free' : 'held by Ingot')
      : failed('ports', `taken: ${host.takenPorts.join(', ')}`, 'see who holds them: ss -lntup; then stop it'),
    host.upPid !== null
      ? ok('ingot up', `process ${host.upPid}`)
      : host.socketExists
        ? warning('ingot up', 'not running, yet a socket is there', 'the region may have been started by itself')
        : failed('ingot up', `nothing runs in ${host.stateDir}`, `start it: ingot up --state ${host.stateDir}`),
  ];
}

function space(host: HostFacts): Check {
  if (host.freeBytes === null) {
    return failed('state', `${host.stateDir} does not exist`, `make it: ingot up --state ${host.stateDir}`);
  }
  const text = `${size(host.freeBytes)} free in ${host.stateDir}`;
  if (host.freeBytes < 2 ** 30) return failed('disk', text, 'free some: PostgreSQL stops without space');
  return host.freeBytes < 10 * 2 ** 30 ? warning('disk', text, 'images need about 10 GiB') : ok('disk', text);
}

function program(host: HostFacts, name: string, title: string, fix: string): Check {
  const found = host.programs[name] ?? null;
  return found === null ? failed(title, `${name} is not installed`, fix) : ok(title, found);
}

/** What the region says about the site. */
export interface SiteFacts {
  database: boolean;
  racks: RackView[];
  images: ImageView[];
  subnets: SubnetView[];
  keys: SshKeyView[];
}

export function siteChecks(site: SiteFacts): Check[] {
  const served = site.subnets.filter((subnet) => subnet.mode !== 'off');
  return [
    site.database
      ? ok('database', 'answers')
      : failed('database', 'does not answer', 'read DIR/log/region.log and DIR/log/postgres.log'),
    ...rackChecks(site.racks),
    ...(['ephemeral', 'deploy'] as const).map((purpose) => {
      const found = site.images.filter((image) => image.purpose === purpose);
      const names = found.map((image) => `${image.name} ${image.version}`).join(', ');
      return found.length > 0
        ? ok(`${purpose} image`, names)
        : failed(`${purpose} image`, 'none', `build it: ingot images build ${purpose}`);
    }),
    served.length > 0
      ? ok('network', `DHCP ${served.map((subnet) => `${subnet.mode} for ${subnet.cidr}`).join(', ')}`)
      : warning('network', 'no network is served: machines cannot boot', 'ingot network serve CIDR'),
    ...site.subnets.flatMap(({ cidr, warnings }) =>
      warnings.map(({ code, message, fix }) => warning(cidr, `${message} (${code})`, fix)),
    ),
    site.keys.length > 0
      ? ok('SSH keys', `${site.keys.length} of yours`)
      : warning('SSH keys', 'none of yours', 'ingot keys add ~/.ssh/id_ed25519.pub'),
  ];
}

function rackChecks(racks: readonly RackView[]): Check[] {
  if (racks.length === 0) {
    return [failed('racks', 'none has ever connected', 'ingot up starts one; read DIR/log/rack.log')];
  }
  return racks.flatMap((rack) => {
    if (!rack.connected) return [failed(`rack ${rack.name}`, 'not connected', 'start it, or read its log')];
    const down = rack.services.filter((service) => !service.ok);
    if (down.length === 0) return [ok(`rack ${rack.name}`, 'connected')];
    return down.map((service) =>
      failed(`rack ${rack.name}`, `${service.name}: ${service.detail}`, 'read DIR/log/rack.log'),
    );
  });
}
