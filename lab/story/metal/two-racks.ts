import { readFile } from 'node:fs/promises';
import { waitFor } from '../../run/wait.ts';
import * as job from '../main-job.ts';
import type { MetalStory } from './metal.ts';
import { attemptOf, demand, evidenceOf, showMachine } from './witness.ts';

const PAIR_LIMIT_MS = 120_000;

/** Two racks on one VLAN: the host of the first loses its power, and a machine is commissioned by the second. */
export const twoRacks: MetalStory = {
  wish: { cores: 1, memoryMiB: 2048 },
  tell: async (scene) => {
    const { lab, ingot, story, hands, spec, say } = scene;
    const place = await lab.addRackPlace();
    await ingot.startRack('second', place);
    const range = `${lab.dynamic.start}-${lab.dynamic.end}`;
    // The second one's address is known once its interfaces have been reported.
    const served = await waitFor('both racks to serve the network', PAIR_LIMIT_MS * story.patience, async () =>
      scene
        .ingotCommand('network', 'serve', lab.cidr, '--range', range, '--primary', 'rack', '--secondary', 'second')
        .catch(() => undefined),
    );
    say(served.trim());
    const machine = await job.enlist(story, spec);
    const before = await readFile(lab.serialLog(spec.name), 'utf8');
    demand(before.includes(`${lab.rackAddress}:5248`), 'the machine did not boot by the first rack');
    say('enlisted by the first rack');

    await lab.killRackHost();
    say('the host of the first rack is dead');
    await waitFor('the region to see that the first rack is gone', PAIR_LIMIT_MS * story.patience, async () =>
      (await ingot.api.racks()).some(({ name, connected }) => name === 'rack' && !connected) ? true : undefined,
    );
    await job.commission(story, machine, hands);
    const after = (await readFile(lab.serialLog(spec.name), 'utf8')).slice(before.length);
    demand(after.includes(`${place.address}:5248`), 'the machine did not boot by the second rack');
    await showMachine(scene, machine);
    const attempt = await attemptOf(scene, machine, 'commission');
    const said = (await evidenceOf(scene, machine, attempt)).map(({ text }) => text).join('\n');
    demand(attempt.outcome === 'passed', `the commissioning ended ${attempt.outcome}`);
    demand(said.length > 0, 'the commissioning left no evidence');
    say('commissioned by the second rack: power, addresses, boot and agent');
  },
};
