import { spawn } from 'node:child_process';
import path from 'node:path';
import { type CliContext, type GlobalOptions, stateDirOf } from './context.ts';
import { CliFailure, EXIT } from './failure.ts';

/** Runs a program that stands beside this one (dist/NAME.mjs) to its end; the arguments go through as they are. */
export function runProgram(
  context: CliContext,
  name: string,
  argv: readonly string[],
  input?: string,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [path.join(context.dist, `${name}.mjs`), ...argv], {
      stdio: [input === undefined ? 'inherit' : 'pipe', 'inherit', 'inherit'],
    });
    const pass = (signal: NodeJS.Signals) => child.kill(signal);
    process.on('SIGINT', pass).on('SIGTERM', pass);
    child.on('error', (error) =>
      reject(new CliFailure(`${name} cannot be started: ${error.message}`, { exitCode: EXIT.failed })),
    );
    child.on('exit', (code) => {
      process.off('SIGINT', pass).off('SIGTERM', pass);
      resolve(code ?? EXIT.failed);
    });
    child.stdin?.on('error', () => undefined).end(input);
  });
}

/** The same for a program that works on the state directory. */
export function runBeside(
  context: CliContext,
  options: GlobalOptions,
  name: 'region',
  argv: readonly string[],
  extra: { input?: string; database?: string } = {},
): Promise<number> {
  const database = extra.database === undefined ? [] : ['--database', extra.database];
  const state = ['--state', stateDirOf(context, options), '--log-level', 'warn'];
  return runProgram(context, name, [...argv, ...state, ...database], extra.input);
}
