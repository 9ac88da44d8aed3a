import { type FileHandle, open } from 'node:fs/promises';

/**
 * The DHCP server of a site that runs its own: gives each machine its address and writes it into a lease file in Kea's
 * form, which the rack was told to read. No packet is sent: a machine of this process asks by a call.
 */
export interface ForeignDhcp {
  /** Resolves when the row stands in the file. */
  give(mac: string, address: string, subnetId: number): Promise<void>;
  close(): Promise<void>;
}

/** Columns of Kea 2.2's memfile. */
const HEADER =
  'address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context,pool_id\n';
const LIFETIME_SECONDS = 86_400;

export async function openForeignDhcp(file: string): Promise<ForeignDhcp> {
  const handle: FileHandle = await open(file, 'w', 0o644);
  await handle.write(HEADER);
  let waiting: string[] = [];
  let writing: Promise<void> | null = null;
  // Rows that come while one write is under way go out together in the next.
  const flush = (): Promise<void> => {
    const before = writing ?? Promise.resolve();
    const mine = before.then(async () => {
      const rows = waiting;
      waiting = [];
      if (rows.length > 0) await handle.appendFile(rows.join(''));
    });
    writing = mine;
    return mine;
  };
  return {
    give: (mac, address, subnetId) => {
      const expires = Math.floor(Date.now() / 1000) + LIFETIME_SECONDS;
      waiting.push(`${address},${mac},,${LIFETIME_SECONDS},${expires},${subnetId},0,0,,0,,0\n`);
      return flush();
    },
    close: async () => {
      await writing?.catch(() => undefined);
      await handle.close();
    },
  };
}
