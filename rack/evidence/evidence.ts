import type { Evidence } from '@ingot/contract/rack.ts';

/** What was seen, with the instant of seeing by the monotonic clock; it becomes `agoMs` when sent. */
export type Seen = Omit<Evidence, 'agoMs'>;

export interface EvidenceQueue {
  add(seen: Seen): void;
  /** Takes at most `limit` of the oldest out, stamped with their age. */
  take(limit: number): Evidence[];
  size(): number;
  /** How many were lost to the limit since the start. */
  dropped(): number;
  onAdd(listener: () => void): void;
}

/** While the region is away evidence waits here; beyond `limit` the oldest goes. `now` in milliseconds, monotonic. */
export function createEvidenceQueue(limit = 10_000, now: () => number = () => performance.now()): EvidenceQueue {
  const waiting: { seen: Seen; at: number }[] = [];
  let dropped = 0;
  let listener: () => void = () => undefined;
  return {
    add: (seen) => {
      waiting.push({ seen: { ...seen, text: seen.text.slice(0, 1024) }, at: now() });
      if (waiting.length > limit) {
        waiting.shift();
        dropped += 1;
      }
      listener();
    },
    take: (count) =>
      waiting.splice(0, count).map(({ seen, at }) => ({ ...seen, agoMs: Math.max(0, Math.round(now() - at)) })),
    size: () => waiting.length,
    dropped: () => dropped,
    onAdd: (next) => {
      listener = next;
    },
  };
}
