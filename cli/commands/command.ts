import type { Command } from 'commander';
import type { GlobalOptions } from '../context.ts';

/** An exit code; undefined is 0. */
export type Done = number | undefined;

/** Wraps the work of a command so that its exit code is kept. */
export type Run = <Args extends unknown[]>(
  work: (...args: Args) => Promise<Done> | Promise<void>,
) => (...args: Args) => Promise<void>;

/** Global options stand before or after the command's name. */
export const all = <T extends GlobalOptions>(command: Command): T => command.optsWithGlobals<T>();
