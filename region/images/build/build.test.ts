import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { imageSources, oneLine, parseDeb822Sources, parseOneLineSources } from './apt-sources.ts';
import { cpioArchive } from './cpio.ts';
import { parseLdd } from './dynamic-program.ts';
import { INIT_SCRIPT, UDHCPC_SCRIPT } from './initramfs-init.ts';
import { parseModulesDep } from './netboot-modules.ts';
import { packageProgress } from './progress.ts';
import { findStored, recipeKey, store } from './stored-build.ts';

describe('apt sources', () => {
  const deb822 = `Types: deb deb-src
# a comment
URIs: http://mirror.example/debian http://second.example/debian
Suites: bookworm bookworm-updates
 bookworm-backports
Components: main contrib
Signed-By: /usr/share/keyrings/archive.gpg

Enabled: no
Types: deb
URIs: http://off.example/
Suites: bookworm
Components: main

Types: deb
URIs: http://vendor.example/
Suites: bookworm
Components: stable
`;

  test('deb822: every URI with every suite; disabled stanzas out', () => {
    const sources = parseDeb822Sources(deb822);
    expect(sources).toHaveLength(7);
    expect(sources[0]).toEqual({
      uri: 'http://mirror.example/debian',
      suite: 'bookworm',
      components: ['main', 'contrib'],
      options: { 'signed-by': '/usr/share/keyrings/archive.gpg' },
    });
  });

  test('one-line format with options, comments and deb-src', () => {
    const text = `# deb http://x y z
deb [arch=amd64 signed-by=/k.gpg trusted=yes] http://m.example/debian bookworm main non-free # tail
deb-src http://m.example/debian bookworm main
deb http://s.example/security bookworm-security main`;
    expect(parseOneLineSources(text).map(oneLine)).toEqual([
      'deb [signed-by=/k.gpg trusted=yes] http://m.example/debian bookworm main non-free',
      'deb http://s.example/security bookworm-security main',
    ]);
  });

  test('an image takes main of its own release: no backports, no vendors, nothing twice', () => {
    const sources = parseDeb822Sources(deb822);
    expect(imageSources([...sources, ...sources], 'bookworm').map((source) => `${source.uri} ${source.suite}`)).toEqual(
      [
        'http://mirror.example/debian bookworm',
        'http://mirror.example/debian bookworm-updates',
        'http://second.example/debian bookworm',
        'http://second.example/debian bookworm-updates',
      ],
    );
    expect(imageSources(sources, 'trixie')).toEqual([]);
  });
});

describe('initramfs', () => {
  test('the shell scripts are shell', () => {
    for (const script of [INIT_SCRIPT, UDHCPC_SCRIPT]) {
      execFileSync('sh', ['-n'], { input: script });
      expect(script).not.toMatch(/\$\{/);
    }
  });

  test('the libraries of a program are those ldd resolves; a missing one stops the build', () => {
    const lines = [
      '\tlinux-vdso.so.1 (0x00007f63fea83000)',
      '\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f63fe880000)',
      '\t/lib64/ld-linux-x86-64.so.2 (0x00007f63fea85000)',
    ];
    expect(parseLdd(lines)).toEqual(['/lib/x86_64-linux-gnu/libc.so.6', '/lib64/ld-linux-x86-64.so.2']);
    expect(() => parseLdd(['\tlibcrypto.so.3 => not found'])).toThrow('libcrypto.so.3');
  });

  test('an archive has parents, modes and links, and is the same every time', () => {
    const entries = [
      { path: 'a/b/file', kind: 'file', mode: 0o755, content: Buffer.from('hello') },
      { path: 'a/link', kind: 'link', target: 'b/file' },
    ] as const;
    const archive = cpioArchive([...entries]);
    expect(archive.length % 512).toBe(0);
    expect(cpioArchive([...entries]).equals(archive)).toBe(true);
    const names = [...archive.toString('latin1').matchAll(/070701([0-9A-F]{104})([^\0]+)\0/gi)].map((match) => [
      match[2],
      Number.parseInt(match[1]?.slice(8, 16) ?? '', 16).toString(8),
    ]);
    expect(names).toEqual([
      ['a', '40755'],
      ['a/b', '40755'],
      ['a/b/file', '100755'],
      ['a/link', '120777'],
      ['TRAILER!!!', '0'],
    ]);
  });

  test('modules.dep by name, with - and _ alike', () => {
    const modules = parseModulesDep(
      'kernel/a/xen-netfront.ko:\nkernel/b/virtio_net.ko.xz: kernel/c/failover.ko kernel/d/x.ko\n',
    );
    expect(modules.get('xen_netfront')).toEqual({ path: 'kernel/a/xen-netfront.ko', needs: [] });
    expect(modules.get('virtio_net')?.needs).toEqual(['kernel/c/failover.ko', 'kernel/d/x.ko']);
  });
});

describe('stored builds', () => {
  test('found by its recipe only when all its files are there', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'ingot-build-'));
    try {
      const file = join(directory, 'x.new');
      writeFileSync(file, 'data');
      const key = recipeKey({ a: 1 });
      await store(directory, { key, version: '20260101', kernelVersion: '' }, { x: file });
      expect(readFileSync(join(directory, 'x'), 'utf8')).toBe('data');
      expect((await findStored(directory, key, ['x']))?.version).toBe('20260101');
      expect(await findStored(directory, recipeKey({ a: 2 }), ['x'])).toBeNull();
      rmSync(join(directory, 'x'));
      expect(await findStored(directory, key, ['x'])).toBeNull();
      expect(statSync(directory).isDirectory()).toBe(true);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  test('package progress grows with every package and never ends before the end', () => {
    const fractions: number[] = [];
    const onLine = packageProgress((fraction) => fractions.push(fraction));
    onLine('0 upgraded, 2 newly installed, 0 to remove and 0 not upgraded.');
    for (const line of ['Get:1 x', 'Get:2 y', 'noise', 'Unpacking x', 'Unpacking y', 'Setting up x', 'Setting up y'])
      onLine(line);
    expect(fractions).toEqual([...fractions].sort((a, b) => a - b));
    expect(fractions.at(-1)).toBe(0.99);
  });
});
