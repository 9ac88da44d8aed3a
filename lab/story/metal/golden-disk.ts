import path from 'node:path';
import { command } from '../../run/command.ts';
import { provideImage } from '../images.ts';
import * as job from '../main-job.ts';
import type { MetalStory } from './metal.ts';
import { showMachine } from './witness.ts';

const PACK_LIMIT_MS = 20 * 60_000;
const IMAGE = 'custom/disk';

/** How a disk is taken: $1 is the disk as it lies in its machine, $2 the file to make. */
const TAKE = {
  qcow2: 'qemu-img convert -O qcow2 "$1" "$2"',
  'raw.zst': 'zstd -q -3 -T2 "$1" -o "$2"',
};

/** A machine is installed, its disk is taken and becomes the image that it is deployed with next. */
export const goldenDisk = (format: keyof typeof TAKE): MetalStory => ({
  wish: { cores: 1, memoryMiB: 2048, diskMiB: 4096 },
  tell: async (scene) => {
    const { lab, ingot, story, hands, spec, say, checkout, cache, stateDir } = scene;
    const images = { checkout, cache, handOver: path.join(stateDir, 'images'), onProgress: () => {} };
    story.imageName = await provideImage(ingot.api, 'deploy', images);
    await ingot.api.serve(lab.cidr, lab.dynamic.start, lab.dynamic.end);
    const machine = await job.enlist(story, spec);
    await job.commission(story, machine, hands);
    await job.startDeploy(story, machine, hands);
    await job.reach(story, machine, 'DEPLOYED', job.LIMIT_MS.deploy);
    await job.visit(story, machine);
    say('the golden machine is deployed');

    // As a person does it: down in order, the disk taken as it is.
    await scene.ingotCommand('power', machine.hostname, 'off', '--soft', '--wait');
    const taken = path.join(stateDir, `disk.${format}`);
    await command(['sh', '-ec', TAKE[format], 'sh', lab.diskImage(spec.name), taken], PACK_LIMIT_MS);
    say((await scene.ingotCommand('images', 'upload', taken, '--name', IMAGE)).trim());
    await scene.ingotCommand('release', machine.hostname);
    await job.reach(story, machine, 'READY', job.LIMIT_MS.release);

    // Another key, another nonce: what lets the owner in has to come from this deployment, not with the disk.
    const second = await job.beginStory(lab, ingot, IMAGE, 'disk', story.patience);
    await hands.addSshKey(second.publicKey);
    say(await scene.ingotCommand('deploy', machine.hostname, '--image', IMAGE, '--plan'));
    await job.startDeploy(second, machine, hands);
    await job.reach(second, machine, 'DEPLOYED', job.LIMIT_MS.deploy);
    await job.visit(second, machine);
    await showMachine(scene, machine);
    say(`every byte of a disk (.${format}) is deployed; its owner is in by SSH, with the new key and user-data`);
  },
});
