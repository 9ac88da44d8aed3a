import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { command } from '../../run/command.ts';
import { waitFor } from '../../run/wait.ts';
import { buildImage } from '../images.ts';
import * as job from '../main-job.ts';
import { inspectDisk } from '../raw-disk.ts';
import { runOnMachine } from '../ssh.ts';
import type { MetalStory, Scene } from './metal.ts';
import { attemptOf, demand, evidenceOf, powerChanges, STAY_MINUTES, showMachine, waitsForWork } from './witness.ts';

const PACK_LIMIT_MS = 20 * 60_000;
const IMAGE = 'custom/tree';

/**
 * A machine with an NVMe disk, on every side path of one life: found, commissioned and deployed in a single start of its
 * firmware (fast track), with an image that a person uploaded (.tgz), started by kexec; then released by the disk's own erase.
 */
export const ownImage: MetalStory = {
  wish: { cores: 1, memoryMiB: 2048, diskBus: 'nvme', spareMiB: 512 },
  tell: async (scene) => {
    const { lab, ingot, story, hands, spec, say } = scene;
    await uploadTree(scene);
    story.imageName = IMAGE;
    await ingot.api.setSettings({ fast_track: STAY_MINUTES, kexec: true });
    await ingot.api.serve(lab.cidr, lab.dynamic.start, lab.dynamic.end);
    await lab.pressPower(spec.name);
    const on = Date.now();
    const machine = await job.enlisted(story, spec);
    await waitsForWork(scene, machine);
    say(`${machine.hostname} has enlisted and stays on`);
    await job.commission(story, machine, hands);
    await waitsForWork(scene, machine);
    say('commissioned without a boot, and stays on');

    say(await scene.ingotCommand('deploy', machine.hostname, '--image', IMAGE, '--plan'));
    await job.startDeploy(story, machine, hands);
    await job.reach(story, machine, 'DEPLOYED', job.LIMIT_MS.deploy);
    await job.visit(story, machine);
    await showMachine(scene, machine);
    say('deployed without a boot; its owner is in by SSH, with the user-data');
    await demandOneStart(scene, machine, on);
    await release(scene, machine);
  },
};

/** The tree of the usual image, packed as people pack theirs; it is the only image that this region has. */
async function uploadTree(scene: Scene): Promise<void> {
  const { checkout, cache, stateDir, say } = scene;
  const handOver = path.join(stateDir, 'images');
  const built = await buildImage('deploy', { checkout, cache, handOver, onProgress: () => {} });
  const tgz = path.join(stateDir, 'tree.tgz');
  const pack = 'zstd -dcq "$1" | gzip -1 >"$2"';
  await command(['sh', '-ec', pack, 'sh', built.files[0]?.path ?? '', tgz], PACK_LIMIT_MS);
  say((await scene.ingotCommand('images', 'upload', tgz, '--name', IMAGE)).trim());
}

/** The person's press of the button is the only one; nothing was reset; the timeline says who started what. */
async function demandOneStart(scene: Scene, machine: job.StoryMachine, sinceMs: number): Promise<void> {
  const { lab, spec } = scene;
  const changes = await powerChanges(lab, spec.name, sinceMs);
  demand(changes.length === 0, `the BMC was told ${changes.join(', ')}`);
  const firmware = (await readFile(lab.serialLog(spec.name), 'utf8')).split('boot.ipxe').length - 1;
  demand(firmware === 1, `the boot script was fetched ${firmware} times`);
  const deploy = await attemptOf(scene, machine, 'deploy');
  const names = deploy.phases.map(({ name }) => name);
  demand(names[0] === 'agent', `the deployment began with ${names[0]}, not with the agent that was there`);
  demand(names.includes('step:kexec'), `the deployment has no step kexec: ${names.join(', ')}`);
  const said = await evidenceOf(scene, machine, deploy);
  demand(
    said.some(({ kind }) => kind === 'agent.kexec'),
    'nothing says that the installed system was started by its own kernel',
  );
}

/** Marks on both disks, `release --secure-erase`, and a search from outside; the second disk has no erase of its own. */
async function release(scene: Scene, machine: job.StoryMachine): Promise<void> {
  const { lab, story, spec, say } = scene;
  const mark = `spare-${story.nonce}`;
  const script = `printf %s '${mark}' | dd of=/dev/vda bs=1M seek=100 conv=notrunc,fsync status=none`;
  await runOnMachine(`${story.sshConfig}-${machine.hostname}`, machine.hostname, script, 60_000);
  const written = await inspectDisk(lab.spareImage(spec.name), [mark]);
  demand(written.found[mark] !== -1, 'the mark is not on the second disk');
  say('marks are on both disks');

  await scene.ingotCommand('release', machine.hostname, '--erase', '--secure-erase');
  await job.reach(story, machine, 'READY', job.LIMIT_MS.release);
  await waitFor('the machine to be off', job.LIMIT_MS.firmwareOff * story.patience, async () =>
    (await lab.isOn(spec.name)) ? undefined : true,
  );
  await showMachine(scene, machine);
  const nvme = await inspectDisk(lab.diskImage(spec.name), [story.marks.file, story.marks.end]);
  demand(
    Object.values(nvme.found).every((at) => at === -1),
    'a mark is still on the NVMe disk',
  );
  demand(nvme.firstNonZero === null, `the NVMe disk is not zero at byte ${nvme.firstNonZero}`);
  const spare = await inspectDisk(lab.spareImage(spec.name), [mark]);
  demand(spare.firstNonZero === null, `the second disk is not zero at byte ${spare.firstNonZero}`);

  const attempt = await attemptOf(scene, machine, 'release');
  const said = (await evidenceOf(scene, machine, attempt)).map(({ text }) => text).join('\n');
  demand(/nvme0n1: securely erased by its firmware/.test(said), `nothing says how the NVMe was erased:\n${said}`);
  demand(/vda: no secure erase: /.test(said), `nothing says why the second disk was overwritten:\n${said}`);
  say('the NVMe erased itself, the other disk was overwritten, and the timeline says both');
}
