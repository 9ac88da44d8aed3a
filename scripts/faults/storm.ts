import { setTimeout as sleep } from 'node:timers/promises';
import { waitFor } from '@ingot/lab/run/wait.ts';
import type { Dice } from '@ingot/lab/sim/dice.ts';
import type { FaultSite } from './fault-site.ts';

/** Something that a storm does. */
export interface Blow {
  name: string;
  /** Times that it may be done; without it as often as the dice say. */
  most?: number;
  /** `pause` is cut short when the storm ends; resolves with all of it mended that does not mend itself. */
  strike(pause: (ms: number) => Promise<void>): Promise<void>;
}

export interface Storm {
  /** What was done so far. */
  blows: string[];
  /** Kinds that were not struck yet. */
  spared(): string[];
  /** How long the API was away at most after what was killed was started again. */
  longestOutageMs(): number;
  /** Ends it with everything running and mended. Throws what went wrong in it. */
  end(): Promise<void>;
}

export interface StormOptions {
  kinds: readonly Blow[];
  dice: Dice;
  betweenMs: [number, number];
  most: number;
  /** Resolves when the site answers. */
  answers(): Promise<unknown>;
}

// A killed PostgreSQL reads its log again and syncs every file first: on a slow disk minutes, and not what is looked at here.
const BACK_LIMIT_MS = 300_000;
const LAST_ANSWER_MS = 250;

/**
 * Strikes at moments that the dice choose, until it is told to end or has done all. What it strikes is theirs to choose,
 * too, but nothing comes a second time before everything has come once.
 */
export function startStorm({ kinds, dice, betweenMs, most, answers }: StormOptions): Storm {
  const blows: string[] = [];
  let longestOutageMs = 0;
  const stopping = new AbortController();
  const pause = (ms: number) => sleep(ms, undefined, { signal: stopping.signal }).catch(() => undefined);

  const timesOf = ({ name }: Blow) => blows.filter((done) => done === name).length;
  const neverStruck = () => kinds.filter((kind) => timesOf(kind) === 0);

  async function strike(blow: Blow): Promise<void> {
    blows.push(blow.name);
    await blow.strike(pause);
    // What was killed may answer what it had begun; that is not yet its return.
    await sleep(LAST_ANSWER_MS);
    // A storm without a pause shows only that nothing can work in it.
    const began = performance.now();
    await waitFor(`the API after ${blow.name}`, BACK_LIMIT_MS, () => answers().catch(() => undefined), 50);
    const awayMs = performance.now() - began;
    longestOutageMs = Math.max(longestOutageMs, awayMs);
    // On a busy host a start takes long; there has to be as much time in which something can work.
    await pause(awayMs);
  }

  async function blowOn(): Promise<void> {
    while (!stopping.signal.aborted && blows.length < most) {
      await pause(dice.between(...betweenMs));
      const left = neverStruck();
      const [first, ...others] =
        left.length > 0 ? left : kinds.filter((kind) => timesOf(kind) < (kind.most ?? Infinity));
      if (stopping.signal.aborted || first === undefined) return;
      await strike(dice.pick([first, ...others]));
    }
  }

  const over = blowOn();
  // Looked at by end(); until then it is nobody's.
  over.catch(() => undefined);
  return {
    blows,
    spared: () => neverStruck().map(({ name }) => name),
    longestOutageMs: () => longestOutageMs,
    async end() {
      stopping.abort();
      await over;
    },
  };
}

/** kill -9 of the first region and of PostgreSQL, and cuts of the rack's cable. */
export function siteBlows(site: FaultSite, dice: Dice): Blow[] {
  const region = site.regions[0];
  const kill = (name: string, ...kills: (() => Promise<unknown> | undefined)[]): Blow => ({
    name,
    async strike(pause) {
      await Promise.all(kills.map((each) => each()));
      await pause(dice.between(0, 1000));
      await region?.start();
    },
  });
  const cable: Blow = {
    name: 'cable',
    async strike(pause) {
      site.cable.cut();
      await pause(dice.between(200, 3000));
      site.cable.mend();
    },
  };
  const killRegion = () => region?.kill();
  return [
    kill('region', killRegion),
    kill('postgres', site.killPostgres),
    kill('region and postgres', killRegion, site.killPostgres),
    cable,
  ];
}

/** Of the agents that run at the moment so many are killed; none of them would come to an end if all were, again and again. */
const AGENT_SHARE = 0.25;

/** kill -9 of some agents, as the dice say; systemd starts them again a second later, and they begin their task anew. */
export function agentBlow(
  machines: readonly { killAgent(): boolean }[],
  dice: Dice,
  count: { agents: number },
  most: number,
): Blow {
  return {
    name: 'agents',
    most,
    async strike() {
      const before = count.agents;
      for (const machine of machines) if (dice.next() < AGENT_SHARE && machine.killAgent()) count.agents += 1;
      // Of a few machines the dice often spare all.
      if (count.agents === before && machines.some((machine) => machine.killAgent())) count.agents += 1;
    },
  };
}
