import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { build } from 'esbuild';

const KOFFI = join(dirname(createRequire(import.meta.url).resolve('koffi')), 'index.js');

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
    // Loads a native library from beside itself, so it is found where it is installed.
    plugins: [
      {
        name: 'koffi where it is',
        setup: ({ onResolve }) =>
          onResolve({ filter: /^koffi$/ }, () => ({
            path: KOFFI,
            external: true,
          })),
      },
    ],
    logLevel: 'error',
  });
}
