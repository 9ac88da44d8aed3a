import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import * as z from 'zod';
import { openLab, startLab } from './data-centre.ts';
import { runDemo } from './demo/demo.ts';
import { runSimulatedDemo } from './fleet/demo.ts';
import { runSim } from './fleet/sim.ts';
import { runFloor } from './floor/floor.ts';
import { serveFloor } from './floor/http.ts';
import { MachineWish } from './machine/spec.ts';
import { interruption } from './run/interruption.ts';
import { clearLeftovers, openLedger } from './run/ledger.ts';
import { takeTurns } from './run/turns.ts';
import { measure } from './story/measure.ts';
import { METAL_STORIES, tellMetalStory } from './story/metal/metal.ts';

const USAGE = `Usage: node dist/lab.mjs COMMAND

  up --state DIR --machines SPEC.json   build the data centre and leave it running; SPEC is [{"name","firmware"}, …]
  power --state DIR NAME on|off         press a machine's power button
  console --state DIR NAME              follow a machine's serial port
  down --state DIR                      end its programs, remove its namespaces
  demo [--once] [--json] [--port N]     Ingot and two machines playing the main job; \`npm run demo\` prepares for it
  demo-sim [--once] [--json] [--port N] the same story on simulated machines, without root
  sim [--machines N] …                  simulated machines by the thousand, without root: sim --help
  floor [--firmware bios|uefi]          the bare recipe without Ingot, timed; JSON on standard output
  measure [--firmware bios|uefi]        Ingot on the same machine, timed the same way; JSON on standard output
                                        --turns: both wait before each part for a line on standard input
                                        --commissions N: commission N times, 1 to 9
  story NAME [--firmware bios|uefi]     a path of its own on real firmware: ${Object.keys(METAL_STORIES).join(', ')};
                                        --patience N multiplies every limit, for a host that is busy otherwise
  clean [--all]                         remove what crashed runs left; --all: also what "up" left running`;

/** Both sides of the comparison run on a machine of this size. */
function sameMachine(firmware: string) {
  if (firmware !== 'bios' && firmware !== 'uefi') throw new UsageError('--firmware is bios or uefi');
  return { firmware, cores: 1, memoryMiB: 2048, diskMiB: 4096 } as const;
}

class UsageError extends Error {}

async function main(argv: string[]): Promise<void> {
  const checkout = path.resolve(import.meta.dirname, '..');
  if (argv[0] === 'sim') {
    // What is still waiting for machines that are gone is left behind.
    process.exit(await runSim(checkout, argv.slice(1), interruption()));
  }
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      state: { type: 'string' },
      machines: { type: 'string' },
      once: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      port: { type: 'string', default: '5240' },
      cache: { type: 'string', default: process.env.INGOT_CACHE ?? '/var/cache/ingot' },
      firmware: { type: 'string', default: 'bios' },
      patience: { type: 'string', default: '1' },
      root: { type: 'string' },
      address: { type: 'string' },
      log: { type: 'string' },
      turns: { type: 'boolean', default: false },
      commissions: { type: 'string', default: '1' },
      all: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const [verb, name, want] = positionals;
  const state = () => {
    if (values.state === undefined) throw new UsageError('--state DIR is missing');
    return values.state;
  };
  const portOf = () => {
    const port = Number(values.port);
    if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new UsageError('--port is a number below 65536');
    return port;
  };
  const commissionsOf = () => {
    const commissions = Number(values.commissions);
    if (!Number.isInteger(commissions) || commissions < 1 || commissions > 9) {
      throw new UsageError('--commissions is a number from 1 to 9');
    }
    return commissions;
  };
  const machine = () => {
    if (name === undefined) throw new UsageError('a name is missing');
    return name;
  };
  if (values.help || verb === undefined) {
    console.log(USAGE);
    return;
  }
  switch (verb) {
    case 'up': {
      if (values.machines === undefined) throw new UsageError('--machines SPEC.json is missing');
      const wishes = z
        .array(MachineWish)
        .min(1)
        .max(32)
        .parse(JSON.parse(await readFile(values.machines, 'utf8')));
      const ledger = await openLedger(checkout, { owned: false });
      const lab = await startLab({ checkout, stateDir: state(), machines: wishes, ledger });
      console.log(
        JSON.stringify(
          {
            cidr: lab.cidr,
            rack: lab.rackAddress,
            inRack: lab.rackCommand([]).join(' '),
            machines: lab.machines.map((spec) => ({ ...spec, bmc: lab.bmcAddress(spec.name) })),
          },
          null,
          2,
        ),
      );
      return;
    }
    case 'power': {
      if (want !== 'on' && want !== 'off') throw new UsageError('say on or off');
      await (await openLab(state())).pressPower(machine(), want);
      return;
    }
    case 'console': {
      const log = (await openLab(state())).serialLog(machine());
      const tail = spawn('tail', ['-n', '200', '-F', log], { stdio: 'inherit' });
      await new Promise((resolve) => tail.once('exit', resolve));
      return;
    }
    case 'down':
      await (await openLab(state())).stop();
      return;
    case 'demo': {
      const port = portOf();
      const interrupted = interruption();
      const { cache, once, json } = values;
      // Steps of the story may still be waiting for machines that are gone: leave without them.
      process.exit(await runDemo({ checkout, cache, port, once, json, interrupted }));
      return;
    }
    case 'demo-sim': {
      const { once, json } = values;
      const seed = randomInt(2 ** 31);
      process.exit(await runSimulatedDemo({ checkout, port: portOf(), once, json, seed, interrupted: interruption() }));
      return;
    }
    case 'floor': {
      const { cache, turns } = values;
      const commissions = commissionsOf();
      const machine = sameMachine(values.firmware);
      const times = await runFloor({ checkout, cache, commissions, turn: takeTurns(turns), ...machine });
      console.log(JSON.stringify(times));
      return;
    }
    case 'measure': {
      const wish = { name: 'measured', ...sameMachine(values.firmware) };
      const { cache, turns } = values;
      const commissions = commissionsOf();
      const times = await measure({ checkout, cache, port: portOf(), turn: takeTurns(turns), wish, commissions });
      console.log(JSON.stringify(times));
      return;
    }
    case 'story': {
      const tell = METAL_STORIES[machine()];
      if (!tell) throw new UsageError(`no such story: ${name}; there are ${Object.keys(METAL_STORIES).join(', ')}`);
      const { firmware } = sameMachine(values.firmware);
      const patience = Number(values.patience);
      if (!(patience >= 1 && patience <= 20)) throw new UsageError('--patience is a number from 1 to 20');
      await tellMetalStory(tell, {
        checkout,
        cache: values.cache,
        port: portOf(),
        firmware,
        patience,
        say: console.log,
      });
      return;
    }
    case 'floor-http': {
      const { root, address, log } = values;
      if (!root || !address || !log) throw new UsageError('--root, --address and --log are needed');
      await serveFloor(root, address, 5248, log);
      return;
    }
    case 'clean': {
      const cleared = await clearLeftovers(checkout, values.all);
      console.log(cleared.length === 0 ? 'nothing left over' : `removed ${cleared.join(', ')}`);
      return;
    }
    default:
      throw new UsageError(`no such command: ${verb}`);
  }
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  const usage =
    error instanceof UsageError ||
    (error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS'));
  console.error(`lab: ${error instanceof Error ? error.message : String(error)}`);
  // What waited for a machine that is gone is left behind.
  process.exit(usage ? 2 : 1);
}
