import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type AptSource, parseDeb822Sources, parseOneLineSources } from './apt-sources.ts';

/** What the host runs: images are of the same release, so that its archives and keys serve. */
export interface HostRelease {
  os: string;
  /** e.g. bookworm */
  codename: string;
  /** e.g. "Debian 12" */
  title: string;
  /** Debian's name of the architecture, e.g. amd64. */
  architecture: string;
}

const DEBIAN_ARCHITECTURES: Partial<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

/** Reads os-release(5). Throws when the host is no Debian or its release has no codename. */
export async function hostRelease(root = '/', nodeArch: string = process.arch): Promise<HostRelease> {
  const fields = new Map<string, string>();
  for (const line of (await readFile(join(root, 'etc/os-release'), 'utf8')).split('\n')) {
    const match = /^([A-Z_]+)="?([^"]*)"?$/.exec(line.trim());
    if (match !== null) fields.set(match[1] ?? '', match[2] ?? '');
  }
  const os = fields.get('ID') ?? '';
  const codename = fields.get('VERSION_CODENAME') ?? '';
  const architecture = DEBIAN_ARCHITECTURES[nodeArch];
  if (os !== 'debian' || codename === '') {
    throw new Error(`images are built from Debian's archives; this host says ID=${os} VERSION_CODENAME=${codename}`);
  }
  if (architecture === undefined) throw new Error(`no image recipe for processor architecture ${nodeArch}`);
  const name = (fields.get('NAME') ?? 'Debian').split(' ')[0] ?? 'Debian';
  return { os, codename, title: `${name} ${fields.get('VERSION_ID') ?? codename}`, architecture };
}

/** All archives apt would use on this host, in apt's order of files. */
export async function hostSources(root = '/'): Promise<AptSource[]> {
  const apt = join(root, 'etc/apt');
  const sources = parseOneLineSources(await readFile(join(apt, 'sources.list'), 'utf8').catch(() => ''));
  const parts = await readdir(join(apt, 'sources.list.d')).catch(() => []);
  for (const name of parts.sort()) {
    const read = () => readFile(join(apt, 'sources.list.d', name), 'utf8');
    if (name.endsWith('.list')) sources.push(...parseOneLineSources(await read()));
    else if (name.endsWith('.sources')) sources.push(...parseDeb822Sources(await read()));
  }
  return sources;
}
