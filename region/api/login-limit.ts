/**
 * Slows down the guessing of passwords: after `tries` failures of one address or one name within `windowMs` the next
 * login is refused until the window has passed. Memory is bounded: the oldest of `keys` entries is forgotten.
 */
export interface LoginLimit {
  /** Seconds to wait before the next try; 0 = go on. */
  waitSeconds(key: string, now: number): number;
  failed(key: string, now: number): void;
  passed(key: string): void;
}

export function loginLimit(options = { tries: 10, windowMs: 60_000, keys: 10_000 }): LoginLimit {
  const seen = new Map<string, { count: number; since: number }>();
  const current = (key: string, now: number) => {
    const entry = seen.get(key);
    if (entry && now - entry.since >= options.windowMs) {
      seen.delete(key);
      return undefined;
    }
    return entry;
  };
  return {
    waitSeconds(key, now) {
      const entry = current(key, now);
      if (!entry || entry.count < options.tries) return 0;
      return Math.max(1, Math.ceil((entry.since + options.windowMs - now) / 1000));
    },
    failed(key, now) {
      const entry = current(key, now);
      if (entry) {
        entry.count += 1;
        return;
      }
      if (seen.size >= options.keys) {
        const oldest = seen.keys().next().value;
        if (oldest !== undefined) seen.delete(oldest);
      }
      seen.set(key, { count: 1, since: now });
    },
    passed(key) {
      seen.delete(key);
    },
  };
}
