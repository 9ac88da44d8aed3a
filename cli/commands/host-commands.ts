import path from 'node:path';
import type { Command } from 'commander';
import type { CliContext, GlobalOptions } from '../context.ts';
import type { UpOptions } from '../supervise/up.ts';
import { all, type Run } from './command.ts';

/** What runs on this host. */
export function hostCommands(program: Command, context: CliContext, run: Run): void {
  program
    .command('up')
    .description('run region and rack on this host')
    .option('--listen <host:port>', 'where people and programs reach it', '127.0.0.1:5240')
    .option('--database <url>', 'your own PostgreSQL (or INGOT_DATABASE_URL)')
    .option('--rack-listen <host:port>', 'let racks of other hosts in, by TLS; usually 0.0.0.0:5250')
    .option('--rack-name <name...>', 'name or address by which they reach it, when it is none of this host')
    .option('--no-rack', 'the region alone')
    .option('--rack-address <ip...>', 'address of the rack in a network of machines')
    .option('--rack-interface <name...>', 'interface that the rack serves')
    .option('--leases <file>', "lease file of another's Kea that serves DHCP to the machines here")
    .option('--no-tftp', 'no firmware here asks by TFTP')
    .action(
      run(async (_: unknown, command: Command) =>
        (await import('../supervise/up.ts')).up(context, all<UpOptions>(command)),
      ),
    );
  program.command('region').description('the region program itself: ingot region --help').helpOption(false);
  program
    .command('rack')
    .description('the rack program itself: ingot rack --help; a token for a new one: ingot rack token')
    .helpOption(false)
    .command('token')
    .helpOption('-h, --help', 'display help for command')
    .description('a one-time token, good for 24 h; prints what to run on the host of the new rack')
    .action(
      run(async (_: unknown, command: Command) => (await import('../site/racks.ts')).rackToken(context, all(command))),
    );
  program.command('lab').description('virtual data centre: ingot lab --help').helpOption(false);
  program
    .command('init')
    .description('make database, schema and key in the state directory, then end')
    .option('--database <url>', 'your own PostgreSQL')
    .action(
      run(async (_: unknown, command: Command) => {
        const { runBeside } = await import('../run-beside.ts');
        const options = all<GlobalOptions & { database?: string }>(command);
        return runBeside(context, options, 'region', ['init'], { database: options.database });
      }),
    );
  program
    .command('restore <dump>')
    .description('put a dump of pg_dump --format=custom into a new state directory, then end')
    .action(
      run(async (dump: string, _: unknown, command: Command) => {
        const { runBeside } = await import('../run-beside.ts');
        return runBeside(context, all<GlobalOptions>(command), 'region', ['restore', '--file', path.resolve(dump)], {});
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
        (await import('../site/accounts.ts')).createAdmin(context, all(command)),
      ),
    );
  program
    .command('apikey [user]')
    .description('a new API key, for --url, the maas command and other clients')
    .option('--name <name>', 'what it is for')
    .option('--database <url>', 'your own PostgreSQL')
    .action(
      run(async (user: string | undefined, _: unknown, command: Command) =>
        (await import('../site/accounts.ts')).apiKey(context, all(command), user),
      ),
    );
  program
    .command('doctor')
    .description('look at everything that Ingot needs here, and say what to do')
    .action(
      run(async (_: unknown, command: Command) => (await import('../doctor/doctor.ts')).doctor(context, all(command))),
    );
}
