import { expect, test } from 'vitest';
import { parseBootScript } from './boot-script.ts';

test('an ephemeral boot names kernel, initrd and what stands on the command line', () => {
  const order = parseBootScript(`#!ipxe
kernel http://127.64.0.1:5248/blobs/sha256/aa initrd=initrd ingot.rack=http://127.64.0.1:5248 ingot.ticket=e30.c2ln quiet || goto again
initrd --name initrd http://127.64.0.1:5248/blobs/sha256/bb || goto again
boot || goto again
:again
imgfree
sleep 5
chain --replace --autofree http://127.64.0.1:5248/boot.ipxe || goto again
`);
  expect(order).toMatchObject({
    kind: 'ephemeral',
    kernel: 'http://127.64.0.1:5248/blobs/sha256/aa',
    initrd: 'http://127.64.0.1:5248/blobs/sha256/bb',
  });
  expect(order.kind === 'ephemeral' && [...order.parameters]).toEqual([
    ['initrd', 'initrd'],
    ['ingot.rack', 'http://127.64.0.1:5248'],
    ['ingot.ticket', 'e30.c2ln'],
    ['quiet', ''],
  ]);
});

test.each([
  ['#!ipxe\nexit 1\n', { kind: 'local' }],
  ['#!ipxe\n:off\npoweroff ||\nsleep 30\ngoto off\n', { kind: 'poweroff' }],
  [
    '#!ipxe\necho Ingot: no lease\n:again\nimgfree\nsleep 5\nchain --replace http://x/boot.ipxe || goto again\n',
    { kind: 'wait', seconds: 5, why: 'Ingot: no lease' },
  ],
])('%j', (text, order) => {
  expect(parseBootScript(text)).toEqual(order);
});

test('what is no script is no boot', () => {
  expect(() => parseBootScript('<html>')).toThrow(/no iPXE script/);
  expect(() => parseBootScript('#!ipxe\n')).toThrow(/nowhere/);
});
