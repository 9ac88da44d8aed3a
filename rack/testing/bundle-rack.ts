import { build } from 'esbuild';

/** The rack as one file that Node runs, for tests that start it in a namespace. */
export async function bundleRack(outfile: string): Promise<void> {
  const banner = "import { createRequire as r } from 'node:module'; const require = r(import.meta.url);";
  await build({
    entryPoints: [new URL('../main.ts', import.meta.url).pathname],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    banner: { js: banner },
    logLevel: 'error',
  });
}
