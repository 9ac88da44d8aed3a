import { describe, expect, it } from 'vitest';
import { at, attempt, detail, evidence, machine, NOON, phase } from '../testing/sample.ts';
import { clipped, palette } from './colour.ts';
import { eventTable } from './events.ts';
import { explanation } from './explanation.ts';
import { summary } from './machine.ts';
import { machineTable } from './machines.ts';
import { table } from './table.ts';
import { phaseLine, timeline } from './timeline.ts';
import { bar, duration, relative, size } from './words.ts';

const plain = palette(false);

describe('words', () => {
  it.each([
    [0.04, '0.0 s'],
    [9.94, '9.9 s'],
    [9.96, '10 s'],
    [59.6, '1 min'],
    [75, '1 min 15 s'],
    [7260, '2 h 1 min'],
    [200_000, '2 d 7 h'],
  ])('%s s reads %s', (seconds, text) => expect(duration(seconds)).toBe(text));

  it.each([
    [0, '–'],
    [512, '512 B'],
    [1536, '1.5 KiB'],
    [8 * 2 ** 30, '8.0 GiB'],
    [500 * 2 ** 20, '500 MiB'],
  ])('%s bytes read %s', (bytes, text) => expect(size(bytes)).toBe(text));

  it('instants are told from now', () => {
    expect(relative(NOON - 90_000, NOON)).toBe('1 min 30 s ago');
    expect(relative(NOON + 40_000, NOON)).toBe('in 40 s');
    expect(bar(0.5, 4)).toBe('██──');
    expect(bar(7, 2)).toBe('██');
  });
});

it('a table aligns by what is seen, not by colour codes', () => {
  expect(
    table(
      ['A', 'B'],
      [
        ['\u001b[32mgreen\u001b[0m', 'x'],
        ['é', 'y'],
      ],
    ),
  ).toBe('A      B\n\u001b[32mgreen\u001b[0m  x\né      y\n');
});

it('machines as a table', () => {
  const machines = [
    machine({ addresses: ['10.0.0.7'], tags: ['gpu', 'new'] }),
    machine({
      hostname: 'db',
      status: 'DEPLOYED',
      statusName: 'Deployed',
      locked: true,
      owner: 'ada',
      cpuCount: 0,
      diskCount: 0,
    }),
  ];
  expect(machineTable(machines, plain)).toMatchInlineSnapshot(`
    "NAME  STATUS             POWER  OWNER  POOL     ZONE     CORES  MEMORY   DISKS        ADDRESS   TAGS
    web1  Ready              off    –      default  default  4      4.0 GiB  1 × 8.0 GiB  10.0.0.7  gpu,new
    db    Deployed (locked)  off    ada    default  default  –      4.0 GiB  –            –
    "
  `);
  expect(machineTable([], plain)).toBe('No machines.\n');
  // 4.8 GiB and 512 MiB were shown as 2 × 2.6 GiB.
  expect(machineTable([machine({ diskCount: 2, storage: 5.3 * 2 ** 30 })], plain)).toMatch(/ {2}2, 5\.3 GiB {2}/);
});

it('a machine in one screen', () => {
  const waiting = { code: 'dhcp', since: at(0), deadline: at(60) };
  const shown = detail({
    waitingFor: waiting,
    errorDescription: 'DHCP was silent',
    osystem: 'debian',
    distroSeries: 'bookworm',
  });
  expect(summary(shown, NOON, plain)).toMatchInlineSnapshot(`
    "web1.maas (abc123)
      status      Ready for 2 min
      owner       nobody
      power       off by ipmi
      place       zone default, pool default
      hardware    amd64/generic, 4 cores, 4.0 GiB, UEFI
      disks       sda 8.0 GiB
      network     ens3 52:54:00:12:34:56
      system      debian/bookworm
      error       DHCP was silent
      waiting for dhcp, gives up in 1 min
    "
  `);
});

