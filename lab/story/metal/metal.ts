import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { MachineWish } from '../../machine/spec.ts';
import { command } from '../../run/command.ts';
import { cliHands, type Hands } from '../hands.ts';
import { provideImage } from '../images.ts';
import * as job from '../main-job.ts';
import { type Site, withSite } from '../site.ts';
import { httpBoot, secureBoot } from './firmware-boot.ts';
import { goldenDisk } from './golden-disk.ts';
import { ownImage } from './own-image.ts';
import { twoRacks } from './two-racks.ts';

/** Everything a story has in its hands; the network is not served yet. */
export interface Scene extends Site {
  story: job.Story;
  hands: Hands;
  /** `ingot ARGUMENTS…` as a person types it; what it printed. Throws when it fails. */
  ingotCommand(...argv: string[]): Promise<string>;
  cache: string;
  checkout: string;
  say(line: string): void;
}

export interface MetalStory {
  /** Where only one will do. */
  firmware?: 'uefi';
  /** Beside name and firmware. */
  wish: Omit<MachineWish, 'name' | 'firmware'>;
  tell(scene: Scene): Promise<void>;
}

/** What no simulated machine can show, by name. Minutes each; not part of `npm test`. */
export const METAL_STORIES: Record<string, MetalStory> = {
  'own-image': ownImage('tgz'),
  'own-squashfs': ownImage('squashfs'),
  'golden-disk': goldenDisk('qcow2'),
  'golden-raw': goldenDisk('raw.zst'),
  'two-racks': twoRacks,
  'http-boot': httpBoot,
  'secure-boot': secureBoot,
};

export interface MetalOptions {
  checkout: string;
  cache: string;
  port: number;
  firmware: 'bios' | 'uefi';
  /** Multiplies every limit, the story's and Ingot's own for its phases. */
  patience: number;
  say(line: string): void;
}

const COMMAND_LIMIT_MS = 30 * 60_000;
/** Seconds that Ingot gives these phases on a host of one's own. */
const PHASE_SECONDS = { dhcp: 180, 'boot-program': 60, kernel: 180, agent: 300, 'agent-kept': 30, reboot: 600 };

/** Plays one story; throws, with the attempt's timeline, where it does not go as promised. */
export async function tellMetalStory({ wish, tell, ...only }: MetalStory, options: MetalOptions): Promise<void> {
  const { checkout, cache, port, patience } = options;
  const firmware = only.firmware ?? options.firmware;
  const began = performance.now();
  const say = (line: string) => options.say(`[${((performance.now() - began) / 1000).toFixed(1).padStart(6)}] ${line}`);
  await withSite({ checkout, port, wish: { ...wish, name: 'metal', firmware } }, async (site) => {
    const { ingot, lab, stateDir } = site;
    const images = { checkout, cache, handOver: path.join(stateDir, 'images'), onProgress: () => {} };
    await provideImage(ingot.api, 'ephemeral', images);
    const story = await job.beginStory(lab, ingot, '', 'metal', patience);
    const limits = Object.entries(PHASE_SECONDS).map(([phase, seconds]) => [phase, seconds * patience]);
    await ingot.api.setSettings({ phase_limits: Object.fromEntries(limits) });
    const hands = cliHands(ingot);
    await hands.addSshKey(story.publicKey);
    const scene: Scene = {
      ...site,
      story,
      hands,
      ingotCommand: (...argv) => command(ingot.cli(argv), COMMAND_LIMIT_MS),
      cache,
      checkout,
      say,
    };
    try {
      await tell(scene);
    } catch (error) {
      await lastWords(scene);
      throw error;
    }
  });
  say('as promised');
}

/** What is left to look at when the site is gone. */
async function lastWords({ ingot, ingotCommand, lab, spec, say }: Scene): Promise<void> {
  const console = await readFile(lab.serialLog(spec.name), 'utf8').catch(() => '');
  say(`the machine's console ends:\n${console.slice(-3000)}`);
  for (const { hostname } of await ingot.api.machines().catch(() => [])) {
    say(await ingotCommand('machine', hostname, '--all').catch((error: unknown) => String(error)));
  }
}
