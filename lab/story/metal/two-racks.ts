import { readFile } from 'node:fs/promises';
import { waitFor } from '../../run/wait.ts';
import * as job from '../main-job.ts';
import type { MetalStory, Scene } from './metal.ts';
import { attemptOf, demand, evidenceOf, showMachine } from './witness.ts';

const PAIR_LIMIT_MS = 120_000;

/** Two racks on one VLAN: the host of the first loses its power, and a machine is found and commissioned by the second. */
export const twoRacks: MetalStory = {
  wish: { cores: 1, memoryMiB: 2048 },
  tell: async (scene) => {
    const { lab, ingot, story, hands, spec, say } = scene;
    const place = await lab.addRackPlace();
    await ingot.startRack('second', place);
    const range = `${lab.dynamic.start}-${lab.dynamic.end}`;
    // The second one's address is known once its interfaces have been reported.
    let refusal: unknown;
    const served = await waitFor('both racks to serve the network', PAIR_LIMIT_MS * story.patience, () =>
      scene
        .ingotCommand('network', 'serve', lab.cidr, '--range', range, '--primary', 'rack', '--secondary', 'second')
        .catch((error: unknown) => {
          refusal = error;
          return undefined;
        }),
    ).catch((late: Error) => {
      throw new Error(`${late.message}: ${String(refusal)}`);
    });
    say(served.trim());
    await says(scene, 'standing by, the first rack serves');
    await lab.killRackHost();
    say('the host of the first rack is dead');
    await says(scene, 'serving: the first rack does not answer');
    const machine = await job.enlist(story, spec);
    demand(
      (await readFile(lab.serialLog(spec.name), 'utf8')).includes(`${place.address}:5248`),
      'the machine did not boot by the second rack',
    );
    say('enlisted by the second rack');
    await job.commission(story, machine, hands);
    await showMachine(scene, machine);
    const attempt = await attemptOf(scene, machine, 'commission');
    const said = (await evidenceOf(scene, machine, attempt)).map(({ text }) => text).join('\n');
    demand(attempt.outcome === 'passed', `the commissioning ended ${attempt.outcome}`);
    demand(said.length > 0, 'the commissioning left no evidence');
    say('commissioned by the second rack: power, addresses, boot and agent');
  },
};

/** What the second rack says of its DHCP, and `ingot doctor` with it. */
async function says({ ingot, story, say }: Scene, words: string): Promise<void> {
  await waitFor(`the second rack to be "${words}"`, PAIR_LIMIT_MS * story.patience, async () => {
    const second = (await ingot.api.racks()).find(({ name }) => name === 'second');
    const dhcp = second?.services.find(({ name }) => name === 'dhcp');
    return dhcp?.detail === words ? true : undefined;
  });
  say(`the second rack: ${words}`);
}
