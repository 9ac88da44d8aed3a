import { AttemptView, type MachineDetail, MachineView, NATIVE_BASE } from '@ingot/contract/native.ts';
import { useEffect, useSyncExternalStore } from 'react';
import { attempts, explain, machine, machines, queryClient, whoAmI } from './queries.ts';

export type Liveness = { state: 'live' | 'connecting' | 'offline'; since: number };

let liveness: Liveness = { state: 'connecting', since: Date.now() };
const watchers = new Set<() => void>();

function setLiveness(state: Liveness['state']): void {
  if (liveness.state === state) return;
  liveness = { state, since: Date.now() };
  for (const watcher of watchers) watcher();
}

/** Whether what is on the screen is kept up to date, and since when. */
export function useLiveness(): Liveness {
  return useSyncExternalStore(
    (watcher) => {
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
    () => liveness,
  );
}

// Changes are gathered and applied once per animation frame: a storm of events costs one render a frame, not one each.
let pending: (() => void)[] = [];
let scheduled = false;
function nextFrame(change: () => void): void {
  pending.push(change);
  if (scheduled) return;
  scheduled = true;
  requestAnimationFrame(() => {
    scheduled = false;
    const now = pending;
    pending = [];
    for (const apply of now) apply();
  });
}

function patchMachine(seen: MachineView): void {
  queryClient.setQueryData(machines.queryKey, (list: MachineView[] | undefined) => {
    if (!list) return list;
    const at = list.findIndex((one) => one.systemId === seen.systemId);
    if (at < 0) return [...list, seen];
    return list.with(at, seen);
  });
  const key = machine(seen.systemId).queryKey;
  const before = queryClient.getQueryData<MachineDetail>(key);
  if (!before) return;
  queryClient.setQueryData(key, { ...before, ...seen });
  // Only the machine that is open has these; what may be done, and what its hardware is, follows from its status.
  void queryClient.invalidateQueries({ queryKey: explain(seen.systemId).queryKey });
  void queryClient.invalidateQueries({ queryKey: ['results', seen.systemId] });
  void queryClient.invalidateQueries({ queryKey: ['events', seen.systemId] });
  if (before.status !== seen.status) void queryClient.invalidateQueries({ queryKey: key });
}

function patchAttempt(seen: AttemptView): void {
  queryClient.setQueryData(attempts(seen.systemId).queryKey, (list: AttemptView[] | undefined) => {
    if (!list) return list;
    const at = list.findIndex((one) => one.id === seen.id);
    return at < 0 ? [seen, ...list] : list.with(at, seen);
  });
  void queryClient.invalidateQueries({ queryKey: ['evidence', seen.systemId, seen.id] });
  void queryClient.invalidateQueries({ queryKey: ['results', seen.systemId] });
}

function forget(systemId: string): void {
  queryClient.setQueryData(machines.queryKey, (list: MachineView[] | undefined) =>
    list?.filter((one) => one.systemId !== systemId),
  );
  void queryClient.invalidateQueries({ queryKey: machine(systemId).queryKey });
}

/** Keep every cached view current from the event stream. Mounted once, inside the signed-in shell. */
export function useEventStream(): void {
  useEffect(() => {
    const source = new EventSource(`${NATIVE_BASE}/events/stream`);
    let lost = false;
    source.addEventListener('open', () => {
      setLiveness('live');
      // The browser resumes by Last-Event-ID; a first connect after an outage of the server may not, so look once.
      if (lost) void queryClient.invalidateQueries();
      lost = false;
    });
    source.addEventListener('error', () => {
      lost = true;
      setLiveness(source.readyState === EventSource.CLOSED ? 'offline' : 'connecting');
      if (source.readyState === EventSource.CLOSED) void queryClient.invalidateQueries({ queryKey: whoAmI.queryKey });
    });
    source.addEventListener('machine', (event) => {
      const parsed = MachineView.safeParse(JSON.parse(event.data));
      if (parsed.success) nextFrame(() => patchMachine(parsed.data));
    });
    source.addEventListener('attempt', (event) => {
      const parsed = AttemptView.safeParse(JSON.parse(event.data));
      if (parsed.success) nextFrame(() => patchAttempt(parsed.data));
    });
    source.addEventListener('gone', (event) => {
      const { systemId } = JSON.parse(event.data) as { systemId: string };
      nextFrame(() => forget(systemId));
    });
    source.addEventListener('reset', () => void queryClient.invalidateQueries());
    return () => source.close();
  }, []);
}
