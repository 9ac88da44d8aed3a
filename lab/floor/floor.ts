import { copyFile, link, mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type Lab, startLab } from '../data-centre.ts';
import type { MachineSpec } from '../machine/spec.ts';
import { startDaemon, tryCommand } from '../run/command.ts';
import { withLedger } from '../run/ledger.ts';
import type { Turn } from '../run/turns.ts';
import { waitFor } from '../run/wait.ts';
import { type Built, buildImage } from '../story/images.ts';
import { makeKey, runOnMachine } from '../story/ssh.ts';
import { writeFloorInitrd } from './initrd.ts';
import { commissionJob, deployJob } from './jobs.ts';
import { startKea, startTftp } from './kea.ts';

/** Seconds of the bare recipe, without Ingot, for one machine alone. */
export interface FloorTimes {
  firmware: 'bios' | 'uefi';
  cores: number;
  memoryMiB: number;
  /** One after the other. Power on → … each counted from power on. */
  commissions: Record<string, number>[];
  /** The same, except `step-*`, which are durations. */
  deploy: Record<string, number>;
  /** Power on from the disk → first login by SSH. */
  firstBoot: number;
}

export interface FloorOptions {
  checkout: string;
  cache: string;
  firmware: 'bios' | 'uefi';
  /** Fixed here, so that both sides of a comparison run on the same machine. */
  cores: number;
  memoryMiB: number;
  diskMiB: number;
  /** How often it is commissioned: a short part says little once on a host whose speed drifts. */
  commissions: number;
  /** Called before each timed part. */
  turn: Turn;
}

const PORT = 5248;
const LIMIT_MS = 15 * 60_000;

export async function runFloor(options: FloorOptions): Promise<FloorTimes> {
  const { checkout, firmware, cores, memoryMiB, diskMiB, turn } = options;
  return withLedger(checkout, async (ledger) => {
    const folder = await mkdtemp('/var/tmp/ingot-floor-');
    await ledger.addFolder(folder);
    const wish = { name: 'floor', firmware, cores, memoryMiB, diskMiB };
    const lab = await startLab({ checkout, ledger, stateDir: path.join(folder, 'lab'), machines: [wish] });
    const spec = lab.machines[0];
    if (!spec) throw new Error('the lab has no machine');
    const site = await openSite(options, lab, folder);
    const commissions: Record<string, number>[] = [];
    while (commissions.length < options.commissions) {
      await turn();
      commissions.push(await bootWithJob(site, lab, spec, commissionJob(site.http)));
    }
    const key = await makeKey(path.join(folder, 'key'));
    await turn();
    const deploy = await bootWithJob(site, lab, spec, deployJob(site.http, spec, 'image.tar.zst', key));
    await turn();
    const firstBoot = await bootFromDisk(site, lab, spec, path.join(folder, 'key'));
    return { firmware, cores, memoryMiB, commissions, deploy: { ...deploy, ...steps(deploy) }, firstBoot };
  });
}

interface Site {
  http: string;
  root: string;
  log: string;
  kernelLine: string;
}

/** DHCP, TFTP and HTTP where the rack would stand, with the same images. */
async function openSite(options: FloorOptions, lab: Lab, folder: string): Promise<Site> {
  const root = path.join(folder, 'www');
  const tftp = path.join(folder, 'tftp');
  for (const name of [root, tftp, path.join(root, 'posted'), path.join(root, 'blobs/sha256')]) {
    await mkdir(name, { recursive: true });
  }
  // snponly.efi: Debian's ipxe.efi does not come back from `exit` under OVMF.
  for (const [from, to] of [
    ['undionly.kpxe', 'undionly.kpxe'],
    ['snponly.efi', 'ipxe.efi'],
  ]) {
    await copyFile(`/usr/lib/ipxe/${from}`, path.join(tftp, to ?? ''));
    await copyFile(`/usr/lib/ipxe/${from}`, path.join(root, to ?? ''));
  }
  const provide = (from: string, to: string) => link(from, to).catch(() => copyFile(from, to));
  const handOver = path.join(folder, 'images');
  const building = { checkout: options.checkout, cache: options.cache, handOver, onProgress: () => {} };
  const ephemeral = fileOf(await buildImage('ephemeral', building));
  const deploy = fileOf(await buildImage('deploy', building));
  const squashfs = ephemeral('squashfs');
  const sum = await sha256(squashfs);
  await provide(ephemeral('boot-kernel'), path.join(root, 'vmlinuz'));
  await provide(squashfs, path.join(root, 'blobs/sha256', sum));
  await provide(deploy('root-tar.zst'), path.join(root, 'image.tar.zst'));
  const http = `http://${lab.rackAddress}:${PORT}`;
  await writeFloorInitrd(ephemeral('boot-initrd'), http, folder, path.join(root, 'initrd'));
  const log = path.join(folder, 'http.jsonl');
  await writeFile(log, '');
  await startKea(lab, path.join(folder, 'kea'));
  await startTftp(lab, tftp, path.join(folder, 'tftp.log'));
  const self = path.join(options.checkout, 'dist/lab.mjs');
  const server = [process.execPath, self, 'floor-http', '--root', root, '--address', lab.rackAddress, '--log', log];
  await startDaemon(lab.rackCommand(server), path.join(folder, 'http.log'));
  const kernelLine = [`ingot.rack=${http} ingot.root=${sum}`, 'console=ttyS0,115200 loglevel=4'].join(' ');
  return { http, root, log, kernelLine };
}

