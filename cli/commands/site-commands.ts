import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import type { BuildOptions, Kind } from '../site/images.ts';
import type { UploadOptions } from '../site/upload.ts';
import { all, type Run } from './command.ts';

/** Keys, images, networks, settings, and who one is. */
export function siteCommands(program: Command, context: CliContext, run: Run): void {
  const keys = program.command('keys').description('your SSH keys: they get into the machines that you deploy');
  keys
    .command('list', { isDefault: true })
    .description('your keys')
    .action(
      run(async (_: unknown, command: Command) => (await import('../site/keys.ts')).listKeys(context, all(command))),
    );
  keys
    .command('add <file>')
    .description('a .pub file, or the key itself')
    .action(
      run(async (file: string, _: unknown, command: Command) =>
        (await import('../site/keys.ts')).addKey(context, all(command), file),
      ),
    );
  keys
    .command('remove <id>')
    .description('by the id that list shows')
    .action(
      run(async (id: string, _: unknown, command: Command) =>
        (await import('../site/keys.ts')).removeKey(context, all(command), id),
      ),
    );
  const images = program.command('images').description('the systems that machines boot and get');
  images
    .command('list', { isDefault: true })
    .description('images in the store')
    .action(
      run(async (_: unknown, command: Command) =>
        (await import('../site/images.ts')).listImages(context, all(command)),
      ),
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
        const { buildImages, KINDS } = await import('../site/images.ts');
        await buildImages(context, all<BuildOptions>(command), kinds.length === 0 ? KINDS : kinds);
      }),
    );
  images
    .command('upload <file>')
    .description('put an image of your own into the store; the same command again goes on where it stopped')
    .requiredOption('--name <name>', 'custom/NAME, or OS/RELEASE')
    .option('--arch <name>', 'Debian name of the architecture', 'amd64')
    .option('--format <name>', "tgz, tar.zst, txz, squashfs, raw, raw.zst, qcow2 …; by the file's name unless told")
    .option('--title <text>', 'shown to people')
    .action(
      run(async (file: string, _: unknown, command: Command) =>
        (await import('../site/upload.ts')).uploadImage(context, all<UploadOptions>(command), file),
      ),
    );
  images
    .command('delete <image>')
    .description('by id or name; refused while machines use it')
    .action(
      run(async (image: string, _: unknown, command: Command) =>
        (await import('../site/images.ts')).deleteImage(context, all(command), image),
      ),
    );
  const network = program.command('network').description('the networks that machines boot from');
  network
    .command('list', { isDefault: true })
    .description('known networks')
    .action(
      run(async (_: unknown, command: Command) =>
        (await import('../site/network.ts')).listNetworks(context, all(command)),
      ),
    );
  network
    .command('serve <cidr>')
    .description('DHCP and network boot in this network')
    .option('--range <first-last>', 'addresses for machines that boot; chosen when not given')
    .addOption(
      program
        .createOption(
          '--mode <mode>',
          'who gives addresses: Ingot, a server of yours (proxy), a relay to Ingot, nobody',
        )
        .choices(['on', 'proxy', 'relay', 'off'])
        .default('on'),
    )
    .option('--via <cidr>', 'with --mode relay: the network whose rack answers')
    .option('--primary <rack>', 'rack that serves it, when several stand there')
    .option('--secondary <rack>', "rack that stands in when the first is away; 'none' takes it back")
    .action(
      run(async (cidr: string, _: unknown, command: Command) =>
        (await import('../site/network.ts')).serveNetwork(context, all(command), cidr),
      ),
    );
  program
    .command('settings [name...]')
    .description('settings of the site; NAME=VALUE changes one')
    .action(
      run(async (words: string[], _: unknown, command: Command) =>
        (await import('../site/settings.ts')).settings(context, all(command), words),
      ),
    );
  program
    .command('login <url> <key>')
    .description('remember a region on another host')
    .action(run(async (url: string, key: string) => (await import('../site/accounts.ts')).login(context, url, key)));
  program
    .command('whoami')
    .description('who you are for the region')
    .action(
      run(async (_: unknown, command: Command) => (await import('../site/accounts.ts')).whoAmI(context, all(command))),
    );
}
