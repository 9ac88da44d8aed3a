import { Command, CommanderError, Option } from 'commander';
import type { Done } from './commands/command.ts';
import { hostCommands } from './commands/host-commands.ts';
import { machineCommands } from './commands/machine-commands.ts';
import { siteCommands } from './commands/site-commands.ts';
import type { CliContext } from './context.ts';

// Nothing but commander is imported here at start: --help must be quick. Each action imports what it needs.

/** Runs one command; gives its exit code. Throws CliFailure for everything that a person can do something about. */
export async function runCommandLine(argv: readonly string[], context: CliContext): Promise<number> {
  const [first, ...rest] = argv;
  // A token is the region's business; everything else is the rack program's.
  if (first === 'region' || (first === 'rack' && rest[0] !== 'token') || first === 'lab') {
    const { runProgram } = await import('./run-beside.ts');
    return runProgram(context, first, rest);
  }
  let code: Done;
  const program = buildProgram(context, (result) => {
    code = result;
  });
  try {
    await program.parseAsync([...argv], { from: 'user' });
  } catch (error) {
    // Commander has said what was wrong; its own codes are 1 for all of it.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    throw error;
  }
  return code ?? 0;
}

export function buildProgram(context: CliContext, finish: (code: Done) => void): Command {
  const program = new Command('ingot')
    .description('Bare metal as a service: finds servers, learns what they are, deploys them, takes them back erased.')
    .option('--state <dir>', `state directory of the region (default ${context.env.stateDir}, or INGOT_STATE)`)
    .option('--url <url>', 'region on another host (or INGOT_URL)')
    .option('--api-key <key>', 'CONSUMER:TOKEN:SECRET for --url (or INGOT_API_KEY)')
    .addOption(new Option('-o, --output <form>', 'how data is printed').choices(['table', 'json']))
    .configureOutput({
      writeOut: (text) => context.stdout.write(text),
      writeErr: (text) => context.stderr.write(text),
      outputError: (text, write) => write(`${text.trim()} (--help shows what there is)\n`),
    })
    .exitOverride();
  program.helpCommand(false);
  const run =
    <Args extends unknown[]>(work: (...args: Args) => Promise<Done> | Promise<void>) =>
    async (...args: Args) => {
      const code = await work(...args);
      finish(typeof code === 'number' ? code : undefined);
    };
  machineCommands(program, context, run);
  siteCommands(program, context, run);
  hostCommands(program, context, run);
  return program;
}
