import { Writable } from 'node:stream';
import { expect, test } from 'vitest';
import { openScreen } from './screen.ts';

function terminal(isTTY: boolean) {
  const writes: string[] = [];
  const stream = new Writable({
    write(chunk, _encoding, done) {
      writes.push(String(chunk));
      done();
    },
  });
  // Of a terminal's stream only these are asked for.
  const screen = openScreen(Object.assign(stream, { isTTY, columns: 60, rows: 5 }) as unknown as NodeJS.WriteStream);
  return { writes, screen };
}

test('a repaint is one write that clears behind the new text, so that nothing flickers', () => {
  const { writes, screen } = terminal(true);
  screen.live(['a', 'b']);
  screen.live(['c']);
  screen.say('stays');
  expect(writes).toEqual([
    'a\u001b[0K\nb\u001b[0K\n\u001b[0J',
    '\u001b[2A\rc\u001b[0K\n\u001b[0J',
    '\u001b[1A\r\u001b[0Jstays\n',
  ]);
});

test('a block is never higher than the terminal', () => {
  const { writes, screen } = terminal(true);
  screen.live(['1', '2', '3', '4', '5', '6']);
  expect(writes[0]?.split('\n').length).toBe(4);
});

test('without a terminal lines are plain and nothing is redrawn', () => {
  const { writes, screen } = terminal(false);
  screen.live(['moving']);
  screen.say('stays');
  expect(writes).toEqual(['stays\n']);
});
