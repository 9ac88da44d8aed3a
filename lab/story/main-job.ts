import { randomBytes } from 'node:crypto';
import path from 'node:path';
import type { MachineDetail, MachineView } from '@ingot/contract/native.ts';
import type { Lab } from '../data-centre.ts';
import type { MachineSpec } from '../machine/spec.ts';
import { waitFor } from '../run/wait.ts';
import type { Hands, Named } from './hands.ts';
import type { Ingot } from './ingot-processes.ts';
import { inspectDisk } from './raw-disk.ts';
import { makeKey, runOnMachine, waitForLogin } from './ssh.ts';
import { timeline } from './waterfall.ts';

/** Three to four times what two machines at once took on two busy cores. */
export const LIMIT_MS = {
  enlist: 6 * 60_000,
  commission: 8 * 60_000,
  deploy: 15 * 60_000,
  login: 6 * 60_000,
  release: 10 * 60_000,
  firmwareOff: 60_000,
};

export interface StoryMachine extends Named {
  spec: MachineSpec;
}

export interface Story {
  lab: Lab;
  ingot: Ingot;
  /** Made in this run: key, user-data nonce and the marks that erasing has to remove. */
  keyFile: string;
  publicKey: string;
  nonce: string;
  marks: { file: string; end: string };
  sshConfig: string;
  imageName: string;
  /** Every limit is multiplied by this: more than 1 on a host that is busy with other things. */
  patience: number;
}

/** `name` tells stories on one region apart; each has a key, a nonce and marks of its own. */
export async function beginStory(
  lab: Lab,
  ingot: Ingot,
  imageName: string,
  name: string,
  patience = 1,
): Promise<Story> {
  const keyFile = path.join(ingot.stateDir, `${name}-key`);
  return {
    lab,
    ingot,
    imageName,
    patience,
    keyFile,
    publicKey: await makeKey(keyFile),
    nonce: randomBytes(16).toString('hex'),
    marks: { file: `mark-${randomBytes(16).toString('hex')}`, end: `mark-${randomBytes(16).toString('hex')}` },
    sshConfig: path.join(ingot.stateDir, `${name}-ssh_config`),
  };
}

/** Someone switches the server on. It has to introduce itself, and go off again. */
export async function enlist(story: Story, spec: MachineSpec): Promise<StoryMachine> {
  const { lab } = story;
  await lab.pressPower(spec.name);
  const machine = await enlisted(story, spec);
  await waitFor(`${spec.name} to switch itself off after enlisting`, LIMIT_MS.firmwareOff * story.patience, async () =>
    (await lab.isOn(spec.name)) ? undefined : true,
  );
  return machine;
}

/** A machine that is on has introduced itself. */
export async function enlisted({ ingot, patience }: Story, spec: MachineSpec): Promise<StoryMachine> {
  const detail = await waitFor(
    `${spec.name} (${spec.mac}) to enlist`,
    LIMIT_MS.enlist * patience,
    () => findByMac(ingot, spec.mac),
    1000,
  );
  return { systemId: detail.systemId, hostname: detail.hostname, spec };
}

async function findByMac(ingot: Ingot, mac: string): Promise<MachineDetail | undefined> {
  // The story may have switched the region off meanwhile.
  const machines = await ingot.api.machines().catch(() => []);
  for (const machine of machines) {
    const detail = await ingot.api.machine(machine.systemId);
    if (detail.interfaces.some((item) => item.mac.toLowerCase() === mac)) return detail;
  }
  return undefined;
}

export async function commission(story: Story, machine: StoryMachine, hands: Hands): Promise<void> {
  await hands.commission(machine);
  await reach(story, machine, 'READY', LIMIT_MS.commission);
}

/** What the run's dice decided has to be read back: it can only come from inside the machine. */
export async function compareHardware(story: Story, machine: StoryMachine): Promise<string[]> {
  const { spec } = machine;
  const seen = await story.ingot.api.machine(machine.systemId);
  const differences: string[] = [];
  const compare = (what: string, got: unknown, want: unknown) => {
    if (got !== want) differences.push(`${what}: API says ${String(got)}, the machine has ${String(want)}`);
  };
  compare('cores', seen.cpuCount, spec.cores);
  compare('memory in MiB', seen.memory, spec.memoryMiB);
  compare('disks', seen.disks.length, 1);
  compare('disk size', seen.disks[0]?.size, spec.diskMiB * 1024 * 1024);
  compare('disk serial', seen.disks[0]?.serial, spec.diskSerial);
  compare('MACs', seen.interfaces.map((item) => item.mac.toLowerCase()).join(), spec.mac);
  compare('firmware', seen.firmware, spec.firmware);
  compare('power type', seen.powerType, 'ipmi');
  compare('serial found', Object.values(seen.hardware).includes(spec.serial), true);
  return differences;
}

export function userData(story: Story): string {
  return `#cloud-config
write_files:
  - path: /var/lib/ingot-story-nonce
    content: ${story.nonce}
`;
}

/** Allocates and starts the deployment; `reach(DEPLOYED)` is the caller's, who may want to interfere meanwhile. */
export async function startDeploy(story: Story, machine: StoryMachine, hands: Hands): Promise<void> {
  await hands.allocate(machine);
  await reach(story, machine, 'ALLOCATED', 30_000);
  await hands.deploy(machine, story.imageName, userData(story));
}

