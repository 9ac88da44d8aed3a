import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { type Lab, startLab } from '@ingot/lab/data-centre.ts';
import { clearLeftovers, type Ledger, openLedger } from '@ingot/lab/run/ledger.ts';
import { waitFor } from '@ingot/lab/run/wait.ts';
import { createDice } from '@ingot/lab/sim/dice.ts';
import { freePort } from '@ingot/lab/sim/site.ts';
import { cliHands, type Hands } from '@ingot/lab/story/hands.ts';
import { provideImages } from '@ingot/lab/story/images.ts';
import { type Ingot, startIngot } from '@ingot/lab/story/ingot-processes.ts';
import {
  beginStory,
  compareHardware,
  enlist,
  LIMIT_MS,
  reach,
  releaseErasing,
  type Story,
  type StoryMachine,
  startDeploy,
  userData,
  visit,
} from '@ingot/lab/story/main-job.ts';
import { waitForLogin } from '@ingot/lab/story/ssh.ts';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { operator, startBrowser } from '../../web/testing/browser.ts';
import { type Blow, type Storm, startStorm } from '../faults/storm.ts';

// The main job on real firmware: SeaBIOS by command line, OVMF by browser. Each test is one step of a machine's life and
// stands on the one before; after a failure the rest of that machine's steps fail with it.
const checkout = path.resolve(import.meta.dirname, '../..');
const cache = process.env.INGOT_CACHE ?? '/var/cache/ingot';

let ledger: Ledger;
let lab: Lab;
let ingot: Ingot;
let imageName: string;
const password = randomBytes(12).toString('base64url');

function specOf(name: string) {
  const spec = lab.machines.find((machine) => machine.name === name);
  if (!spec) throw new Error(`the lab has no ${name}`);
  return spec;
}

/** What the BMC was told about the power of a machine since `sinceMs`. */
async function powerChanges(name: string, sinceMs: number): Promise<string[]> {
  const calls = await lab.powerCalls(name);
  return calls.filter(({ atMs, call }) => atMs >= sinceMs && /^set (power|reset)/.test(call)).map(({ call }) => call);
}

/** The agent's own words on the machine's console, after the first `from` characters. */
async function standsBeforeSilentRegion(name: string, from: number): Promise<void> {
  await waitFor(`the agent of ${name} to stand before a silent region`, LIMIT_MS.enlist, async () => {
    const console = await readFile(lab.serialLog(name), 'utf8').catch(() => '');
    return console.slice(from).includes('waiting for the region') ? true : undefined;
  });
}

/** IPMI sessions that a machine's BMC has let in over the network, by its own log. */
async function bmcSessions(name: string): Promise<number> {
  return (await readFile(lab.bmcLog(name), 'utf8')).split('Activate session: Session started').length - 1;
}

/** Pids of the Kea of this lab's rack; its program lies in the rack's own directory. */
async function keaPids(): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const programs = await Promise.all(
    pids.map(async (pid) => (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0')[0] ?? ''),
  );
  const isOurs = (program = '') => program.startsWith(`${ingot.stateDir}/`) && program.endsWith('/kea-dhcp4');
  return pids.filter((_, at) => isOurs(programs[at])).map(Number);
}

/** kill -9 of Kea every few seconds; after each it has to be there again. */
function keaStorm(seed: number): Storm {
  const kill: Blow = {
    name: 'kea',
    async strike() {
      for (const pid of await keaPids()) process.kill(pid, 'SIGKILL');
    },
  };
  const answers = async () => {
    const [pid] = await keaPids();
    if (pid === undefined) throw new Error('Kea is away');
    return pid;
  };
  return startStorm({ kinds: [kill], dice: createDice(seed), betweenMs: [3000, 12_000], most: 40, answers });
}

/** A machine that runs has what a real one has: firmware, network card, BMC; nothing comes to it past these. */
async function expectNothingHandedIn(name: string): Promise<void> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')));
  const disk = lab.diskImage(name);
  const ours = lines
    .map((line) => line.replaceAll('\0', ' '))
    .filter((line) => /^\S*qemu-system/.test(line) && line.includes(disk));
  expect(ours).toHaveLength(1);
  expect(ours[0]).not.toMatch(/ -(kernel|initrd|append|virtfs|fsdev)\b|hostfwd|virtio-9p|virtiofs|vhost-user/);
}