function fileOf(built: Built): (filetype: string) => string {
  return (filetype) => {
    const found = built.files.find((file) => file.filetype === filetype);
    if (!found) throw new Error(`the ${built.purpose} image has no ${filetype}`);
    return found.path;
  };
}

async function sha256(file: string): Promise<string> {
  const { stdout } = await tryCommand(['sha256sum', file], 120_000);
  return stdout.slice(0, 64);
}

/** One boot from the network with a job that ends by switching off; the times of what the servers saw. */
async function bootWithJob(site: Site, lab: Lab, spec: MachineSpec, job: string): Promise<Record<string, number>> {
  await writeFile(path.join(site.root, 'job.sh'), job);
  await writeFile(
    path.join(site.root, 'boot.ipxe'),
    `#!ipxe
kernel ${site.http}/vmlinuz initrd=initrd BOOTIF=01-\${net0/mac:hexhyp} ${site.kernelLine}
initrd --name initrd ${site.http}/initrd
boot
`,
  );
  const from = Date.now();
  await lab.pressPower(spec.name);
  await waitFor(`the job on ${spec.name}`, LIMIT_MS, async () => ((await lab.isOn(spec.name)) ? undefined : true), 500);
  const off = (Date.now() - from) / 1000;
  const seen = await seenSince(site, from);
  if (seen.results === undefined) {
    // The folder goes with this run: what the machine said last has to be said here.
    const console = await readFile(lab.serialLog(spec.name), 'utf8');
    throw new Error(`the job on ${spec.name} ended early; its console: ${console.slice(-2000)}`);
  }
  return { ...seen, off: Math.round(off * 10) / 10 };
}

async function bootFromDisk(site: Site, lab: Lab, spec: MachineSpec, keyFile: string): Promise<number> {
  await writeFile(path.join(site.root, 'boot.ipxe'), '#!ipxe\nexit 1\n');
  const from = performance.now();
  await lab.pressPower(spec.name);
  const config = path.join(path.dirname(site.log), 'ssh_config');
  // The installed system introduces itself to DHCP by another identifier than the firmware: the newest lease is asked for each time.
  await waitFor('a login', LIMIT_MS, async () => {
    const address = await leaseOf(site, spec.mac);
    if (address === undefined) return undefined;
    await lab.sshConfig(config, keyFile, 'debian', { floor: address });
    return runOnMachine(config, 'floor', 'hostname', 20_000).catch(() => undefined);
  });
  return Math.round((performance.now() - from) / 100) / 10;
}

async function leaseOf(site: Site, mac: string): Promise<string | undefined> {
  const log = await readFile(path.join(path.dirname(site.log), 'kea/kea-dhcp4.log'), 'utf8');
  const leases = [...log.matchAll(/\[hwtype=1 ([0-9a-f:]+)\].*lease ([0-9.]+) has been allocated/g)];
  return leases.filter(([, hardware]) => hardware === mac).at(-1)?.[2];
}

const NAMES: Record<string, string> = {
  'GET /boot.ipxe': 'script',
  'GET /initrd': 'kernel',
  'POST /posted/agent': 'agent',
  'POST /posted/results': 'results',
};

async function seenSince(site: Site, from: number): Promise<Record<string, number>> {
  const times: Record<string, number> = {};
  for (const line of (await readFile(site.log, 'utf8')).split('\n').filter(Boolean)) {
    const { atMs, what }: { atMs: number; what: string } = JSON.parse(line);
    if (atMs < from) continue;
    const name = NAMES[what] ?? (what.startsWith('GET /blobs/') ? 'root' : /^POST \/posted\/(step-.*)/.exec(what)?.[1]);
    if (name !== undefined) times[name] = Math.round((atMs - from) / 100) / 10;
  }
  return times;
}

/** Turns the moments of the steps into durations. */
function steps(seen: Record<string, number>): Record<string, number> {
  let before = seen.agent ?? 0;
  const entries = Object.entries(seen)
    .filter(([name]) => name.startsWith('step-'))
    .toSorted(([, a], [, b]) => a - b)
    .map(([name, at]): [string, number] => {
      const seconds = Math.round((at - before) * 10) / 10;
      before = at;
      return [name, seconds];
    });
  return { ...Object.fromEntries(entries), job: Math.round(((seen.results ?? 0) - (seen.agent ?? 0)) * 10) / 10 };
}
