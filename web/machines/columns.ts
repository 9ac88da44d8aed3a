import type { MachineView } from '@ingot/contract/native.ts';

export type SortKey = 'name' | 'status' | 'power' | 'owner' | 'pool' | 'zone' | 'cores' | 'memory' | 'storage';

export interface Column {
  key: SortKey;
  title: string;
  number: boolean;
  value: (machine: MachineView) => string | number;
}

export const COLUMNS: Column[] = [
  { key: 'name', title: 'Name', number: false, value: (machine) => machine.hostname },
  { key: 'status', title: 'Status', number: false, value: (machine) => machine.statusName },
  { key: 'power', title: 'Power', number: false, value: (machine) => machine.powerState },
  { key: 'owner', title: 'Owner', number: false, value: (machine) => machine.owner ?? '' },
  { key: 'pool', title: 'Pool', number: false, value: (machine) => machine.pool },
  { key: 'zone', title: 'Zone', number: false, value: (machine) => machine.zone },
  { key: 'cores', title: 'Cores', number: true, value: (machine) => machine.cpuCount },
  { key: 'memory', title: 'Memory', number: true, value: (machine) => machine.memory },
  { key: 'storage', title: 'Disks', number: true, value: (machine) => machine.storage },
];

export interface Sort {
  key: SortKey;
  descending: boolean;
}

/** `?sort=memory` or `?sort=-memory`; anything else is by name. */
export function sortOf(text: string | undefined): Sort {
  const descending = text?.startsWith('-') ?? false;
  const key = COLUMNS.find((column) => column.key === (descending ? text?.slice(1) : text))?.key ?? 'name';
  return { key, descending };
}

export function sortText(sort: Sort): string | undefined {
  if (sort.key === 'name' && !sort.descending) return undefined;
  return `${sort.descending ? '-' : ''}${sort.key}`;
}

const order = new Intl.Collator('en', { numeric: true });

/** Sorted copy; equal rows keep the order of their names, so that live changes do not shuffle them. */
export function sorted(machines: MachineView[], sort: Sort): MachineView[] {
  const column = COLUMNS.find((one) => one.key === sort.key);
  if (!column) return machines;
  const sign = sort.descending ? -1 : 1;
  return [...machines].sort((a, b) => {
    const left = column.value(a);
    const right = column.value(b);
    const compared =
      typeof left === 'number' && typeof right === 'number' ? left - right : order.compare(String(left), String(right));
    return compared === 0 ? order.compare(a.hostname, b.hostname) : sign * compared;
  });
}
