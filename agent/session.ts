import { chmod, readFile, writeFile } from 'node:fs/promises';
import { SessionReply } from '@ingot/contract/agent.ts';
import { firmwareSeen, privateDirectory } from './devices.ts';
import { debianArchitecture } from './inventory.ts';
import type { RackClient } from './rack-client.ts';

const DIRECTORY = '/run/ingot';
const FILE = `${DIRECTORY}/session.json`;

/** Raised with every release of the agent. */
const AGENT_VERSION = '0.1.0';

/**
 * Trade the boot ticket for a session. A ticket works once, so the session is kept for an agent that is started again within
 * the same boot.
 */
export async function openSession(client: RackClient, ticket: string): Promise<SessionReply> {
  const kept = await readFile(FILE, 'utf8').catch(() => null);
  if (kept !== null) return SessionReply.parse(JSON.parse(kept));
  const session = await client.session({
    ticket,
    firmware: firmwareSeen(),
    architecture: debianArchitecture(),
    agentVersion: AGENT_VERSION,
  });
  await privateDirectory(DIRECTORY);
  await writeFile(FILE, JSON.stringify(session), { mode: 0o600 });
  await chmod(FILE, 0o600);
  return session;
}
