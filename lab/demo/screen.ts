import type { WriteStream } from 'node:tty';

/** Where the demo speaks: a block of live lines at the bottom on a terminal, plain lines elsewhere. */
export interface Screen {
  /** A line that stays. */
  say(line: string): void;
  /** Replaces the live block; ignored where there is no terminal. */
  live(lines: string[]): void;
  width: number;
  interactive: boolean;
}

export function openScreen(stream: WriteStream | NodeJS.WriteStream): Screen {
  const interactive = stream.isTTY === true;
  let block = 0;
  const wipe = () => {
    // Up by the block's height, then clear to the end of the screen.
    if (block > 0) stream.write(`\u001b[${block}A\u001b[0J`);
    block = 0;
  };
  return {
    interactive,
    width: stream.columns ?? 120,
    say: (line) => {
      if (interactive) wipe();
      stream.write(`${line}\n`);
    },
    live: (lines) => {
      if (!interactive) return;
      wipe();
      // A block higher than the screen cannot be taken back.
      const shown = lines.slice(0, Math.max(1, (stream.rows ?? 24) - 2));
      stream.write(shown.map((line) => `${line}\n`).join(''));
      block = shown.length;
    },
  };
}
