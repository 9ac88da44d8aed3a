import { defineConfig } from 'vitest/config';

// `--project unit` needs nothing; `pg` needs PostgreSQL's programs; `root` needs root (namespaces, raw sockets);
// `web` needs Chromium and PostgreSQL; `story` needs everything.
// The heavy ones run one file at a time: two cores are what a small continuous-integration host has.
const folders = ['core', 'contract', 'protocols', 'region', 'rack', 'agent', 'cli', 'web', 'lab', 'bench', 'scripts'];
const ending = (suffix: string) => folders.map((folder) => `${folder}/**/*.${suffix}`);
const heavy = [
  ...ending('pg.test.ts'),
  ...ending('pg.test.tsx'),
  ...ending('root.test.ts'),
  ...ending('root.test.tsx'),
  ...ending('web.test.ts'),
];
const story = ending('story.test.ts');
const never = ['**/node_modules/**', '**/dist/**', '**/.build/**'];

export default defineConfig({
  test: {
    maxWorkers: 2,
    projects: [
      {
        test: {
          name: 'unit',
          include: [...ending('test.ts'), ...ending('test.tsx')],
          exclude: [...never, ...heavy, ...story],
          testTimeout: 20_000,
        },
      },
      {
        test: {
          name: 'pg',
          include: [...ending('pg.test.ts'), ...ending('pg.test.tsx')],
          exclude: never,
          testTimeout: 60_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: 'root',
          include: [...ending('root.test.ts'), ...ending('root.test.tsx')],
          exclude: never,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
      {
        // Debian's Chromium and a whole region; the machines are simulated.
        test: {
          name: 'web',
          include: ending('web.test.ts'),
          exclude: never,
          testTimeout: 60_000,
          hookTimeout: 240_000,
          fileParallelism: false,
        },
      },
      {
        // The main job in QEMU: minutes, root, and the images.
        test: { name: 'story', include: story, exclude: never, fileParallelism: false, bail: 0 },
      },
    ],
  },
});
