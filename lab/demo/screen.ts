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
  const up = () => (block > 0 ? `\u001b[${block}A\r` : '');
  return {
    interactive,
    // Asked anew each time: a window may be resized.
    get width() {
      return stream.columns || 120;
    },
    say: (line) => {
      stream.write(interactive ? `${up()}\u001b[0J${line}\n` : `${line}\n`);
      block = 0;
    },
    live: (lines) => {
      if (!interactive) return;
      // A block higher than the screen cannot be taken back.
      const shown = lines.slice(0, Math.max(1, (stream.rows || 24) - 2));
      // In one piece, and each line is cleared behind its new text, not before it: nothing is dark in between.
      stream.write(`${up()}${shown.map((line) => `${line}\u001b[0K\n`).join('')}\u001b[0J`);
      block = shown.length;
    },
  };
}
