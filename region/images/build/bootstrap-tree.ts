import { imageSources, oneLine } from './apt-sources.ts';
import { hostSources } from './host-release.ts';
import { type BuildInput, packageProgress } from './progress.ts';
import { run } from './run.ts';

export interface TreeInput {
  suite: string;
  architecture: string;
  packages: string[];
  pathExcludes: string[];
  pathIncludes?: string[];
  /** Directory to make; must not exist. */
  target: string;
}

/** apt settings of the host an image build needs too: the way to the archive, and whether old snapshots are accepted. */
const FORWARDED_APT_SETTINGS =
  /^(Acquire::(?:https?|ftp)::Proxy|Acquire::Check-Valid-Until|Acquire::Check-Date) "(.*)";$/i;

/** Make a Debian tree with mmdebstrap as root. Resolves when all packages are configured. */
export async function bootstrapTree(input: TreeInput, build: BuildInput): Promise<void> {
  const sources = await archiveLines(input.suite, build.mirror);
  const args = [
    '--mode=root',
    '--variant=minbase',
    '--components=main',
    `--architectures=${input.architecture}`,
    '--verbose',
  ];
  args.push(
    '--aptopt=Apt::Install-Recommends "false"',
    '--aptopt=Acquire::Languages "none"',
    '--aptopt=Acquire::Retries "3"',
  );
  for (const line of await run('apt-config', ['dump'])) {
    const match = FORWARDED_APT_SETTINGS.exec(line);
    if (match?.[2]) args.push(`--aptopt=${match[1]} "${match[2]}"`);
  }
  for (const path of input.pathExcludes) args.push(`--dpkgopt=path-exclude=${path}`);
  for (const path of input.pathIncludes ?? []) args.push(`--dpkgopt=path-include=${path}`);
  args.push(`--include=${input.packages.join(',')}`, input.suite, input.target, ...sources);
  const onPackage = packageProgress((fraction, text) => build.onProgress({ step: 'packages', fraction, text }));
  await run('mmdebstrap', args, {
    onLine: (line) => {
      build.log(line);
      onPackage(line);
    },
  });
}

async function archiveLines(suite: string, mirror: string | undefined): Promise<string[]> {
  if (mirror !== undefined) return [`deb ${mirror} ${suite} main`, `deb ${mirror} ${suite}-updates main`];
  const sources = imageSources(await hostSources(), suite);
  if (!sources.some((source) => source.suite === suite)) {
    throw new Error(`this host's apt sources have no archive for ${suite} with component main; name one with --mirror`);
  }
  return sources.map(oneLine);
}
