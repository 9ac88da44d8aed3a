import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { MachineView } from '@ingot/contract/native.ts';
import { type CliContext, type GlobalOptions, stateDirOf } from '../context.ts';
import { CliFailure, EXIT } from '../failure.ts';
import { openSession } from '../session.ts';

/** Who an image's cloud-init makes the login for. */
const LOGINS: Record<string, string> = { ubuntu: 'ubuntu', centos: 'centos', rocky: 'rocky' };

export interface SshOptions extends GlobalOptions {
  user?: string;
  identity?: string;
}

/**
 * `ingot ssh NAME [COMMAND…]`. Where the state directory has an `ssh_config` (a lab writes one, with the way into its
 * network), that is used with the machine's name; otherwise the machine's first address. Ends with ssh's own exit code.
 */
export async function ssh(context: CliContext, options: SshOptions, name: string, command: string[]): Promise<number> {
  const { client } = await openSession(context, options);
  const machine = await client.get(`/machines/${encodeURIComponent(name)}`, MachineView);
  if (machine.status !== 'DEPLOYED') {
    throw new CliFailure(`${machine.hostname} is ${machine.statusName}, not Deployed`, {
      exitCode: EXIT.refused,
      fix: `deploy it: ingot deploy ${machine.hostname} --wait`,
    });
  }
  return run(sshArguments(machine, options, path.join(stateDirOf(context, options), 'ssh_config'), command));
}

/** Pure but for looking whether the configuration exists. */
function sshArguments(machine: MachineView, options: SshOptions, config: string, command: string[]): string[] {
  const identity = options.identity === undefined ? [] : ['-i', options.identity];
  const address = machine.addresses[0];
  // A machine that was deployed anew has a new host key: the address is no name to pin a key to.
  const hostKey = [
    '-o',
    `HostKeyAlias=${machine.systemId}.${machine.statusSince}`,
    '-o',
    'StrictHostKeyChecking=accept-new',
  ];
  if (existsSync(config)) {
    const user = options.user === undefined ? [] : ['-l', options.user];
    // What is known by now goes before what the file says: a machine that was deployed again may have another address.
    const hostName = address === undefined ? [] : ['-o', `HostName=${address}`];
    return ['-F', config, ...hostName, ...hostKey, ...identity, ...user, machine.hostname, ...command];
  }
  if (address === undefined) {
    throw new CliFailure(`${machine.hostname} has no known address`, {
      exitCode: EXIT.failed,
      fix: `look at its network: ingot machine ${machine.hostname}`,
    });
  }
  const user = options.user ?? LOGINS[machine.osystem] ?? 'debian';
  return [...hostKey, ...identity, '-l', user, address, ...command];
}

function run(args: string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn('ssh', args, { stdio: 'inherit' });
    child.on('error', (error) =>
      reject(
        new CliFailure(`ssh cannot be started: ${error.message}`, {
          exitCode: EXIT.failed,
          fix: 'install it: apt-get install openssh-client',
        }),
      ),
    );
    child.on('exit', (code) => resolve(code ?? EXIT.failed));
  });
}
