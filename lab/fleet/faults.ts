import { createDice } from '../sim/dice.ts';
import type { Faults } from '../sim/faults.ts';

/** What may be wrong with a machine of a fleet, and what its user will see of it. */
export const FAULT_KINDS = {
  'dead-bmc': 'its BMC answers nobody',
  'wrong-password': 'its BMC refuses every login',
  'lying-bmc': 'its BMC says yes to every order and does nothing',
  'packet-loss': 'a third of the packets from and to its BMC are lost',
  'slow-disk': 'its disk is eight times slower',
  'failing-disk': 'writing the image and erasing end in an input/output error',
  'failing-script': 'the commissioning script maas-capture-lldpd exits with 255',
  'agent-dies': 'its agent dies at the K-th script or step of a boot (agent-dies:K, 3 unless told)',
  'never-boots': 'its firmware hangs before it asks for an address',
} as const;
export type FaultKind = keyof typeof FAULT_KINDS;

export interface Fault {
  kind: FaultKind;
  /** For agent-dies: at which script or step, from 1. */
  at: number;
}

export interface FaultPlan {
  rates: { fault: Fault; rate: number }[];
  /** By the machine's number. */
  machines: Map<number, Fault>;
}

export class FaultSyntax extends Error {}

const DEFAULT_RATE = 0.02;
const DEFAULT_STEP = 3;
const LOSS = 0.33;
const SLOWER = 8;

/** `KIND[:K][=RATE],…` and any number of `MACHINE=KIND[:K]`. Throws FaultSyntax naming what is wrong. */
export function parseFaults(rates: string, single: readonly string[]): FaultPlan {
  const words = rates.split(',').filter((word) => word !== '');
  const plan: FaultPlan = {
    rates: words.map((word) => {
      const [kind = '', text] = word.split('=');
      const rate = text === undefined ? DEFAULT_RATE : Number(text);
      if (!(rate >= 0 && rate <= 1)) throw new FaultSyntax(`${word}: a rate is 0 to 1; a step is written agent-dies:K`);
      return { fault: parseFault(kind), rate };
    }),
    machines: new Map(),
  };
  if (plan.rates.reduce((sum, { rate }) => sum + rate, 0) > 1) throw new FaultSyntax('the rates add up to more than 1');
  for (const word of single) {
    const [machine, kind, more] = word.split('=');
    const index = Number(machine);
    if (!Number.isInteger(index) || index < 1 || kind === undefined || more !== undefined) {
      throw new FaultSyntax(`${word}: write MACHINE=KIND, machines count from 1`);
    }
    plan.machines.set(index, parseFault(kind));
  }
  return plan;
}

function parseFault(text: string): Fault {
  const [kind, step, more] = text.split(':');
  const known = isKind(kind) ? kind : null;
  if (known === null) throw new FaultSyntax(`no fault is called ${kind}: ${Object.keys(FAULT_KINDS).join(', ')}`);
  const at = step === undefined ? DEFAULT_STEP : Number(step);
  if (more !== undefined || (step !== undefined && known !== 'agent-dies') || !Number.isInteger(at) || at < 1) {
    throw new FaultSyntax(`${text}: only agent-dies takes a step, from 1`);
  }
  return { kind: known, at };
}

const isKind = (text: string | undefined): text is FaultKind => text !== undefined && Object.hasOwn(FAULT_KINDS, text);

/** The fault of one machine; at most one, always the same for the same seed. */
export function faultOf(plan: FaultPlan, seed: number, index: number): Fault | null {
  const named = plan.machines.get(index);
  if (named) return named;
  let left = createDice(Math.imul(seed, 0x27d4eb2f) ^ Math.imul(index, 0x165667b1)).next();
  for (const { fault, rate } of plan.rates) {
    if (left < rate) return fault;
    left -= rate;
  }
  return null;
}

/** What a fault does inside of the machine. */
export function inside(fault: Fault | null): Faults {
  switch (fault?.kind) {
    case 'slow-disk':
      return { slowDisk: SLOWER };
    case 'failing-disk':
      return { failStep: 'image', failErase: true };
    case 'failing-script':
      return { failScript: 'maas-capture-lldpd', scriptExit: 255 };
    case 'agent-dies':
      return { agentDiesAt: fault.at };
    case 'never-boots':
      return { stopAt: 'dhcp' };
    default:
      return {};
  }
}

/** What a fault does to the machine's BMC, in words that each protocol's simulator understands. */
export function ofBmc(fault: Fault | null): { silent?: true; refusesLogin?: true; lies?: 'deaf'; loss?: number } {
  switch (fault?.kind) {
    case 'dead-bmc':
      return { silent: true };
    case 'wrong-password':
      return { refusesLogin: true };
    case 'lying-bmc':
      return { lies: 'deaf' };
    case 'packet-loss':
      return { loss: LOSS };
    default:
      return {};
  }
}
