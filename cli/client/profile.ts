import { chmod, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import * as z from 'zod';

/** What `ingot login` remembers. */
export const Profile = z.object({ url: z.string(), apiKey: z.string() });
export type Profile = z.infer<typeof Profile>;

/** Written for its owner alone: it holds a key. */
export async function saveProfile(file: string, profile: Profile): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
  await writeFile(file, `${JSON.stringify(profile, null, 2)}\n`, { mode: 0o600 });
  await chmod(file, 0o600);
}
