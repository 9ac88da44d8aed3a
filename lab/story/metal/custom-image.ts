import path from 'node:path';
import { command } from '../../run/command.ts';
import { buildImage } from '../images.ts';
import * as job from '../main-job.ts';
import type { MetalStory, Scene } from './metal.ts';
import { attemptOf, demand, STAY_MINUTES, showMachine, waitsForWork } from './witness.ts';

const PACK_LIMIT_MS = 10 * 60_000;

/**
 * The only image is one that a person uploads: a tree of files as .tgz. Then the disk of the machine that runs it, as
 * .qcow2: what people do who keep a golden machine.
 */
export const customImage: MetalStory = {
  wish: { cores: 1, memoryMiB: 2048, diskMiB: 4096 },
  tell: async (scene) => {
    const { lab, ingot, story, hands, spec, say } = scene;
    const tgz = path.join(scene.stateDir, 'tree.tgz');
    const { checkout, cache, stateDir } = scene;
    const built = await buildImage('deploy', {
      checkout,
      cache,
      handOver: path.join(stateDir, 'images'),
      onProgress: () => {},
    });
    const root = built.files[0]?.path ?? '';
    await command(['sh', '-ec', 'zstd -dcq "$1" | gzip -1 >"$2"', 'sh', root, tgz], PACK_LIMIT_MS);
    await upload(scene, tgz, 'custom/tree');
    story.imageName = 'custom/tree';

    await ingot.api.setSettings({ fast_track: STAY_MINUTES });
    await ingot.api.serve(lab.cidr, lab.dynamic.start, lab.dynamic.end);
    await lab.pressPower(spec.name);
    const machine = await job.enlisted(story, spec);
    await waitsForWork(scene, machine);
    await job.commission(story, machine, hands);
    await waitsForWork(scene, machine);
    say(await scene.ingotCommand('deploy', machine.hostname, '--image', 'custom/tree', '--plan'));
    await job.startDeploy(story, machine, hands);
    await job.reach(story, machine, 'DEPLOYED', job.LIMIT_MS.deploy);
    await job.visit(story, machine);
    say('a tree of files (.tgz) is deployed; its owner is in by SSH, with the user-data');
    await showMachine(scene, machine);

    // As the person with the golden machine does it: down in order, the disk taken as it is.
    await scene.ingotCommand('power', machine.hostname, 'off', '--soft', '--wait');
    const qcow2 = path.join(scene.stateDir, 'disk.qcow2');
    await command(['qemu-img', 'convert', '-O', 'qcow2', lab.diskImage(spec.name), qcow2], PACK_LIMIT_MS);
    await upload(scene, qcow2, 'custom/disk');
    await scene.ingotCommand('release', machine.hostname);
    await job.reach(story, machine, 'READY', job.LIMIT_MS.release);

    // Another key, another nonce: what lets the owner in has to come from this deployment, not with the disk.
    const second = await job.beginStory(lab, ingot, 'custom/disk', 'disk');
    await hands.addSshKey(second.publicKey);
    say(await scene.ingotCommand('deploy', machine.hostname, '--image', 'custom/disk', '--plan'));
    await job.startDeploy(second, machine, hands);
    await job.reach(second, machine, 'DEPLOYED', job.LIMIT_MS.deploy);
    await job.visit(second, machine);
    const deploy = await attemptOf(scene, machine, 'deploy');
    demand(
      deploy.phases.some(({ name }) => name.startsWith('step:')),
      'the deployment shows no step',
    );
    await showMachine(scene, machine);
    say('every byte of a disk (.qcow2) is deployed; its owner is in by SSH, with the new key and user-data');
  },
};

async function upload(scene: Scene, file: string, name: string): Promise<void> {
  scene.say(`ingot images upload ${path.basename(file)} --name ${name}`);
  scene.say((await scene.ingotCommand('images', 'upload', file, '--name', name)).trim());
}
