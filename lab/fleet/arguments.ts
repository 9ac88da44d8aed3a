import path from 'node:path';
import { parseArgs } from 'node:util';
import { MOST_MACHINES, MOST_VLANS } from './address-plan.ts';
import { FAULT_KINDS, type FaultPlan, FaultSyntax, parseFaults } from './faults.ts';
import type { Prepared } from './operator.ts';
import type { SimulationOptions } from './simulation.ts';
import type { Timing } from './timing.ts';

export interface SimArguments {
  machines: number;
  seed: number;
  vlans: number;
  redfish: number;
  network: number | null;
  timing: Timing;
  faults: FaultPlan;
  prepared: Prepared | null;
  parallel: number;
  json: boolean;
  region: SimulationOptions['region'];
}

const DEFAULT_URL = 'http://127.0.0.1:5240';

export class SimUsage extends Error {}

export const SIM_USAGE = `Usage: ingot lab sim [OPTIONS]

A data centre of simulated machines on this host, without root: firmware, BMCs and agents speak the real protocols to a
real Ingot, which is started for it unless one is named. Ctrl-C ends it and removes what it made.

  --machines N          how many, 1 to ${MOST_MACHINES} (20)
  --seed S              makes hardware, faults and their order; printed, and another one each time unless given
  --time realistic|brisk|zero
                        how long everything takes (realistic); brisk is a tenth of it
  --vlans N             networks they are spread over, 1 to ${MOST_VLANS} (1)
  --redfish SHARE       of machines whose BMC speaks Redfish instead of IPMI, 0 to 1 (0.25)
  --faults LIST         KIND[=RATE],… with a rate of 0 to 1 (0.02)
  --fault MACHINE=KIND  for one machine by its number; may be repeated
  --prepared ready|deployed|mixed
                        machines are brought there first, by the API and in no time; faults come true afterwards
  --parallel N          machines prepared at a time (100)
  --port N              of the Ingot that is started (5240)
  --state DIR [--url URL]
                        use the Ingot of this host with that state directory (at http://127.0.0.1:5240)
  --url URL --token KEY use the Ingot there, as the administrator with that API key; it must let racks in (--rack-listen)
  --network N           live on 127.N.0.0/16 and 127.N+1.0.0/16; the first free pair unless told
  --json                one line of JSON on standard output when all stands

Faults:
${Object.entries(FAULT_KINDS)
  .map(([kind, what]) => `  ${kind.padEnd(15)} ${what}`)
  .join('\n')}`;

/** Null: help was asked for. Throws SimUsage with one line. `seed` is taken when none is given. */
export function readSimArguments(argv: readonly string[], seed: number): SimArguments | null {
  const { values } = parsed(argv);
  if (values.help) return null;
  const number = (name: string, text: string, low: number, high: number, whole = true): number => {
    const value = Number(text);
    if (text.trim() === '' || !(value >= low && value <= high) || (whole && !Number.isInteger(value))) {
      throw new SimUsage(`--${name} is a ${whole ? 'whole ' : ''}number from ${low} to ${high}, not "${text}"`);
    }
    return value;
  };
  const oneOf = <T extends string>(name: string, text: string, choices: readonly T[]): T => {
    const found = choices.find((choice) => choice === text);
    if (found === undefined) throw new SimUsage(`--${name} is one of ${choices.join(', ')}, not "${text}"`);
    return found;
  };
  const { prepared, network } = values;
  return {
    machines: number('machines', values.machines, 1, MOST_MACHINES),
    seed: values.seed === undefined ? seed : number('seed', values.seed, 0, 2 ** 31),
    vlans: number('vlans', values.vlans, 1, MOST_VLANS),
    redfish: number('redfish', values.redfish, 0, 1, false),
    network: network === undefined ? null : number('network', network, 1, 253),
    timing: oneOf('time', values.time, ['realistic', 'brisk', 'zero']),
    faults: faultsOf(values.faults, values.fault),
    prepared: prepared === undefined ? null : oneOf<Prepared>('prepared', prepared, ['ready', 'deployed', 'mixed']),
    parallel: number('parallel', values.parallel, 1, 1000),
    json: values.json,
    region: regionOf(values, number('port', values.port, 1, 65_535)),
  };
}

function parsed(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        machines: { type: 'string', default: '20' },
        seed: { type: 'string' },
        time: { type: 'string', default: 'realistic' },
        vlans: { type: 'string', default: '1' },
        redfish: { type: 'string', default: '0.25' },
        faults: { type: 'string', default: '' },
        fault: { type: 'string', multiple: true, default: [] },
        prepared: { type: 'string' },
        parallel: { type: 'string', default: '100' },
        port: { type: 'string', default: '5240' },
        state: { type: 'string' },
        url: { type: 'string' },
        token: { type: 'string' },
        network: { type: 'string' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    throw new SimUsage(error instanceof Error ? error.message : String(error));
  }
}

function faultsOf(rates: string, single: readonly string[]): FaultPlan {
  try {
    return parseFaults(rates, single);
  } catch (error) {
    throw error instanceof FaultSyntax ? new SimUsage(error.message) : error;
  }
}

function regionOf(
  { state, url, token }: { state?: string; url?: string; token?: string },
  port: number,
): SimulationOptions['region'] {
  if (url !== undefined && !/^http:\/\/[^/]+\/?$/.test(url))
    throw new SimUsage(`--url is http://HOST:PORT, not "${url}"`);
  const site = url?.replace(/\/$/, '');
  if (state !== undefined) {
    if (token !== undefined)
      throw new SimUsage('--state needs no --token: whoever may open its socket is administrator');
    return { kind: 'state', dir: path.resolve(state), url: site ?? DEFAULT_URL };
  }
  if (site === undefined && token === undefined) return { kind: 'own', port };
  if (site === undefined || token === undefined) throw new SimUsage('--url and --token belong together');
  if (!/^[^:\s]+:[^:\s]+:[^:\s]+$/.test(token)) throw new SimUsage('--token is an API key, CONSUMER:TOKEN:SECRET');
  return { kind: 'url', url: site, apiKey: token };
}
