import {
  type BmcReport,
  type Done,
  DoneReply,
  EnlistReply,
  type InstallPlan,
  type Progress,
  type ScriptItem,
  type ScriptOutcome,
  SessionReply,
  Task,
} from '@ingot/contract/agent.ts';
import { type Boot, hang, hangIf } from './boot.ts';
import { inventoryOf } from './hardware.ts';
import { ask, Refused } from './region-calls.ts';

const TASK_WAIT_SECONDS = 25;
/** Those of the real agent, in its order. */
const INSTALL_STEPS = ['disk', 'partition', 'filesystems', 'image', 'files', 'boot-loader', 'sync'];

export interface AgentEnd {
  next: 'poweroff' | 'reboot';
  /** What was written to the disk in this boot; 'erased' when it was wiped. */
  disk: InstallPlan | 'erased' | null;
}

/** Plays the agent from its ticket to the region's word to leave; throws PowerGone when the power goes first. */
export async function runAgent(boot: Boot, ticket: string): Promise<AgentEnd> {
  let token = '';
  const headers = (): Record<string, string> => (token === '' ? {} : { authorization: `Bearer ${token}` });
  const post = (path: string, body: unknown) => ask(boot, 'POST', `/agent/v1/${path}`, headers, body);
  const report = async (progress: Progress) => void (await post('progress', progress));
  const end: AgentEnd = { next: 'poweroff', disk: null };
  const bmc: BmcReport = {
    powerType: 'ipmi',
    parameters: {
      power_address: boot.bmc.address,
      power_user: boot.bmc.user,
      power_pass: boot.bmc.password,
      power_driver: 'LAN_2_0',
      power_boot_type: boot.hardware.firmware === 'uefi' ? 'efi' : 'legacy',
    },
  };

  async function step(name: string, resultId: number, bytes?: number): Promise<void> {
    const base = { kind: 'step' as const, name, resultId };
    await report({ ...base, state: 'started' });
    await hangIf(boot.faults().stopAt === name, boot.signal);
    const began = performance.now();
    const parts = bytes === undefined ? 0 : 4;
    for (let part = 1; part <= parts; part += 1) {
      await boot.pause();
      const bytesDone = Math.round(((bytes ?? 0) * part) / parts);
      await report({ ...base, state: 'running', bytesDone, bytesTotal: bytes });
    }
    await boot.pause();
    await report({ ...base, state: 'finished', seconds: (performance.now() - began) / 1000 });
  }

  async function script(item: ScriptItem): Promise<boolean> {
    const began = performance.now();
    await report({ kind: 'script', name: item.name, state: 'started', resultId: item.resultId });
    await hangIf(boot.faults().stopAt === item.name, boot.signal);
    await boot.pause();
    const failed = boot.faults().failScript === item.name;
    const text = Buffer.from(
      `${item.name} on ${boot.hardware.serial}\n${failed ? 'what was looked for is not there\n' : 'nothing unusual\n'}`,
    ).toString('base64');
    const outcome: ScriptOutcome = {
      status: failed ? 'failed' : 'passed',
      exitStatus: failed ? 1 : 0,
      seconds: (performance.now() - began) / 1000,
      output: text,
      stdout: failed ? '' : text,
      stderr: failed ? text : '',
      result: '',
    };
    await post(`results/${item.resultId}`, outcome);
    return !failed;
  }

  async function scripts(task: Extract<Task, { kind: 'scripts' }>): Promise<Done> {
    const failed: string[] = [];
    for (const item of task.scripts) if (!(await script(item))) failed.push(item.name);
    if (task.phase === 'commissioning') await post('inventory', inventoryOf(boot.hardware, boot.client.address));
    const message = failed.length === 0 ? null : `${failed.length} scripts failed: ${failed.join(', ')}`;
    return { outcome: message ? 'failed' : 'ok', code: message ? 'script.failed' : null, message, bmc };
  }

  const done = async (word: Partial<Done> = {}) => {
    const whole: Done = { outcome: 'ok', code: null, message: null, bmc: null, ...word };
    return DoneReply.parse(JSON.parse((await post('done', whole)).text)).next;
  };

  async function carryOut(task: Task): Promise<DoneReply['next']> {
    switch (task.kind) {
      case 'enlist': {
        const answer = await post('enlist', {
          architecture: 'amd64/generic',
          macAddresses: boot.hardware.macs,
          hardwareUuid: boot.hardware.uuid,
          bmc,
          inventory: inventoryOf(boot.hardware, boot.client.address),
        });
        return EnlistReply.parse(JSON.parse(answer.text)).next;
      }
      case 'scripts':
        return done(await scripts(task));
      case 'erase':
        await step('erase', task.resultId, boot.hardware.disk.bytes);
        end.disk = 'erased';
        return done();
      case 'install':
        for (const name of INSTALL_STEPS) {
          await step(name, task.resultId, name === 'image' ? task.plan.image.size : undefined);
        }
        end.disk = task.plan;
        return done();
      case 'rescue':
        await report({ kind: 'step', name: 'rescue', state: 'finished', seconds: 0 });
        return 'stay';
      case 'leave':
        return task.next;
    }
  }

  try {
    const request = {
      ticket,
      firmware: boot.hardware.firmware,
      architecture: 'amd64',
      agentVersion: 'simulated',
    };
    token = SessionReply.parse(JSON.parse((await post('session', request)).text)).token;
    for (;;) {
      const answer = await ask(boot, 'GET', `/agent/v1/task?wait=${TASK_WAIT_SECONDS}`, headers);
      if (answer.status === 204) continue;
      await boot.pause();
      const next = await carryOut(Task.parse(JSON.parse(answer.text)));
      if (next === 'poweroff' || next === 'reboot') return { ...end, next };
    }
  } catch (error) {
    // As the real one: it stays up, readable on its console, until somebody switches it off.
    if (error instanceof Refused) return hang(boot.signal);
    throw error;
  }
}