describe('timeline', () => {
  it('of a running attempt: what is typical, bytes, and when it is given up', () => {
    const running = attempt({
      phases: [
        phase('power', 0, 1.2, { typicalSeconds: 1 }),
        phase('dhcp', 1.2, 40, { typicalSeconds: 5 }),
        phase('step:unpack', 40, null, {
          bytesDone: 2 ** 28,
          bytesTotal: 2 ** 29,
          deadline: at(300),
          typicalSeconds: 30,
        }),
      ],
    });
    const seen = [
      evidence(1, 0.5, 'power', 'power.call', 'IPMI chassis on: done'),
      evidence(2, 3, 'dhcp', 'dhcp.lease', '10.0.0.100 for 52:54:00:12:34:56'),
    ];
    expect(timeline(running, seen, NOON + 60_000, plain)).toMatchInlineSnapshot(`
      "deploy, running for 1 min
        ✓ power                              1.2 s  (typical 1.0 s)
            +0.5 s  power.call  IPMI chassis on: done
        ✓ dhcp                                39 s  (typical 5.0 s)
            +3.0 s  dhcp.lease  10.0.0.100 for 52:54:00:12:34:56
        … step:unpack                         20 s  (typical 30 s)  ██████████────────── 256 MiB of 512 MiB  gives up in 4 min
      "
    `);
  });

  it('of a failed one: code, last evidence and the way out', () => {
    const failed = attempt({
      endedAt: at(62),
      outcome: 'failed',
      failure: {
        code: 'stuck.boot_program',
        message: 'DHCP answered, no boot program was fetched in 60 s.',
        evidence: 'dhcp.lease 10.0.0.100',
        fix: 'Look at boot order and firmware.',
      },
      phases: [phase('power', 0, 1), phase('boot-program', 1, null)],
    });
    expect(timeline(failed, [], NOON + 3_600_000, plain)).toMatchInlineSnapshot(`
      "deploy failed after 1 min 2 s, 1 h ago
        ✓ power                              1.0 s
        ✗ boot-program                       0.0 s
        stuck.boot_program: DHCP answered, no boot program was fetched in 60 s.
        last seen: dhcp.lease 10.0.0.100
        → Look at boot order and firmware.
      "
    `);
  });

  it('shows the first and last of much evidence, and each boot its own', () => {
    const twice = attempt({
      endedAt: at(100),
      outcome: 'passed',
      phases: [phase('kernel', 0, 10), phase('reboot', 10, 20), phase('kernel', 20, 30)],
    });
    const seen = Array.from({ length: 9 }, (_, n) => evidence(n, n, 'kernel', 'http.read', `file ${n}`));
    seen.push(evidence(20, 25, 'kernel', 'http.read', 'second boot'));
    const text = timeline(twice, seen, NOON + 200_000, plain);
    expect(text).toContain('… 3 more');
    expect(text.match(/second boot/g)).toHaveLength(1);
    expect(text.indexOf('second boot')).toBeGreaterThan(text.indexOf('reboot'));
  });

  it('marks the script that failed, not the one that ran last, and keeps long names in line', () => {
    const failed = attempt({
      kind: 'commission',
      endedAt: at(20),
      outcome: 'failed',
      failure: {
        code: 'script.failed',
        message: 'maas-capture-lldpd failed.',
        evidence: null,
        fix: 'Read its output.',
      },
      phases: [
        phase('script:20-maas-02-dhcp-unconfigured-ifaces', 0, 10),
        phase('script:maas-capture-lldpd', 10, 15),
        phase('script:30-maas-01-bmc-config', 15, 20),
      ],
    });
    expect(timeline(failed, [], NOON + 20_000, plain)).toMatchInlineSnapshot(`
      "commission failed after 20 s, 20 s ago
        ✓ script:20-maas-02-dhcp-unconfigured-ifaces        10 s
        ✗ script:maas-capture-lldpd                        5.0 s
        ✓ script:30-maas-01-bmc-config                     5.0 s
        script.failed: maas-capture-lldpd failed.
        → Read its output.
      "
    `);
  });

  it('is cut to the terminal, colours not counted', () => {
    expect(clipped('plain', 3)).toBe('pla');
    expect(clipped('plain', 5)).toBe('plain');
    expect(clipped('\u001b[31mred\u001b[0m and more', 5)).toBe('\u001b[31mred\u001b[0m a\u001b[0m');
  });

  it('warns by colour when a phase takes twice its usual time', () => {
    const slow = phase('dhcp', 0, 60, { typicalSeconds: 5 });
    expect(phaseLine(slow, false, NOON, palette(true))).toContain('\u001b[33m(typical 5.0 s)');
    expect(phaseLine(slow, false, NOON, plain)).not.toContain('\u001b');
  });
});

it('an explanation names each reason once with its way out', () => {
  const reason = { code: 'status.wrong', message: 'Not now.', fix: 'Release it first.' };
  const warning = { code: 'user.no_ssh_key', message: 'No key.', fix: 'ingot keys add FILE' };
  expect(
    explanation('web1', { action: 'deploy', allowed: false, reasons: [reason], warnings: [warning] }, plain),
  ).toMatchInlineSnapshot(`
    "deploy web1: not possible
      ✗ Not now. (status.wrong)
          → Release it first.
      ! No key. (user.no_ssh_key)
          → ingot keys add FILE
    "
  `);
});

it('events read like a log, oldest first', () => {
  const event = { systemId: 'abc123', hostname: 'web1', level: 'INFO', description: 'done', user: '' };
  const events = [
    { ...event, id: 2, at: at(9), type: 'READY', user: 'ada' },
    { ...event, id: 1, at: at(1), type: 'NEW' },
  ];
  expect(eventTable(events)).toMatchInlineSnapshot(`
    "TIME                  LEVEL  MACHINE  EVENT  DESCRIPTION
    2026-01-02 12:00:01Z  INFO   web1     NEW    done
    2026-01-02 12:00:09Z  INFO   web1     READY  done [ada]
    "
  `);
});
