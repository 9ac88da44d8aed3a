import { randomUUID } from 'node:crypto';
import type { Task } from '@ingot/contract/agent.ts';
import { failure } from '@ingot/core/machine/catalogue.ts';
import type { Failure } from '@ingot/core/machine/model.ts';
import { networkConfig } from '@ingot/core/network/network-config.ts';
import { cloudInitFiles } from '@ingot/core/storage/cloud-init-files.ts';
import { flatLayout } from '@ingot/core/storage/flat-layout.ts';
import { type InstallInput, installPlan } from '@ingot/core/storage/install-plan.ts';
import { instanceTokenOf } from '../accounts/instance-tokens.ts';
import type { RegionDeps } from '../deps.ts';
import { type DeployImage, deployImage } from '../images/catalogue.ts';
import { readSettings } from '../store/settings.ts';
import {
  type InstallDisk,
  installDisk,
  interfacesOf,
  linksOf,
  subnetsOfLinks,
  tagKernelOptions,
} from './install-rows.ts';
import type { AgentMachine } from './machine-rows.ts';
import { resultsOfSet } from './script-rows.ts';

/** The installation cannot even be planned: the attempt fails with this. */
export interface InstallRefused {
  kind: 'refused';
  failure: Failure;
}

function refused(code: Parameters<typeof failure>[0], detail: string): InstallRefused {
  return { kind: 'refused', failure: failure(code, { detail }) };
}

async function network(deps: RegionDeps, machine: AgentMachine, upstreamDns: string | null) {
  const interfaces = await interfacesOf(deps.db, machine.id);
  const links = await linksOf(deps.db, machine.id);
  const subnets = await subnetsOfLinks(deps.db, machine.id);
  const defaultDns = (upstreamDns ?? '').split(/[\s,]+/).filter((server) => server !== '');
  return networkConfig(interfaces, links, subnets, {
    gatewayInterfaceId: machine.row.boot_interface_id,
    defaultDns,
  });
}

/** Partitions to make for a tree of files; none for a disk image, of which the agent is told what it will find. */
function targetOf(
  disk: InstallDisk,
  { content, ...image }: DeployImage,
  firmware: 'bios' | 'uefi',
): Pick<InstallInput, 'partitions' | 'image'> | { tooSmall: string } {
  if (image.format === 'raw.zst') {
    const written = content?.disk;
    if (!written) return { partitions: [], image };
    if (disk.size < written.size) {
      return { tooSmall: `disk ${disk.name} has ${disk.size} bytes, the disk image has ${written.size}` };
    }
    return { partitions: [], image: { ...image, disk: written } };
  }
  const layout = flatLayout(disk.size, firmware);
  if (!layout.ok) return { tooSmall: layout.message };
  const partitions = layout.partitions.map((partition) => {
    const stored = disk.partitions.find(({ index }) => index === partition.number);
    return { ...partition, uuid: stored?.uuid, filesystemUuid: stored?.filesystemUuid };
  });
  return { partitions, image };
}

/** Everything that the installer needs, computed here so that the agent only carries it out. */
export async function installTask(
  deps: RegionDeps,
  machine: AgentMachine,
  firmware: 'bios' | 'uefi',
  rackUrl: string | null,
): Promise<Task | InstallRefused> {
  const { row } = machine;
  const arch = row.architecture.split('/')[0] ?? '';
  const image = await deployImage(deps.db, { os: row.osystem, release: row.distro_series, arch });
  if (!image) return refused('install.step_failed', `no image of ${row.osystem}/${row.distro_series} for ${arch}`);
  const disk = await installDisk(deps.db, machine.id, row.boot_disk_id);
  if (!disk) return refused('install.no_disk', 'no disk is known');
  const target = targetOf(disk, image, firmware);
  if ('tooSmall' in target) return refused('install.disk_too_small', target.tooSmall);
  const token = await instanceTokenOf(deps, machine.systemId);
  const log = (await resultsOfSet(deps.db, machine.id, 'installation'))[0];
  if (!token || !log) return refused('install.step_failed', 'the deployment was begun without token or log');
  if (rackUrl === null)
    return refused('install.step_failed', 'the rack did not say at which address machines reach it');
  const settings = await readSettings(deps.db);
  const metadata = `${rackUrl}/MAAS/metadata/`;
  const plan = installPlan({
    firmware,
    hostname: machine.hostname,
    disk: { name: disk.name, serial: disk.serial, idPath: disk.idPath, size: disk.size },
    ...target,
    files: cloudInitFiles({
      metadataUrl: metadata,
      statusUrl: `${metadata}status/${machine.systemId}`,
      ...token,
      network: await network(deps, machine, settings.upstream_dns),
    }),
    kernelOptions: [settings.kernel_opts ?? '', ...(await tagKernelOptions(deps.db, machine.id))]
      .filter((options) => options !== '')
      .join(' '),
    newUuid: randomUUID,
  });
  return { kind: 'install', plan, resultId: log.id, ...(settings.kexec ? { kexec: true } : {}) };
}
