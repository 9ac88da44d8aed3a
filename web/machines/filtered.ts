import type { MachineView } from '@ingot/contract/native.ts';
import { matchesFilter, parseFilter } from '@ingot/core/filter/machine-filter.ts';

/** The machines a filter text finds; a text that is no filter finds all and says what is wrong with it. */
export function filtered(machines: MachineView[], text: string): { machines: MachineView[]; problem: string | null } {
  const parsed = parseFilter(text);
  if (!parsed.ok) return { machines, problem: parsed.message };
  return { machines: machines.filter((machine) => matchesFilter(parsed.terms, machine)), problem: null };
}
