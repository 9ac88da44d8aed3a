import { mkdir, writeFile } from 'node:fs/promises';
import { runTool } from './tool.ts';

/** Let the holders of these keys in as root. Without keys the SSH server is never started. */
export async function allowSsh(keys: string[], log: (line: string) => void): Promise<void> {
  if (keys.length === 0) return;
  await mkdir('/root/.ssh', { recursive: true, mode: 0o700 });
  await writeFile('/root/.ssh/authorized_keys', `${keys.join('\n')}\n`, { mode: 0o600 });
  // ed25519 only: RSA keys take seconds.
  await runTool('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', '/etc/ssh/ssh_host_ed25519_key'], {
    timeoutSeconds: 60,
  });
  const started = await runTool('systemctl', ['start', 'ssh.service'], { timeoutSeconds: 120 });
  log(started.exitStatus === 0 ? `SSH open for ${keys.length} keys` : `SSH server: ${started.combined.trim()}`);
}