beforeAll(async () => {
  await clearLeftovers(checkout);
  ledger = await openLedger(checkout, { owned: true });
  const stateDir = await mkdtemp('/var/tmp/ingot-story-');
  await ledger.addFolder(stateDir);
  lab = await startLab({
    checkout,
    ledger,
    stateDir: path.join(stateDir, 'lab'),
    machines: [
      // A clock an hour behind and one an hour ahead, for all of their lives.
      { name: 'amber', firmware: 'bios', clockOffSeconds: -3600 },
      { name: 'birch', firmware: 'uefi', clockOffSeconds: 3600 },
    ],
  });
  ingot = await startIngot({
    checkout,
    ledger,
    lab,
    stateDir,
    port: await freePort(),
    admin: { username: 'admin', password },
  });
  imageName = await provideImages(ingot.api, {
    checkout,
    cache,
    handOver: path.join(stateDir, 'images'),
    onProgress: () => {},
  });
  await ingot.api.serve(lab.cidr, lab.dynamic.start, lab.dynamic.end);
}, 20 * 60_000);

afterAll(async () => {
  await ledger?.clear();
}, 60_000);

describe('a BIOS machine, by command line', () => {
  let story: Story;
  let machine: StoryMachine;
  let hands: Hands;

  test('is found when someone switches it on', { timeout: LIMIT_MS.enlist + 120_000 }, async () => {
    hands = cliHands(ingot);
    story = await beginStory(lab, ingot, imageName, 'cli');
    await hands.addSshKey(story.publicKey);
    machine = await enlist(story, specOf('amber'));
    expect((await ingot.api.machine(machine.systemId)).status).toBe('NEW');
    // Nobody has accepted it yet, so nobody has spoken with its BMC: it was the button.
    expect(await bmcSessions('amber')).toBe(0);
  });

  /**
   * @fault the region is killed with kill -9 during a commissioning and stays away
   * @sees the machine boots on and its agent waits, saying so on its console; the attempt goes on when the region is back
   * @ends Ready, with one power-on in the BMC's log, and the hardware as it is
   */
  test('is commissioned through its BMC although the region dies meanwhile, and what it is reads as the dice fell', {
    timeout: LIMIT_MS.commission + 180_000,
  }, async () => {
    const since = Date.now();
    await hands.commission(machine);
    await waitFor('the kernel to be fetched', LIMIT_MS.commission, async () => {
      const [attempt] = await ingot.api.attempts(machine.systemId);
      return attempt?.phases.some((phase) => phase.name === 'kernel') ? true : undefined;
    });
    const said = (await readFile(lab.serialLog('amber'), 'utf8')).length;
    process.kill(await ingot.regionPid(), 'SIGKILL');
    await ingot.stopRegion();
    try {
      await standsBeforeSilentRegion('amber', said);
      await expectNothingHandedIn('amber');
    } finally {
      await ingot.startRegion();
    }
    await reach(story, machine, 'READY', LIMIT_MS.commission);
    expect(await compareHardware(story, machine)).toEqual([]);
    expect((await powerChanges('amber', since)).filter((call) => call === 'set power 1')).toHaveLength(1);
    expect(await bmcSessions('amber')).toBeGreaterThan(0);
  });

  test('survives kill -9 of the region while installing, without a second power cycle', {
    timeout: LIMIT_MS.deploy + 120_000,
  }, async () => {
    const since = Date.now();
    await startDeploy(story, machine, hands);
    await waitFor('an install step', LIMIT_MS.deploy, async () => {
      const [attempt] = await ingot.api.attempts(machine.systemId);
      return attempt?.phases.some((phase) => phase.name.startsWith('step:')) ? true : undefined;
    });
    // A machine that was still switching itself off when the deployment began is put through a cycle: off, on.
    const switched = await powerChanges('amber', since);
    expect(['set power 1', 'set power 0, set power 1']).toContain(switched.join(', '));
    const pid = await ingot.regionPid();
    process.kill(pid, 'SIGKILL');
    await waitFor('the region to answer again', 30_000, () => ingot.api.machines().catch(() => undefined));
    expect(await ingot.regionPid()).not.toBe(pid);
    await reach(story, machine, 'DEPLOYED', LIMIT_MS.deploy);
    expect(await powerChanges('amber', since)).toEqual(switched);
  });

  /**
   * @fault The clock of a machine is an hour off, all its life: one machine's behind, another's ahead.
   * @sees Nothing. Its own system keeps the wrong time, for here it hears of no other.
   * @ends Enlisted, commissioned, deployed, let in and erased as any other.
   */
  test('lets its owner in by key, with their user-data', { timeout: 2 * LIMIT_MS.login + 120_000 }, async () => {
    await visit(story, machine);
  });

  test('ends its first boot with cloud-init’s last word', { timeout: LIMIT_MS.login + 60_000 }, async () => {
    const attempt = await waitFor('the deployment attempt to end', LIMIT_MS.login, async () => {
      const [newest] = await ingot.api.attempts(machine.systemId);
      return newest?.endedAt ? newest : undefined;
    });
    expect([attempt.kind, attempt.outcome]).toEqual(['deploy', 'passed']);
  });

  test('starts from its disk while the region is away', { timeout: LIMIT_MS.login + 120_000 }, async () => {
    await ingot.stopRegion();
    try {
      await lab.pressPower('amber', 'off');
      await lab.pressPower('amber', 'on');
      const name = await waitForLogin(`${story.sshConfig}-${machine.hostname}`, machine.hostname, LIMIT_MS.login);
      expect(name).toBe(machine.hostname);
    } finally {
      await ingot.startRegion();
    }
  });

  test('comes back erased: every sector reads zero', { timeout: LIMIT_MS.release + 120_000 }, async () => {
    await releaseErasing(story, machine, hands);
  });
});

