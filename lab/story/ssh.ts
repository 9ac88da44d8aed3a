import { readFile } from 'node:fs/promises';
import { command, tryCommand } from '../run/command.ts';
import { waitFor } from '../run/wait.ts';

/** A key pair of this run. */
export async function makeKey(file: string): Promise<string> {
  await command(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', 'ingot-story', '-f', file]);
  return (await readFile(`${file}.pub`, 'utf8')).trim();
}

/** Runs a script as root on a deployed machine; the login itself has to be by the key alone. */
export async function runOnMachine(config: string, host: string, script: string, timeoutMs: number): Promise<string> {
  const argv = ['ssh', '-F', config, '-o', 'BatchMode=yes', host, 'sudo', '-n', 'sh', '-eu', '-s'];
  const result = await tryCommand(argv, timeoutMs, script);
  if (result.code !== 0) throw new Error(`ssh ${host}: exit ${result.code}: ${result.stderr.trim()}`);
  return result.stdout;
}

/** The first login that succeeds; sshd comes up while cloud-init is still at work. */
export async function waitForLogin(config: string, host: string, timeoutMs: number): Promise<string> {
  let last = '';
  try {
    return await waitFor(`a login on ${host}`, timeoutMs, async () => {
      const argv = ['ssh', '-F', config, '-o', 'BatchMode=yes', host, 'hostname'];
      const result = await tryCommand(argv, 30_000);
      last = result.stderr.trim();
      return result.code === 0 ? result.stdout.trim() : undefined;
    });
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : error}; ssh said: ${last}`);
  }
}
