/**
 * Answers many callers by few calls: while one batch runs, whoever comes is gathered for the next, so an idle process
 * answers at once and a busy one pays its round trips once a batch. `run` gives the answers in the order of the items;
 * when it throws, all callers of that batch get the error. `atOnce` batches may run side by side.
 */
export function batched<Item, Answer>(
  limits: { size: number; atOnce: number },
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
  }

  function start(): void {
    while (running < limits.atOnce && waiting.length > 0) {
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
