import { Writable } from 'node:stream';
import type { CliContext } from '../context.ts';

/** A context whose outputs are kept as text. */
export function fakeContext(stateDir: string): { context: CliContext; out(): string; err(): string } {
  const sink = () => {
    let text = '';
    const stream = new Writable({
      write(chunk, _encoding, done) {
        text += String(chunk);
        done();
      },
    });
    // Only write() is used of what a terminal's stream has besides.
    return { stream: stream as unknown as NodeJS.WriteStream, text: () => text };
  };
  const [out, err] = [sink(), sink()];
  return {
    context: {
      env: { stateDir, url: undefined, apiKey: undefined, profileFile: `${stateDir}/profile` },
      dist: stateDir,
      stdout: out.stream,
      stderr: err.stream,
      colour: false,
      live: false,
    },
    out: out.text,
    err: err.text,
  };
}
