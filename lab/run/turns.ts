import { createInterface } from 'node:readline';

/** Resolves when the part that comes next may begin. */
export type Turn = () => Promise<void>;

/**
 * Two programs that are compared run their parts in turn, so that a host whose speed drifts is as fast for one as for the
 * other. When `asked`, each turn is the line `turn` on standard output and begins with a line on standard input.
 */
export function takeTurns(asked: boolean): Turn {
  if (!asked) return () => Promise.resolve();
  const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  return async () => {
    process.stdout.write('turn\n');
    const { done } = await lines.next();
    if (done) throw new Error('nobody gives turns any more');
  };
}
