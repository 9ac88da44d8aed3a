import path from 'node:path';
import type { MachineWish } from '../../machine/spec.ts';
import { command } from '../../run/command.ts';
import { cliHands, type Hands } from '../hands.ts';
import { provideImage } from '../images.ts';
import * as job from '../main-job.ts';
import { type Site, withSite } from '../site.ts';
import { customImage } from './custom-image.ts';
import { fastTrack } from './fast-track.ts';
import { secureErase } from './secure-erase.ts';
import { twoRacks } from './two-racks.ts';

/** Everything a story has in its hands; the network is not served yet. */
export interface Scene extends Site {
  story: job.Story;
  hands: Hands;
  /** Builds the deployment image and registers it; `story.imageName` names it. */
  provideDeployImage(): Promise<void>;
  /** `ingot ARGUMENTS…` as a person types it; what it printed. Throws when it fails. */
  ingotCommand(...argv: string[]): Promise<string>;
  cache: string;
  checkout: string;
  say(line: string): void;
}

export interface MetalStory {
  /** Beside name and firmware. */
  wish: Omit<MachineWish, 'name' | 'firmware'>;
  tell(scene: Scene): Promise<void>;
}

/** What no simulated machine can show, by name. Minutes each; not part of `npm test`. */
export const METAL_STORIES: Record<string, MetalStory> = {
  'custom-image': customImage,
  'fast-track': fastTrack,
  'secure-erase': secureErase,
  'two-racks': twoRacks,
};

export interface MetalOptions {
  checkout: string;
  cache: string;
  port: number;
  firmware: 'bios' | 'uefi';
  say(line: string): void;
}

const COMMAND_LIMIT_MS = 10 * 60_000;

/** Plays one story; throws, with the attempt's timeline, where it does not go as promised. */
export async function tellMetalStory({ wish, tell }: MetalStory, options: MetalOptions): Promise<void> {
  const { checkout, cache, port, firmware } = options;
  const began = performance.now();
  const say = (line: string) => options.say(`[${((performance.now() - began) / 1000).toFixed(1).padStart(6)}] ${line}`);
  await withSite({ checkout, port, wish: { ...wish, name: 'metal', firmware } }, async (site) => {
    const { ingot, lab, stateDir } = site;
    const images = { checkout, cache, handOver: path.join(stateDir, 'images'), onProgress: () => {} };
    await provideImage(ingot.api, 'ephemeral', images);
    const story = await job.beginStory(lab, ingot, '', 'metal');
    const hands = cliHands(ingot);
    await hands.addSshKey(story.publicKey);
    await tell({
      ...site,
      story,
      hands,
      provideDeployImage: async () => {
        story.imageName = await provideImage(ingot.api, 'deploy', images);
      },
      ingotCommand: (...argv) => command(ingot.cli(argv), COMMAND_LIMIT_MS),
      cache,
      checkout,
      say,
    });
  });
  say('as promised');
}
