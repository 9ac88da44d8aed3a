import { readFile } from 'node:fs/promises';
import { provideImage } from '../images.ts';
import * as job from '../main-job.ts';
import { runOnMachine } from '../ssh.ts';
import type { MetalStory, Scene } from './metal.ts';
import { attemptOf, demand, evidenceOf, showMachine } from './witness.ts';

const LOOK_MS = 60_000;
const SIZE = { cores: 1, memoryMiB: 2048, diskMiB: 4096 };

/** A whole life by the firmware's own HTTP client: it never asks for a file by TFTP. */
export const httpBoot: MetalStory = {
  firmware: 'uefi',
  wish: { ...SIZE, networkBoot: 'http' },
  tell: async (scene) => {
    const machine = await comesToLife(scene);
    const commission = await whatWasRead(scene, machine, 'commission');
    demand(
      commission.some((line) => line.startsWith('GET /snponly.efi 200 ')),
      `the commissioning read ${commission.join(', ')}`,
    );
    for (const kind of ['commission', 'deploy'] as const) {
      const read = await whatWasRead(scene, machine, kind);
      demand(!read.some((line) => line.startsWith('TFTP ')), `the ${kind} read ${read.join(', ')}`);
    }
    scene.say('found, commissioned and deployed by UEFI HTTP boot; no file by TFTP');
    await job.releaseErasing(scene.story, machine, scene.hands);
    scene.say('released, every sector reads zero');
  },
};

/** What the kernel of the installed system says of its firmware, a line each. */
const ENFORCED = `
od -An -tu1 /sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c | awk '{print "SecureBoot", $NF}'
od -An -tu1 /sys/firmware/efi/efivars/SetupMode-8be4df61-93ca-11d2-aa0d-00e098032b8c | awk '{print "SetupMode", $NF}'
grep -o '[[][a-z]*]' /sys/kernel/security/lockdown | sed 's/^/lockdown /'
`;

/** A whole life on a machine that starts nothing unsigned, neither from the network nor from its disk. */
export const secureBoot: MetalStory = {
  firmware: 'uefi',
  wish: { ...SIZE, secureBoot: true },
  tell: async (scene) => {
    const { ingot, lab, spec, story, say } = scene;
    await ingot.api.setSettings({ uefi_boot_chain: 'signed' });
    const machine = await comesToLife(scene);
    const read = await whatWasRead(scene, machine, 'deploy');
    for (const file of ['shimx64.efi', 'grubx64.efi']) {
      demand(
        read.some((line) => line.startsWith('TFTP ') && line.includes(`${file} sent`)),
        `the deployment read ${read.join(', ')}`,
      );
    }
    const console = await readFile(lab.serialLog(spec.name), 'utf8');
    const enforced = console.split('EFI stub: UEFI Secure Boot is enabled').length - 1;
    demand(enforced >= 3, `${enforced} kernels said that Secure Boot is on`);
    const config = await job.firstLogin(story, machine);
    const said = (await runOnMachine(config, machine.hostname, ENFORCED, LOOK_MS)).trim();
    demand(
      /^SecureBoot 1\nSetupMode 0\nlockdown \[(integrity|confidentiality)\]$/.test(said),
      `the system says: ${said}`,
    );
    say(`found, commissioned and deployed with Secure Boot enforced; the installed system says:\n${said}`);
    await job.releaseErasing(story, machine, scene.hands);
    say('released, every sector reads zero');
  },
};

/** From the button to its owner's login. */
async function comesToLife(scene: Scene): Promise<job.StoryMachine> {
  const { lab, ingot, story, hands, spec, say, checkout, cache, stateDir } = scene;
  const images = { checkout, cache, handOver: `${stateDir}/images`, onProgress: () => {} };
  story.imageName = await provideImage(ingot.api, 'deploy', images);
  await ingot.api.serve(lab.cidr, lab.dynamic.start, lab.dynamic.end);
  const machine = await job.enlist(story, spec);
  say(`${machine.hostname} has enlisted`);
  await job.commission(story, machine, hands);
  say('commissioned');
  await job.startDeploy(story, machine, hands);
  await job.reach(story, machine, 'DEPLOYED', job.LIMIT_MS.deploy);
  await job.visit(story, machine);
  await showMachine(scene, machine);
  say('deployed; its owner is in by SSH, with the user-data');
  return machine;
}

/** What the rack says the machine read in its newest attempt of a kind, as it stands in the timeline. */
async function whatWasRead(scene: Scene, machine: job.StoryMachine, kind: 'commission' | 'deploy'): Promise<string[]> {
  const evidence = await evidenceOf(scene, machine, await attemptOf(scene, machine, kind));
  return evidence.filter((each) => /^(tftp|http)\.read$/.test(each.kind)).map(({ text }) => text);
}