/** The SSH configuration for a machine that has just let its owner in. */
export async function firstLogin(story: Story, machine: StoryMachine): Promise<string> {
  const { lab, ingot } = story;
  const { hostname } = machine;
  const view = await ingot.api.machine(machine.systemId);
  const address = view.addresses[0];
  if (address === undefined) throw new Error(`${hostname} is deployed and has no address`);
  const config = `${story.sshConfig}-${hostname}`;
  await lab.sshConfig(config, story.keyFile, 'debian', { [hostname]: address });
  const name = await waitForLogin(config, hostname, LIMIT_MS.login * story.patience);
  if (name !== hostname) throw new Error(`the machine calls itself ${name}, Ingot calls it ${hostname}`);
  return config;
}

/** An emulated processor's clock stands still while its host is busy. */
const CLOCK_DRIFT_SECONDS = 300;

/** Logs in by the run's key; checks host name, user-data and that its clock goes as it should; leaves the marks. */
export async function visit(story: Story, machine: StoryMachine): Promise<void> {
  const { lab, nonce, marks } = story;
  const { hostname, spec } = machine;
  const config = await firstLogin(story, machine);
  const read = await waitFor(`user-data on ${hostname}`, LIMIT_MS.login * story.patience, async () => {
    const text = await runOnMachine(config, hostname, 'cat /var/lib/ingot-story-nonce 2>/dev/null || true', 60_000);
    return text.trim() === '' ? undefined : text.trim();
  });
  if (read !== nonce) throw new Error(`user-data on ${hostname} reads ${read}, sent was ${nonce}`);
  const script = `
disk=/dev/$(lsblk -dno NAME,SERIAL | awk '$2 == "${spec.diskSerial}" {print $1}')
printf %s '${marks.file}' > /root/marker
printf %s '${marks.end}' | dd of="$disk" bs=1M seek=${spec.diskMiB - 1} conv=notrunc,fsync status=none
sync
date +%s
`;
  const seconds = Number(await runOnMachine(config, hostname, script, 60_000));
  const offBy = seconds - Date.now() / 1000 - spec.clockOffSeconds;
  if (!(Math.abs(offBy) < CLOCK_DRIFT_SECONDS))
    throw new Error(`the clock of ${hostname} is ${offBy} s from where it was set`);
  const disk = await inspectDisk(lab.diskImage(spec.name), [marks.file, marks.end]);
  // Otherwise the search after erasing would prove nothing.
  if (Object.values(disk.found).includes(-1)) throw new Error(`the marks are not on the disk of ${hostname}`);
}

export async function releaseErasing(story: Story, machine: StoryMachine, hands: Hands): Promise<void> {
  await hands.releaseErasing(machine);
  await comesBackErased(story, machine);
}

/** Ready, off, and every sector of its disk reads zero. */
export async function comesBackErased(story: Story, machine: StoryMachine): Promise<void> {
  const { lab, marks } = story;
  await reach(story, machine, 'READY', LIMIT_MS.release);
  await waitFor(`${machine.hostname} to be off`, LIMIT_MS.firmwareOff * story.patience, async () =>
    (await lab.isOn(machine.spec.name)) ? undefined : true,
  );
  const disk = await inspectDisk(lab.diskImage(machine.spec.name), [marks.file, marks.end]);
  if (disk.firstNonZero !== null) {
    throw new Error(`the erased disk of ${machine.hostname} is not zero at byte ${disk.firstNonZero} of ${disk.bytes}`);
  }
}

/**
 * Waits for a status, at most `timeoutMs` times the story's patience; a failed one ends the wait at once, with the attempt's
 * timeline in the message.
 */
export async function reach(
  story: Story,
  machine: Named,
  status: MachineView['status'],
  timeoutMs: number,
): Promise<MachineView> {
  let seen: MachineView | undefined;
  try {
    return await waitFor(
      `${machine.hostname} to be ${status}`,
      timeoutMs * story.patience,
      async () => {
        // The region may be away for a while (the story kills it); the deadline bounds that too.
        seen = await story.ingot.api.machine(machine.systemId).catch(() => seen);
        if (seen?.status === status) return seen;
        if (seen && (seen.status.startsWith('FAILED') || seen.status === 'BROKEN')) {
          throw new Error(`${machine.hostname} is ${seen.statusName}, not ${status}: ${seen.errorDescription}`);
        }
        return undefined;
      },
      500,
    );
  } catch (error) {
    throw await withTimeline(story, machine, error);
  }
}

/** The error with what the machine's newest attempt says; as it is when it says that already. */
export async function withTimeline(story: Story, machine: Named, error: unknown): Promise<Error> {
  if (error instanceof WithTimeline) return error;
  const message = error instanceof Error ? error.message : String(error);
  const told = await explainAttempt(story, machine);
  return new WithTimeline(`${message}\n${told}`);
}

class WithTimeline extends Error {}

async function explainAttempt(story: Story, machine: Named): Promise<string> {
  try {
    const [newest] = await story.ingot.api.attempts(machine.systemId);
    if (!newest) return 'no attempt was begun';
    return timeline(newest, await story.ingot.api.evidence(machine.systemId, newest.id));
  } catch (error) {
    return `and the region does not say why: ${error instanceof Error ? error.message : String(error)}`;
  }
}
