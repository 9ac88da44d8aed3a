import { readFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { DoneReply, SessionReply, Task } from '@ingot/contract/agent.ts';
import { parseCmdline } from './cmdline.ts';
import { scriptBatches } from './script-order.ts';
import { scriptOutcome } from './script-outcome.ts';

/**
 * Uses once what every boot uses, while the start-up snapshot is made: code that has run and modules that are loaded are then
 * in it, and a slow core need not read and compile them again. Only what a snapshot can hold: no connections, no processes.
 * Returns what it looked at, so that nothing of it is left out as unused.
 */
export function warm(): unknown[] {
  const scripts = ['20-a', '50-b', '30-maas-01-bmc-config'].map((name, resultId) => ({
    resultId,
    name,
    builtin: true,
    text: null,
    timeoutSeconds: 1,
    parallel: resultId,
    hardwareType: 0,
    parameters: {},
  }));
  const session = { token: 't', machine: 'm', attempt: 1, kind: 'commission', sshKeys: [] };
  const bmc = { user: 'maas', privilege: 'ADMIN', cipherSuite: '3', kg: '' };
  const run = { exitStatus: 0, timedOut: false, stdout: 'o', stderr: '', combined: 'o', result: '', seconds: 1 };
  return [
    parseCmdline('ingot.rack=http://h ingot.agent=https://h ingot.pin=0 ingot.ticket=a.b BOOTIF=01-00'),
    SessionReply.parse(session),
    Task.parse({ kind: 'scripts', phase: 'commissioning', scripts, bmc }),
    Task.parse({ kind: 'enlist' }),
    DoneReply.parse({ next: 'task' }),
    scriptBatches(scripts),
    scriptOutcome(run),
    [readFile, Readable, sleep, fileURLToPath],
  ];
}
