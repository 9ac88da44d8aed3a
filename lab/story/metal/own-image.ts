import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { command } from '../../run/command.ts';
import { buildImage } from '../images.ts';
import * as job from '../main-job.ts';
import type { MetalStory, Scene } from './metal.ts';
import { attemptOf, demand, evidenceOf, powerChanges, STAY_MINUTES, showMachine, waitsForWork } from './witness.ts';

const PACK_LIMIT_MS = 20 * 60_000;
const IMAGE = 'custom/tree';

/** How a tree is packed: $1 is our own image (.tar.zst), $2 the file to make. */
const PACK = {
  tgz: 'zstd -dcq "$1" | gzip -1 >"$2"',
  squashfs: `mkdir "$2.tree"; tar --zstd --xattrs --numeric-owner -xpf "$1" -C "$2.tree"
    mksquashfs "$2.tree" "$2" -quiet -no-progress -comp zstd -Xcompression-level 1; rm -rf "$2.tree"`,
};

/**
 * A machine with an NVMe disk, on every side path of one life: found, commissioned and deployed in a single start of its
 * firmware (fast track), with an image that a person uploaded, started by kexec; and erased by the disk itself.
 */
export const ownImage = (format: keyof typeof PACK): MetalStory => ({
  wish: { cores: 1, memoryMiB: 2048, diskBus: 'nvme' },
  tell: async (scene) => {
    const { lab, ingot, story, hands, spec, say } = scene;
    await uploadTree(scene, format);
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

    await scene.ingotCommand('release', machine.hostname, '--erase', '--secure-erase');
    await job.comesBackErased(story, machine);
    await showMachine(scene, machine);
    const erase = await attemptOf(scene, machine, 'erase');
    const said = (await evidenceOf(scene, machine, erase)).map(({ text }) => text).join('\n');
    demand(/nvme0n1: securely erased by its firmware/.test(said), `nothing says how the disk was erased:\n${said}`);
    say('the disk erased itself, and the timeline says so; every sector reads zero');
  },
});

/** The tree of the usual image, packed as people pack theirs; it is the only image that this region has. */
async function uploadTree(scene: Scene, format: keyof typeof PACK): Promise<void> {
  const { checkout, cache, stateDir, say } = scene;
  const handOver = path.join(stateDir, 'images');
  const built = await buildImage('deploy', { checkout, cache, handOver, onProgress: () => {} });
  const packed = path.join(stateDir, `tree.${format}`);
  await command(['sh', '-ec', PACK[format], 'sh', built.files[0]?.path ?? '', packed], PACK_LIMIT_MS);
  say((await scene.ingotCommand('images', 'upload', packed, '--name', IMAGE)).trim());
}

/** The person's press of the button is the only one; nothing was reset; the timeline says who started what. */
async function demandOneStart(scene: Scene, machine: job.StoryMachine, sinceMs: number): Promise<void> {
  const { lab, spec } = scene;
  const changes = await powerChanges(lab, spec.name, sinceMs);
  demand(changes.length === 0, `the BMC was told ${changes.join(', ')}`);
  const firmware = (await readFile(lab.serialLog(spec.name), 'utf8')).split('boot.ipxe : ').length - 1;
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
