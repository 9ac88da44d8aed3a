import { Command, CommanderError, Option } from 'commander';
import type { CliContext, GlobalOptions } from './context.ts';
import type { ActOptions, AllocateOptions } from './machine/act.ts';
import type { BuildOptions, Kind } from './site/images.ts';
import type { UpOptions } from './supervise/up.ts';

// Nothing but commander is imported here at start: --help must be quick. Each action imports what it needs.

type Done = number | undefined;

/** Runs one command; gives its exit code. Throws CliFailure for everything that a person can do something about. */
export async function runCommandLine(argv: readonly string[], context: CliContext): Promise<number> {
  const [first, ...rest] = argv;
  if (first === 'region' || first === 'rack' || first === 'lab') {
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
    .showHelpAfterError('(--help shows what there is)')
    .configureOutput({
      writeOut: (text) => context.stdout.write(text),
      writeErr: (text) => context.stderr.write(text),
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

type Run = <Args extends unknown[]>(
  work: (...args: Args) => Promise<Done> | Promise<void>,
) => (...args: Args) => Promise<void>;

/** Global options stand before or after the command's name. */
const all = <T extends GlobalOptions>(command: Command): T => command.optsWithGlobals<T>();

function waiting(command: Command): Command {
  return command
    .option('-w, --wait', 'follow the work; the exit code is its outcome')
    .option('--timeout <time>', 'longest to wait, for example 45m (default 60m)')
    .option('--comment <text>', 'noted in the events');
}

function machineCommands(program: Command, context: CliContext, run: Run): void {
  program
    .command('machines [filter...]')
    .description("machines as a table; filter: words, status:ready tag:gpu cpu:'>=8' mem:'>=16G' -owner:ada")
    .action(
      run(async (filter: string[], _: unknown, command: Command) =>
        (await import('./machine/show.ts')).showMachines(context, all(command), filter),
      ),
    );
  program
    .command('machine <name>')
    .description('what a machine is, and the timeline of its newest attempt with what was seen')
    .option('--all', 'every attempt that is kept')
    .action(
      run(async (name: string, _: unknown, command: Command) =>
        (await import('./machine/show.ts')).showMachine(context, all(command), name),
      ),
    );
  program
    .command('explain <name> [action]')
    .description('may this be done now, and if not, every reason and the way out')
    .option('--image <name>', 'for deploy: ask about this image')
    .action(
      run(async (name: string, action: string | undefined, _: unknown, command: Command) =>
        (await import('./machine/show.ts')).explainAction(context, all(command), name, action),
      ),
    );
  program
    .command('events [name]')
    .description('the newest events, of everything or of one machine')
    .action(
      run(async (name: string | undefined, _: unknown, command: Command) =>
        (await import('./machine/show.ts')).showEvents(context, all(command), name),
      ),
    );
  const act = (command: Command, action: Parameters<typeof import('./machine/act.ts').act>[3]) =>
    waiting(command).action(
      run(async (name: string, _: unknown, self: Command) =>
        (await import('./machine/act.ts')).act(context, all<ActOptions>(self), name, action),
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
      .option('--commissioning-scripts <name...>', 'instead of the usual ones')
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
        (await import('./machine/act.ts')).allocate(context, all<AllocateOptions>(command), name),
      ),
    );
  act(
    program
      .command('deploy <name>')
      .description('write an operating system on the machine and start it')
      .option('--image <name>', 'debian/bookworm, or bookworm')
      .option('--user-data <file>', 'for cloud-init; - is standard input'),
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
        (await import('./machine/act.ts')).power(context, all<ActOptions>(command), name, what),
      ),
    );
  program
    .command('ssh <name> [command...]')
    .description('log in to a deployed machine')
    .option('-l, --user <name>', "the image's own login unless told")
    .option('-i, --identity <file>', 'private key')
    .action(
      run(async (name: string, words: string[], _: unknown, command: Command) =>
        (await import('./machine/ssh.ts')).ssh(context, all(command), name, words),
      ),
    );
}

function siteCommands(program: Command, context: CliContext, run: Run): void {
  const keys = program.command('keys').description('your SSH keys: they get into the machines that you deploy');
  keys
    .command('list', { isDefault: true })
    .description('your keys')
    .action(
      run(async (_: unknown, command: Command) => (await import('./site/keys.ts')).listKeys(context, all(command))),
    );
  keys
    .command('add <file>')
    .description('a .pub file, or the key itself')
    .action(
      run(async (file: string, _: unknown, command: Command) =>
        (await import('./site/keys.ts')).addKey(context, all(command), file),
      ),
    );
  keys
    .command('remove <id>')
    .description('by the id that list shows')
    .action(
      run(async (id: string, _: unknown, command: Command) =>
        (await import('./site/keys.ts')).removeKey(context, all(command), id),
      ),
    );
  const images = program.command('images').description('the systems that machines boot and get');
  images
    .command('list', { isDefault: true })
    .description('images in the store')
    .action(
      run(async (_: unknown, command: Command) => (await import('./site/images.ts')).listImages(context, all(command))),
    );
  images
    .command('build')
    .addArgument(program.createArgument('[kind...]', 'both unless told').choices(['ephemeral', 'deploy']))
    .description('build images with the packages of this host and put them into the store (root)')
    .option('--mirror <url>', "archive to use instead of the host's own sources")
    .option('--release <name>', 'of the deployed system')
    .option('--cache <dir>', 'where finished images are kept and found again')
    .option('--refresh', 'build again although nothing changed')
    .action(
      run(async (kinds: Kind[], _: unknown, command: Command) => {
        const { buildImages, KINDS } = await import('./site/images.ts');
        await buildImages(context, all<BuildOptions>(command), kinds.length === 0 ? KINDS : kinds);
      }),
    );
  images
    .command('delete <image>')
    .description('by id or name; refused while machines use it')
    .action(
      run(async (image: string, _: unknown, command: Command) =>
        (await import('./site/images.ts')).deleteImage(context, all(command), image),
      ),
    );
  const network = program.command('network').description('the networks that machines boot from');
  network
    .command('list', { isDefault: true })
    .description('known networks')
    .action(
      run(async (_: unknown, command: Command) =>
        (await import('./site/network.ts')).listNetworks(context, all(command)),
      ),
    );
  network
    .command('serve <cidr>')
    .description('DHCP and network boot in this network')
    .option('--range <first-last>', 'addresses for machines that boot; chosen when not given')
    .action(
      run(async (cidr: string, _: unknown, command: Command) =>
        (await import('./site/network.ts')).serveNetwork(context, all(command), cidr),
      ),
    );
  program
    .command('login <url> <key>')
    .description('remember a region on another host')
    .action(run(async (url: string, key: string) => (await import('./site/accounts.ts')).login(context, url, key)));
  program
    .command('whoami')
    .description('who you are for the region')
    .action(
      run(async (_: unknown, command: Command) => (await import('./site/accounts.ts')).whoAmI(context, all(command))),
    );
}

function hostCommands(program: Command, context: CliContext, run: Run): void {
  program
    .command('up')
    .description('run region and rack on this host')
    .option('--listen <host:port>', 'where people and programs reach it', '127.0.0.1:5240')
    .option('--database <url>', 'your own PostgreSQL (or INGOT_DATABASE_URL)')
    .option('--no-rack', 'the region alone')
    .option('--rack-address <ip...>', 'address of the rack in a network of machines')
    .option('--rack-interface <name...>', 'interface that the rack serves')
    .action(
      run(async (_: unknown, command: Command) =>
        (await import('./supervise/up.ts')).up(context, all<UpOptions>(command)),
      ),
    );
  program.command('region').description('the region program itself: ingot region --help').helpOption(false);
  program.command('rack').description('the rack program itself: ingot rack --help').helpOption(false);
  program.command('lab').description('virtual data centre: ingot lab --help').helpOption(false);
  program
    .command('init')
    .description('make database, schema and key in the state directory, then end')
    .option('--database <url>', 'your own PostgreSQL')
    .action(
      run(async (_: unknown, command: Command) => {
        const { runBeside } = await import('./run-beside.ts');
        const options = all<GlobalOptions & { database?: string }>(command);
        return runBeside(context, options, 'region', ['init'], { database: options.database });
      }),
    );
  program
    .command('createadmin')
    .description('make an administrator; without --password one is made and shown')
    .requiredOption('--username <name>', 'to log in with')
    .option('--password <password>', 'at least eight characters')
    .option('--email <address>', 'where to reach them')
    .option('--database <url>', 'your own PostgreSQL')
    .action(
      run(async (_: unknown, command: Command) =>
        (await import('./site/accounts.ts')).createAdmin(context, all(command)),
      ),
    );
  program
    .command('apikey [user]')
    .description('a new API key, for --url, the maas command and other clients')
    .option('--name <name>', 'what it is for')
    .option('--database <url>', 'your own PostgreSQL')
    .action(
      run(async (user: string | undefined, _: unknown, command: Command) =>
        (await import('./site/accounts.ts')).apiKey(context, all(command), user),
      ),
    );
  program
    .command('doctor')
    .description('look at everything that Ingot needs here, and say what to do')
    .action(
      run(async (_: unknown, command: Command) => (await import('./doctor/doctor.ts')).doctor(context, all(command))),
    );
}
