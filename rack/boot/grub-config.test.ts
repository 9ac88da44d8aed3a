import { describe, expect, it } from 'vitest';
import { type BootFiles, loadBootFiles, missingFor } from './boot-files.ts';
import { GRUB_CONFIG, grubConfigOf } from './grub-config.ts';
import { kernelCommandLine } from './ipxe-script.ts';

const blob = (letter: string) => ({ sha256: letter.repeat(64), size: 1000 });
const boot = {
  image: { architecture: 'amd64', kernel: blob('a'), initrd: blob('b'), squashfs: blob('c') },
  rackUrl: 'http://10.77.0.1:5248',
  agentUrl: 'https://10.77.0.1:5249',
  pin: 'd'.repeat(64),
  ticket: 'tic.ket',
  mac: '02:00:00:00:00:01',
  options: 'console=ttyS0,115200 a=$b;halt it\'s "so"',
};

describe("GRUB's configuration", () => {
  it('boots the kernel with the command line that iPXE gives it, each word as it is', () => {
    const text = grubConfigOf({ kind: 'ephemeral', boot });
    const line = text.split('\n')[0] ?? '';
    const words = [...line.matchAll(/'([^']*)'/g)].map(([, word]) => word);
    expect(words.join(' ')).toBe(kernelCommandLine(boot).replaceAll("'", ''));
    expect(words).toContain('a=$b;halt');
    expect(line.replace(/ '[^']*'/g, '')).toBe(`if linux /blobs/sha256/${'a'.repeat(64)}; then`);
    expect(text).toContain(`if initrd /blobs/sha256/${'b'.repeat(64)}; then boot; fi`);
  });

  it('waits, switches off, and goes to the disk, without operators that GRUB does not know', () => {
    expect(grubConfigOf({ kind: 'wait', why: "it's\nhalt" })).toBe("echo 'Ingot: itshalt'\n");
    expect(grubConfigOf({ kind: 'poweroff' })).toBe('halt\n');
    const local = grubConfigOf({ kind: 'local' });
    expect(local).toMatch(/\/EFI\/debian\/shimx64\.efi .*\/EFI\/BOOT\/BOOTX64\.EFI; do/);
    // Where no loader starts, the rack is the root again that everything is read from.
    expect(local).toMatch(/^set rack=\$root\n[\s\S]*\n {2}set root=\$rack\ndone\n/);
    expect(GRUB_CONFIG + local).not.toMatch(/&&|\|\|/);
  });
});

it('a host is told which package brings the programs of its chain, and of no other', async () => {
  const none = await loadBootFiles([
    { name: 'one.kpxe', debian: 'ipxe', files: ['/nowhere/one'], chain: null },
    { name: 'two.efi', debian: 'ipxe', files: ['/nowhere/two'], chain: 'ipxe' },
    { name: 'three.efi', debian: 'shim-signed', files: ['/nowhere/three'], chain: 'signed' },
  ]);
  expect(missingFor('ipxe', none)).toBe('missing: one.kpxe, two.efi; install ipxe');
  expect(missingFor('signed', none)).toBe('missing: one.kpxe, three.efi; install ipxe shim-signed');
  const all: Pick<BootFiles, 'missing'> = { missing: [] };
  expect(missingFor('signed', all)).toBe('');
});
