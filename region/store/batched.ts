/**
 * Answers many callers by few calls: while one batch runs, whoever comes is gathered for the next, so an idle process
 * answers at once and a busy one pays its round trips once a batch. `run` gives the answers in the order of the items;
 * when it throws, all callers of that batch get the error. `atOnce` batches may run side by side. With `gatherMs`, what follows a
 * batch of several callers waits so long for more of them, unless it is full: those who were just answered mostly ask again, and
 * one batch of all costs less than two of half of them. Who asks alone never waits.
 */
export function batched<Item, Answer>(
  limits: { size: number; atOnce: number; gatherMs?: number },
  run: (items: readonly Item[]) => Promise<readonly Answer[]>,
): (item: Item) => Promise<Answer> {
  interface Caller {
    item: Item;
    resolve: (answer: Answer) => void;
    reject: (error: unknown) => void;
  }
  // Bounded by whoever calls: each caller waits for its answer.
  const waiting: Caller[] = [];
  let running = 0;
  /** Until then a batch that is not full waits. */
  let gatherUntil = 0;
  let gathering = false;

  async function next(): Promise<void> {
    const callers = waiting.splice(0, limits.size);
    try {
      const answers = await run(callers.map((caller) => caller.item));
      for (const [index, caller] of callers.entries()) {
        const answer = answers[index];
        if (index >= answers.length) caller.reject(new Error('a batch gave fewer answers than it was asked for'));
        // The index is within the answers, so what is undefined here is an answer of that type.
        else caller.resolve(answer as Answer);
      }
    } catch (error) {
      for (const caller of callers) caller.reject(error);
    }
    const company = callers.length + waiting.length > 1;
    if (company && limits.gatherMs !== undefined) gatherUntil = performance.now() + limits.gatherMs;
  }

  function gathered(): void {
    gathering = false;
    start();
  }
  function start(): void {
    while (running < limits.atOnce && waiting.length > 0) {
      const wait = waiting.length < limits.size ? gatherUntil - performance.now() : 0;
      if (wait > 0) {
        if (!gathering) setTimeout(gathered, wait);
        gathering = true;
        return;
      }
      running += 1;
      void next().finally(() => {
        running -= 1;
        start();
      });
    }
  }

  return (item) =>
    new Promise((resolve, reject) => {
      waiting.push({ item, resolve, reject });
      // Not at once: requests that arrive in one turn of the event loop go together.
      setImmediate(start);
    });
}
