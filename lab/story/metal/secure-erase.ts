import { waitFor } from '../../run/wait.ts';
import * as job from '../main-job.ts';
import { inspectDisk } from '../raw-disk.ts';
import { runOnMachine } from '../ssh.ts';
import type { MetalStory } from './metal.ts';
import { attemptOf, demand, evidenceOf, STAY_MINUTES, showMachine, waitsForWork } from './witness.ts';

/** `release --secure-erase` of a machine whose system disk is an NVMe and whose second disk has nothing of that kind. */
export const secureErase: MetalStory = {
  wish: { cores: 1, memoryMiB: 2048, diskBus: 'nvme', spareMiB: 512 },
  tell: async (scene) => {
    const { lab, ingot, story, hands, spec, say } = scene;
    await scene.provideDeployImage();
    // Saves two boots; the first boot of the installed system goes by firmware and boot loader.
    await ingot.api.setSettings({ fast_track: STAY_MINUTES });
    await ingot.api.serve(lab.cidr, lab.dynamic.start, lab.dynamic.end);
    await lab.pressPower(spec.name);
    const machine = await job.enlisted(story, spec);
    await waitsForWork(scene, machine);
    await job.commission(story, machine, hands);
    await waitsForWork(scene, machine);
    await job.startDeploy(story, machine, hands);
    await job.reach(story, machine, 'DEPLOYED', job.LIMIT_MS.deploy);
    await job.visit(story, machine);
    const mark = `spare-${story.nonce}`;
    const script = `printf %s '${mark}' | dd of=/dev/vda bs=1M seek=100 conv=notrunc,fsync status=none`;
    await runOnMachine(`${story.sshConfig}-${machine.hostname}`, machine.hostname, script, 60_000);
    const written = await inspectDisk(lab.spareImage(spec.name), [mark]);
    demand(written.found[mark] !== -1, 'the mark is not on the second disk');
    say('deployed on an NVMe disk; marks are on both disks');

    await scene.ingotCommand('release', machine.hostname, '--erase', '--secure-erase');
    await job.reach(story, machine, 'READY', job.LIMIT_MS.release);
    await waitFor('the machine to be off', job.LIMIT_MS.firmwareOff, async () =>
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
  },
};
