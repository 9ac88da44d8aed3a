import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { parseRegionUrl, type RegionAddress, type RegionHost, regionUrl } from './address.ts';

const File = z.object({ url: z.string() });

async function read(file: string): Promise<string | null> {
  return await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
}

async function write(file: string, text: string): Promise<void> {
  await writeFile(`${file}.new`, text, { mode: 0o600 });
  await rename(`${file}.new`, file);
}

/** Keeps the region of an enrolment: DIR/rack/region-ca.pem and DIR/rack/region.json. */
export async function rememberRegion(stateDir: string, region: RegionHost, ca: string): Promise<void> {
  const dir = join(stateDir, 'rack');
  await mkdir(dir, { recursive: true, mode: 0o700 });
  await write(join(dir, 'region-ca.pem'), ca);
  await write(
    join(dir, 'region.json'),
    `${JSON.stringify({ url: regionUrl(region) } satisfies z.infer<typeof File>)}\n`,
  );
}

export type Found = { ok: true; region: RegionAddress } | { ok: false; message: string };

const TWICE = 'make a token on the region with `ingot rack token` and run here what it prints';

/**
 * The region to serve: unix:PATH or https://HOST[:PORT] when `told`, else that of the enrolment. Over TLS only with the CA
 * of the enrolment.
 */
export async function findRegion(stateDir: string, told: string | undefined): Promise<Found> {
  const socket = /^unix:(\/.+)$/.exec(told ?? '')?.[1];
  if (socket !== undefined) return { ok: true, region: { kind: 'unix', path: socket } };
  const file = join(stateDir, 'rack', 'region.json');
  let url = told;
  if (url === undefined) {
    const text = await read(file);
    if (text === null) return { ok: false, message: `this rack is not enrolled (${file} is missing): ${TWICE}` };
    url = remembered(text);
    if (url === undefined) return { ok: false, message: `${file} cannot be read: ${TWICE}` };
  }
  const host = parseRegionUrl(url);
  if (host === null) return { ok: false, message: `--region is unix:PATH or https://HOST:PORT, not ${url}` };
  const ca = await read(join(stateDir, 'rack', 'region-ca.pem'));
  if (ca === null) return { ok: false, message: `this rack is not enrolled and cannot know ${url}: ${TWICE}` };
  return { ok: true, region: { kind: 'tls', ...host, ca } };
}

function remembered(text: string): string | undefined {
  try {
    return File.parse(JSON.parse(text)).url;
  } catch {
    return undefined;
  }
}
