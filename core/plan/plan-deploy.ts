import { type Code, entryOf, type Params, refusal } from '../machine/catalogue.ts';
import type { Refusal } from '../machine/model.ts';
import { type Firmware, flatLayout } from '../storage/flat-layout.ts';
import type { ImageContent } from './image-content.ts';

export interface PlannedMachine {
  hostname: string;
  /** amd64/generic */
  architecture: string;
  firmware: Firmware | 'unknown';
  /** Empty or `manual`: no BMC. */
  powerType: string;
  powerState: string;
  /** The system runs from memory: no disk is written. */
  ephemeral: boolean;
  /** It is on, and its agent waits for work (fast track). */
  agentWaits: boolean;
  /** The installed system is started by kexec. */
  kexec: boolean;
}

export interface PlannedImage {
  /** os/release */
  name: string;
  arch: string;
  format: 'tar.zst' | 'tgz' | 'squashfs' | 'raw.zst';
  /** Bytes that go over the network. */
  size: number;
  /** Null: built by Ingot, which knows what is in it. */
  content: ImageContent | null;
}

export interface PlannedDisk {
  name: string;
  model: string | null;
  serial: string | null;
  /** Bytes. */
  size: number;
}

export interface PlannedInterface {
  name: string;
  mac: string;
  /** Boots from the network by this one. */
  boot: boolean;
  links: { mode: string; subnet: string | null; address: string | null }[];
}

export interface DeployPlanInput {
  machine: PlannedMachine;
  /** Null: there is no such image; the lifecycle says so itself. */
  image: PlannedImage | null;
  /** The disk that is written first, then those that are left alone. */
  disks: readonly PlannedDisk[];
  interfaces: readonly PlannedInterface[];
}

export interface PlanStep {
  area: 'power' | 'boot' | 'disk' | 'network' | 'system';
  text: string;
}

/** A refusal stops the deployment before anything is touched, a warning does not. */
export interface PlanFinding extends Refusal {
  severity: 'refusal' | 'warning';
}

export interface DeployPlan {
  steps: PlanStep[];
  findings: PlanFinding[];
}

const LOADER_PACKAGES = {
  bios: 'grub2-common and grub-pc-bin (a disk image: GRUB in its MBR)',
  uefi: 'grub-efi-amd64-signed and shim-signed (a disk image: an EFI system partition with EFI/BOOT/BOOTX64.EFI)',
};

/** What a deployment will do to power, disks and network, and what speaks against it. Touches and asks nothing. */
export function planDeploy(input: DeployPlanInput): DeployPlan {
  const firmware = input.machine.firmware === 'unknown' ? 'bios' : input.machine.firmware;
  return {
    steps: [
      ...powerSteps(input.machine),
      ...diskSteps(input, firmware),
      ...networkSteps(input.interfaces),
      ...systemSteps(input, firmware),
    ],
    findings: [
      ...imageFindings(input, firmware),
      ...diskFindings(input, firmware),
      ...machineFindings(input.machine),
    ].sort((a, b) => order(a) - order(b)),
  };
}

const order = ({ severity }: PlanFinding): number => (severity === 'refusal' ? 0 : 1);

function finding(code: Code, params: Params): PlanFinding {
  const severity = entryOf(code)?.kind === 'warning' ? 'warning' : 'refusal';
  return { severity, ...refusal(code, params) };
}

const byHand = ({ powerType }: PlannedMachine): boolean => powerType === '' || powerType === 'manual';

function powerSteps(machine: PlannedMachine): PlanStep[] {
  // What runs from memory is booted anew in any case.
  if (machine.agentWaits && !machine.ephemeral) {
    const text =
      'It is on and its agent waits for work (fast track): it is not booted, unless the agent does not answer.';
    return [{ area: 'power', text }];
  }
  const on = machine.powerState === 'on';
  const how = byHand(machine)
    ? 'Somebody switches it on, set to boot from the network once'
    : `Its BMC (${machine.powerType}) ${on ? 'switches it off and on again' : 'switches it on'}, to boot from the network`;
  return [
    { area: 'power', text: `${how}.` },
    { area: 'boot', text: 'The ephemeral system starts from the network and runs in memory.' },
  ];
}

function diskSteps({ machine, image, disks }: DeployPlanInput, firmware: Firmware): PlanStep[] {
  const [target, ...others] = disks;
  const step = (text: string): PlanStep => ({ area: 'disk', text });
  const left = others.map((disk) => step(`Disk ${describe(disk)} is left as it is.`));
  if (machine.ephemeral) {
    return disks.map((disk) => step(`Disk ${describe(disk)} is left as it is: the system runs from memory.`));
  }
  if (target === undefined || image === null) return left;
  const gone = step(`Everything on disk ${describe(target)} is lost.`);
  const { content } = image;
  if (image.format === 'raw.zst') return [gone, ...wholeDisk(image, target, step), ...left];
  const layout = flatLayout(target.size, firmware);
  if (!layout.ok) return left;
  const partitions = layout.partitions.map(({ number, role, size, filesystem, mountPoint }) => {
    const what = role === 'bios_grub' ? "GRUB's core" : `${filesystem} on ${mountPoint}`;
    return step(`Partition ${number} of ${target.name}: ${bytes(size)}, ${what}.`);
  });
  const unpack = step(
    `${image.name}${named(content)} is unpacked there: ${bytes(image.size)} are fetched from the rack.`,
  );
  return [gone, ...partitions, unpack, ...left];
}