describe('a UEFI machine, from the browser', () => {
  let story: Story;
  let machine: StoryMachine;
  let browser: Browser;
  let storm: Storm | null = null;
  let person: ReturnType<typeof operator>;

  beforeAll(async () => {
    story = await beginStory(lab, ingot, imageName, 'browser');
    browser = await startBrowser();
    const page = await browser.newPage();
    person = operator(page, ingot.url.replace(/\/$/, ''));
    await person.signIn('admin', password);
    await person.addKey(story.publicKey);
  }, 60_000);
  afterAll(async () => {
    await storm?.end();
    await browser?.close();
  });

  test('is found when someone switches it on while the region is away: by OVMF’s own PXE client, and it waits', {
    timeout: LIMIT_MS.enlist + 180_000,
  }, async () => {
    await ingot.stopRegion();
    const found = enlist(story, specOf('birch'));
    // Refused meanwhile is what enlist() waits through; it must not be an unhandled rejection before it is awaited.
    found.catch(() => undefined);
    try {
      await standsBeforeSilentRegion('birch', 0);
    } finally {
      await ingot.startRegion();
    }
    machine = await found;
    await person.openMachine(machine.hostname);
  });

  test('is commissioned', { timeout: LIMIT_MS.commission + 60_000 }, async () => {
    await person.act('Commission');
    await person.waitForStatus('Ready', LIMIT_MS.commission);
    expect(await compareHardware(story, machine)).toEqual([]);
  });

  /**
   * @fault Kea is killed with -9 every few seconds at seeded random moments from the order to deploy a machine until it has
   * installed and started its own system.
   * @sees Nothing; the rack starts Kea again.
   * @ends Deployed by one power-on, and reachable by SSH at the address that it was given.
   */
  test('is deployed with user-data, though Kea dies again and again', {
    timeout: LIMIT_MS.deploy + 120_000,
  }, async () => {
    await person.act('Allocate');
    await person.waitForStatus('Allocated', 30_000);

    const since = Date.now();
    storm = keaStorm(20260308);
    await person.act('Deploy', (page) => page.getByLabel('User-data').fill(userData(story)));
    await person.waitForStatus('Deployed', LIMIT_MS.deploy);
    expect((await powerChanges('birch', since)).filter((call) => call === 'set power 1')).toHaveLength(1);
  });

  test('lets its owner in by key, with their user-data', { timeout: 2 * LIMIT_MS.login + 120_000 }, async () => {
    await visit(story, machine);
    await storm?.end();
    expect(storm?.blows.length).toBeGreaterThan(5);
  });

  test('comes back erased: every sector reads zero', { timeout: LIMIT_MS.release + 120_000 }, async () => {
    await releaseErasing(story, machine, {
      ...cliHands(ingot),
      releaseErasing: async () => {
        await person.act('Release', (page) => page.getByLabel('Erase the disks').check());
      },
    });
    await person.waitForStatus('Ready', 30_000);
  });
});
