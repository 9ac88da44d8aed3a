import { readFile } from 'node:fs/promises';
import * as job from '../main-job.ts';
import type { MetalStory } from './metal.ts';
import { attemptOf, demand, powerChanges, STAY_MINUTES, showMachine, waitsForWork } from './witness.ts';

/** From a first switching-on to SSH without a second start of the firmware: the agent is handed on, the kernel by kexec. */
export const fastTrack: MetalStory = {
  wish: { cores: 1, memoryMiB: 2048 },
  tell: async (scene) => {
    const { lab, ingot, story, hands, spec, say } = scene;
    await scene.provideDeployImage();
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
    await job.startDeploy(story, machine, hands);
    await job.reach(story, machine, 'DEPLOYED', job.LIMIT_MS.deploy);
    await job.visit(story, machine);
    say('deployed without a boot; its owner is in by SSH, with the user-data');

    // The person's press of the button is the only one, and nothing was reset.
    const changes = await powerChanges(lab, spec.name, on);
    demand(changes.length === 0, `the BMC was told ${changes.join(', ')}`);
    const console = await readFile(lab.serialLog(spec.name), 'utf8');
    const starts = console.split('Linux version').length - 1;
    demand(starts === 0 || starts === 2, `the console saw ${starts} kernels, not the agent's and the installed one`);
    const deploy = await attemptOf(scene, machine, 'deploy');
    const names = deploy.phases.map(({ name }) => name);
    demand(names[0] === 'agent', `the deployment began with ${names[0]}, not with the agent that was there`);
    demand(names.includes('step:kexec'), `the deployment has no step kexec: ${names.join(', ')}`);
    await showMachine(scene, machine);

    // Every later start goes by firmware and boot loader.
    await lab.pressPower(spec.name, 'off');
    await lab.pressPower(spec.name, 'on');
    await job.firstLogin(story, machine);
    say('and again after the button was pressed: by firmware and boot loader');
  },
};
