/** Resolves at the first signal that asks this process to stop; from then on none ends it by itself. */
export function interruption(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => resolve());
  });
}

const DAY_MS = 86_400_000;

/** Stays for as long as nobody interrupts: a signal that may come keeps no process from ending. */
export async function stayUntil(interrupted: Promise<void>): Promise<void> {
  const alive = setInterval(() => undefined, DAY_MS);
  await interrupted;
  clearInterval(alive);
}
