import { copyFile, link, mkdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { buildDeploy } from './deploy.ts';
import type { DeployKernel } from './deploy-recipe.ts';
import { buildEphemeral } from './ephemeral.ts';
import type { BuildInput, BuildProgress, BuiltImage } from './progress.ts';
import { sweepDead } from './sweep.ts';

/**
 * `node dist/images-build.mjs --kind ephemeral|deploy --out DIR [--cache DIR] [--work DIR] [--agent FILE] [--mirror URL]
 * [--release NAME] [--kernel cloud|generic] [--refresh] [--json]`
 *
 * Finished files stay in the cache; DIR gets links to them that the caller may move away. With --json each line of standard
 * output is an object: `{"progress": {step, fraction, text}}` while working, the built image last. Package output goes to
 * standard error. Exit 2: wrong arguments; 1: the build failed.
 */
async function main(): Promise<number> {
  const options = readOptions();
  if (options === null) return 2;
  if (process.getuid?.() !== 0) {
    process.stderr.write('images are built as root (mmdebstrap makes device files and owners): use sudo\n');
    return 2;
  }
  await sweepDead(options.work);
  let lastText = '';
  const build: BuildInput = {
    workDir: options.work,
    outDir: options.cache,
    mirror: options.mirror,
    refresh: options.refresh,
    log: (line) => process.stderr.write(`${line}\n`),
    onProgress: (progress) => {
      const text = options.json ? JSON.stringify({ progress }) : readable(progress);
      if (text !== lastText) process.stdout.write(`${text}\n`);
      lastText = text;
    },
  };
  const image =
    options.kind === 'ephemeral'
      ? await buildEphemeral({ ...build, agent: options.agent })
      : await buildDeploy({ ...build, release: options.release, kernel: options.kernel });
  const handedOut = await handOut(image, options.out);
  process.stdout.write(`${JSON.stringify(handedOut)}\n`);
  return 0;
}

interface Options {
  kind: 'ephemeral' | 'deploy';
  out: string;
  cache: string;
  work: string;
  agent: string;
  mirror?: string;
  release?: string;
  kernel?: DeployKernel;
  refresh: boolean;
  json: boolean;
}

function readOptions(): Options | null {
  const here = dirname(fileURLToPath(import.meta.url));
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean', default: false } as const;
  try {
    const { values } = parseArgs({
      options: {
        ...{ kind: text, out: text, mirror: text, release: text, kernel: text, refresh: flag, json: flag },
        cache: { type: 'string', default: '/var/cache/ingot/images' },
        work: { type: 'string', default: '/var/cache/ingot/work' },
        agent: { type: 'string', default: join(here, 'agent.cjs') },
      },
    });
    const { kind, out, kernel } = values;
    if (kind !== 'ephemeral' && kind !== 'deploy') throw new Error('--kind is ephemeral or deploy');
    if (out === undefined) throw new Error('--out names the directory for the finished files');
    if (kernel !== undefined && kernel !== 'cloud' && kernel !== 'generic') {
      throw new Error('--kernel is cloud or generic');
    }
    return { ...values, kind, out, kernel };
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    return null;
  }
}

async function handOut(image: BuiltImage, out: string): Promise<BuiltImage> {
  await mkdir(out, { recursive: true });
  const files: BuiltImage['files'] = [];
  for (const file of image.files) {
    const path = join(out, basename(file.path));
    await rm(path, { force: true });
    // Another file system: a copy. A link is enough otherwise, finished files are replaced, never written to.
    await link(file.path, path).catch(() => copyFile(file.path, path));
    files.push({ ...file, path });
  }
  return { ...image, files };
}

function readable(progress: BuildProgress): string {
  const percent = progress.fraction === null ? '' : ` ${Math.round(progress.fraction * 100)} %`;
  return `${progress.step}${percent} ${progress.text}`.trimEnd();
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  },
);
