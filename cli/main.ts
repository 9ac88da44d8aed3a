import os from 'node:os';
import path from 'node:path';
import type { CliContext } from './context.ts';
import { CliFailure, failureText } from './failure.ts';
import { runCommandLine } from './program.ts';

/** The only place that reads the environment. */
function contextOf(env: NodeJS.ProcessEnv): CliContext {
  const { stdout, stderr } = process;
  const config = env.XDG_CONFIG_HOME || path.join(os.homedir(), '.config');
  return {
    env: {
      stateDir: env.INGOT_STATE || '/var/lib/ingot',
      url: env.INGOT_URL || undefined,
      apiKey: env.INGOT_API_KEY || undefined,
      profileFile: path.join(config, 'ingot', 'profile.json'),
    },
    // Beside this bundle; from the sources, where they are built to.
    dist: import.meta.dirname.endsWith('cli') ? path.resolve(import.meta.dirname, '../dist') : import.meta.dirname,
    stdout,
    stderr,
    colour: stdout.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb',
    live: stderr.isTTY === true && env.TERM !== 'dumb',
  };
}

// `ingot machines | head` closes our output early: that is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

runCommandLine(process.argv.slice(2), contextOf(process.env)).then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    process.stderr.write(
      error instanceof CliFailure
        ? failureText(error)
        : `ingot: ${error instanceof Error ? (process.env.INGOT_DEBUG ? error.stack : error.message) : String(error)}\n`,
    );
    process.exitCode = error instanceof CliFailure ? error.exitCode : 1;
  },
);
