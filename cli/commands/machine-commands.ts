import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import type { ActOptions, AllocateOptions } from '../machine/act.ts';
import { all, type Run } from './command.ts';

/** Verbs on machines. */
export function machineCommands(program: Command, context: CliContext, run: Run): void {
  program
    .command('machines [filter...]')
    .description("machines as a table; filter: words, status:ready tag:gpu cpu:'>=8' mem:'>=16G' -owner:ada")
    .action(
      run(async (filter: string[], _: unknown, command: Command) =>
        (await import('../machine/show.ts')).showMachines(context, all(command), filter),
      ),
    );
  program
    .command('machine <name>')
    .description('what a machine is, and the timeline of its newest attempt with what was seen')
    .option('--all', 'every attempt that is kept')
    .action(
      run(async (name: string, _: unknown, command: Command) =>
        (await import('../machine/show.ts')).showMachine(context, all(command), name),
      ),
    );
  program
    .command('explain <name> [action]')
    .description('may this be done now, and if not, every reason and the way out')
    .option('--image <name>', 'for deploy: ask about this image')
    .action(
      run(async (name: string, action: string | undefined, _: unknown, command: Command) =>
        (await import('../machine/show.ts')).explainAction(context, all(command), name, action),
      ),
    );
  program
    .command('events [name]')
    .description('the newest events, of everything or of one machine')
    .action(
      run(async (name: string | undefined, _: unknown, command: Command) =>
        (await import('../machine/show.ts')).showEvents(context, all(command), name),
      ),
    );
  const act = (command: Command, action: Parameters<typeof import('../machine/act.ts').act>[3]) =>
    waiting(command).action(
      run(async (name: string, _: unknown, self: Command) =>
        (await import('../machine/act.ts')).act(context, all<ActOptions>(self), name, action),
      ),
    );
  act(program.command('accept <name>').description('take an enlisted machine in'), 'accept');
  act(
    program
      .command('commission <name>')
      .description('learn what the machine is and test it')
      .option('--enable-ssh', 'leave it running for a look by SSH')
      .option('--skip-bmc-config', 'leave the BMC as it is')
      .option('--skip-networking', 'keep the network configuration')
      .option('--skip-storage', 'keep the storage layout')
      .option('--commissioning-scripts <name...>', 'further ones; the built-in ones always run')
      .option('--testing-scripts <name...>', 'instead of the usual ones'),
    'commission',
  );
  act(
    program
      .command('test <name>')
      .description('run tests on the machine')
      .option('--enable-ssh', 'leave it running for a look by SSH')
      .option('--testing-scripts <name...>', 'instead of the usual ones'),
    'test',
  );
  waiting(program.command('allocate [name]').description('make a machine yours: this one, or the first that fits'))
    .option('--cores <n>', 'at least so many')
    .option('--memory <MiB>', 'at least so much')
    .option('--tag <name...>', 'has each of these tags')
    .option('--zone <name>', 'in this zone')
    .option('--pool <name>', 'in this pool')
    .option('--arch <name>', 'of this architecture')
    .action(
      run(async (name: string | undefined, _: unknown, command: Command) =>
        (await import('../machine/act.ts')).allocate(context, all<AllocateOptions>(command), name),
      ),
    );
  act(
    program
      .command('deploy <name>')
      .description('write an operating system on the machine and start it')
      .option('--image <name>', 'debian/bookworm, or bookworm')
      .option('--user-data <file>', 'for cloud-init; - is standard input')
      .option('--plan', 'only say what would happen, and what speaks against it'),
    'deploy',
  );
  act(
    program
      .command('release <name>')
      .description('give the machine back')
      .option('--erase', 'erase its disks first')
      .option('--secure-erase', "by the disks' own function where they have one")
      .option('--quick-erase', 'only what makes the disks readable'),
    'release',
  );
  act(program.command('rescue <name>').description('boot the ephemeral system for repairs'), 'rescue');
  act(program.command('exit-rescue <name>').description('back to what it was before rescue'), 'exit-rescue');
  act(program.command('abort <name>').description('stop what is under way'), 'abort');
  act(program.command('lock <name>').description('protect a deployed machine from every change'), 'lock');
  act(program.command('unlock <name>').description('undo lock'), 'unlock');
  act(program.command('mark-broken <name>').description('take the machine out of use'), 'mark-broken');
  act(program.command('mark-fixed <name>').description('back into use'), 'mark-fixed');
  act(
    program.command('override-failed-testing <name>').description('use the machine although tests failed'),
    'override-failed-testing',
  );
  act(program.command('delete <name>').description('forget the machine'), 'delete');
  waiting(program.command('power <name> <on|off|status>').description('switch the machine, or ask its BMC'))
    .option('--soft', 'off: ask the system to shut down')
    .action(
      run(async (name: string, what: string, _: unknown, command: Command) =>
        (await import('../machine/act.ts')).power(context, all<ActOptions>(command), name, what),
      ),
    );
  program
    .command('power-settings <name>')
    .description('how its power is switched: shown without secrets, or changed')
    .option('--type <type>', 'ipmi, redfish, webhook, manual')
    .option(
      '--set <field=value...>',
      'as the driver names its fields; FIELD=@FILE keeps a password off the command line',
    )
    .action(
      run(async (name: string, _: unknown, command: Command) =>
        (await import('../machine/power-settings.ts')).powerSettings(context, all(command), name),
      ),
    );
  program
    .command('ssh <name> [command...]')
    .description('log in to a deployed machine')
    .option('-l, --user <name>', "the image's own login unless told")
    .option('-i, --identity <file>', 'private key')
    .action(
      run(async (name: string, words: string[], _: unknown, command: Command) =>
        (await import('../machine/ssh.ts')).ssh(context, all(command), name, words),
      ),
    );
}

function waiting(command: Command): Command {
  return command
    .option('-w, --wait', 'follow the work; the exit code is its outcome')
    .option('--timeout <time>', 'longest to wait, for example 45m (default 60m)')
    .option('--comment <text>', 'noted in the events');
}