function wholeDisk(image: PlannedImage, target: PlannedDisk, step: (text: string) => PlanStep): PlanStep[] {
  const disk = image.content?.disk;
  const size = disk ? bytes(disk.size) : 'all of it';
  const steps = [
    step(`Disk image ${image.name}${named(image.content)} is written to ${target.name}: ${size}, its own partitions.`),
  ];
  if (disk?.table !== 'gpt') return steps;
  steps.push(step(`The second copy of the partition table moves to the end of ${target.name}.`));
  const { root } = disk;
  if (root?.last && target.size > disk.size) {
    steps.push(step(`Partition ${root.number} (${root.filesystem}) grows to the end of the disk.`));
  }
  return steps;
}

function networkSteps(interfaces: readonly PlannedInterface[]): PlanStep[] {
  return interfaces.map(({ name, mac, boot, links }) => {
    const said = links.map(({ mode, subnet, address }) => {
      const where = subnet === null ? '' : ` in ${subnet}`;
      if (address !== null) return `${address}${where}`;
      if (mode === 'dhcp') return `by DHCP${where}`;
      if (mode === 'auto') return `an address chosen at deployment${where}`;
      return `no address${where}`;
    });
    const text = `${name} (${mac}${boot ? ', boots by it' : ''}): ${said.join('; ') || 'not configured'}.`;
    return { area: 'network', text };
  });
}

function systemSteps({ machine, image }: DeployPlanInput, firmware: Firmware): PlanStep[] {
  const told = `cloud-init is told its metadata, the network and ${machine.hostname} as its name.`;
  const step = (text: string): PlanStep => ({ area: 'system', text });
  if (machine.ephemeral) return [step(told)];
  const loader =
    image?.format === 'raw.zst'
      ? firmware === 'uefi'
        ? "The firmware gets a boot entry for the disk's own loader."
        : "The disk's own boot code is used as it is."
      : firmware === 'uefi'
        ? 'shim and GRUB are put on the EFI system partition; the firmware gets a boot entry for the disk.'
        : 'GRUB is written to the start of the disk.';
  const start = machine.kexec
    ? "The agent starts the disk's kernel by kexec, without a reset; where that cannot be loaded, the machine starts again from its disk."
    : 'The machine starts again from its disk.';
  return [step(told), step(loader), step(start)];
}

function imageFindings({ machine, image }: DeployPlanInput, firmware: Firmware): PlanFinding[] {
  if (image === null) return [];
  const architecture = machine.architecture;
  if (architecture !== '' && architecture.split('/')[0] !== image.arch) {
    return [finding('image.arch', { image: image.name, architecture })];
  }
  const { content } = image;
  if (content === null || machine.ephemeral) return [];
  const name = image.name;
  const found: PlanFinding[] = [];
  if (content.shape === 'disk' && content.disk?.root === null) found.push(finding('image.no_root', { image: name }));
  if (content.shape === 'tree' && content.kernels?.length === 0)
    found.push(finding('image.no_kernel', { image: name }));
  if (content.boots[firmware] === false) {
    const params = {
      image: name,
      firmware: firmware === 'uefi' ? 'UEFI' : 'BIOS',
      packages: LOADER_PACKAGES[firmware],
    };
    found.push(finding('image.no_loader', params));
  }
  if (content.cloudInit === false) found.push(finding('image.no_cloud_init', { image: name }));
  if (content.initrdMaker === false) found.push(finding('image.no_initrd_maker', { image: name }));
  if (content.cloudInit === null && content.disk?.root) {
    const why = `its root file system is ${content.disk.root.filesystem}, which the region cannot read`;
    found.push(finding('image.not_inspected', { image: name, why }));
  }
  return found;
}

function diskFindings({ machine, image, disks }: DeployPlanInput, firmware: Firmware): PlanFinding[] {
  const [target] = disks;
  if (target === undefined || image === null || machine.ephemeral) return [];
  if (image.format !== 'raw.zst') {
    const layout = flatLayout(target.size, firmware);
    return layout.ok ? [] : [finding('install.disk_too_small', { detail: layout.message })];
  }
  const needed = image.content?.disk?.size ?? 0;
  if (target.size >= needed) return [];
  const detail = `disk ${target.name} has ${target.size} bytes, disk image ${image.name} has ${needed}.`;
  return [finding('install.disk_too_small', { detail })];
}

function machineFindings(machine: PlannedMachine): PlanFinding[] {
  const found: PlanFinding[] = [];
  if (byHand(machine)) found.push(finding('plan.power_by_hand', { machine: machine.hostname }));
  if (machine.firmware === 'unknown') found.push(finding('plan.firmware_unknown', { machine: machine.hostname }));
  return found;
}

function describe({ name, model, serial, size }: PlannedDisk): string {
  const words = [model, serial === null ? null : `serial ${serial}`].filter((word) => word !== null && word !== '');
  return `${name} (${[bytes(size), ...words].join(', ')})`;
}

const named = (content: ImageContent | null): string => (content?.system ? ` (${content.system})` : '');

/** Binary units with one digit where it says something. */
function bytes(value: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  let [amount, unit] = [value, 0];
  for (; amount >= 1024 && unit < units.length - 1; unit += 1) amount /= 1024;
  return `${Number(amount.toFixed(amount < 10 && unit > 0 ? 1 : 0))} ${units[unit]}`;
}
