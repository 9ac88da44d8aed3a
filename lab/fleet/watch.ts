import http from 'node:http';
import { MachineView, NATIVE_BASE } from '@ingot/contract/native.ts';
import { type NativeClient, type RegionAccess, reach } from '../story/native-client.ts';

/** What is remembered of a machine as the region last told it. */
export interface Seen {
  systemId: string;
  hostname: string;
  status: string;
  attempt: { id: number; kind: string; ended: boolean; code: string | null; phase: string | null } | null;
}

/** The region's machines by its event stream: nobody asks ten thousand times. */
export interface Watch {
  of(systemId: string): Seen | undefined;
  all(): IterableIterator<Seen>;
  /** Resolves with the first state for which `ready` is true; rejects naming `what` and the state after `timeoutMs`. */
  until(systemId: string, what: string, timeoutMs: number, ready: (seen: Seen) => boolean): Promise<Seen>;
  close(): void;
}

const RETRY_MS = 500;
const LINE_LIMIT = 4 << 20;

export async function watchMachines(access: RegionAccess, api: NativeClient): Promise<Watch> {
  const machines = new Map<string, Seen>();
  const listeners = new Map<string, Set<(seen: Seen) => void>>();
  let cursor = '';
  let request: http.ClientRequest | null = null;
  let timer: NodeJS.Timeout | undefined;
  let closed = false;

  function take(view: MachineView): void {
    const { systemId, hostname, status, attempt } = view;
    const short = attempt && {
      id: attempt.id,
      kind: attempt.kind,
      ended: attempt.endedAt !== null,
      code: attempt.failure?.code ?? null,
      phase: attempt.phases.at(-1)?.name ?? null,
    };
    const seen: Seen = { systemId, hostname, status, attempt: short ?? null };
    machines.set(systemId, seen);
    for (const listener of listeners.get(systemId) ?? []) listener(seen);
  }

  async function refresh(): Promise<void> {
    for (const view of await api.machines()) take(view);
  }

  function event(lines: string[]): void {
    const field = (name: string) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
    cursor = field('id') ?? cursor;
    const data = field('data') ?? 'null';
    if (field('event') === 'machine') take(MachineView.parse(JSON.parse(data)));
    if (field('event') === 'reset') void refresh().catch(() => undefined);
  }

  function connect(): void {
    if (closed) return;
    const target = reach(access);
    const headers = { ...target.headers, ...(cursor === '' ? {} : { 'last-event-id': cursor }) };
    const mine = http.request({ ...target, headers, agent: false, path: `${NATIVE_BASE}/events/stream` });
    request = mine;
    const again = () => {
      if (closed || request !== mine) return;
      request = null;
      timer = setTimeout(connect, RETRY_MS);
    };
    mine.on('response', (response) => {
      let rest = '';
      response.setEncoding('utf8');
      response.on('data', (text: string) => {
        const blocks = (rest + text).split('\n\n');
        rest = (blocks.pop() ?? '').slice(-LINE_LIMIT);
        for (const block of blocks) event(block.split('\n'));
      });
      response.on('error', () => undefined);
      response.on('close', again);
    });
    mine.on('error', again);
    mine.end();
  }

  connect();
  // Machines that changed before the stream stood are in the list; what changes from now on comes by the stream.
  await refresh();
  return {
    of: (systemId) => machines.get(systemId),
    all: () => machines.values(),
    until: (systemId, what, timeoutMs, ready) =>
      new Promise((resolve, reject) => {
        const known = machines.get(systemId);
        if (known && ready(known)) return resolve(known);
        const mine = listeners.get(systemId) ?? new Set();
        listeners.set(systemId, mine);
        const listener = (seen: Seen) => {
          if (!ready(seen)) return;
          end();
          resolve(seen);
        };
        const end = () => {
          clearTimeout(late);
          mine.delete(listener);
          if (mine.size === 0) listeners.delete(systemId);
        };
        const late = setTimeout(() => {
          end();
          const seen = machines.get(systemId);
          const where = seen ? `${seen.hostname} is ${seen.status}${stuckAt(seen)}` : 'unknown to the region';
          reject(new Error(`waited ${Math.round(timeoutMs / 1000)} s for ${what}: ${where}`));
        }, timeoutMs);
        mine.add(listener);
      }),
    close: () => {
      closed = true;
      clearTimeout(timer);
      request?.destroy();
    },
  };
}

function stuckAt({ attempt }: Seen): string {
  if (attempt === null) return '';
  return `, ${attempt.kind} at ${attempt.phase ?? '?'}${attempt.code ? `, ${attempt.code}` : ''}`;
}
