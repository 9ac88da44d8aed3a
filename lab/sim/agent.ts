import {
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
import { type Boot, hang, hangIf, sleep } from './boot.ts';
import { ask, Refused } from './region-calls.ts';

const TASK_WAIT_SECONDS = 25;
const OUTPUT_LIMIT = 2 ** 20;
/** Those of the real agent, in its order. */
const INSTALL_STEPS = ['disk', 'partition', 'filesystems', 'image', 'files', 'boot-loader', 'sync'];

export interface AgentEnd {
  next: 'poweroff' | 'reboot';
  /** What was written to the disk in this boot; 'erased' when it was wiped. */
  disk: InstallPlan | 'erased' | null;
  /** The installed kernel is loaded: it starts by kexec, past the firmware. */
  kexec: boolean;
  /** The region's name for the machine, when it enlisted. */
  machine: string | null;
}

/** What outlives a killed agent within one boot: the session in its file, and what stands on the disk. */
interface Kept {
  token: string;
  end: Omit<AgentEnd, 'next'>;
}

/** As systemd does in the ephemeral system. */
const RESTART_MS = 1000;

/**
 * Plays the agent from its ticket to the region's word to leave, started again when it is killed; throws PowerGone when the
 * power goes first.
 */
export async function runAgent(boot: Boot, ticket: string): Promise<AgentEnd> {
  const kept: Kept = { token: '', end: { disk: null, kexec: false, machine: null } };
  for (;;) {
    const signal = boot.startAgent?.() ?? boot.signal;
    try {
      return await runProcess({ ...boot, signal }, ticket, kept);
    } catch (error) {
      if (boot.signal.aborted || !signal.aborted) throw error;
    }
    await sleep(RESTART_MS, boot.signal);
  }
}

async function runProcess(boot: Boot, ticket: string, kept: Kept): Promise<AgentEnd> {
  const { end } = kept;
  const headers = (): Record<string, string> => (kept.token === '' ? {} : { authorization: `Bearer ${kept.token}` });
  const post = (path: string, body: unknown) => ask(boot, 'POST', `/agent/v1/${path}`, headers, body);
  const report = async (progress: Progress) => void (await post('progress', progress));
  const { visible } = boot;
  let begun = 0;

  /** Hangs for good where a fault says so. */
  async function begin(name: string): Promise<void> {
    begun += 1;
    const { stopAt, agentDiesAt } = boot.faults();
    await hangIf(stopAt === name || agentDiesAt === begun, boot.signal);
  }

  async function step(name: string, resultId: number, bytes?: number): Promise<boolean> {
    const base = { kind: 'step' as const, name, resultId };
    await report({ ...base, state: 'started' });
    await begin(name);
    const began = performance.now();
    const { slowDisk = 1, failStep, failErase } = boot.faults();
    const slower = bytes === undefined ? 1 : slowDisk;
    const parts = bytes === undefined ? 0 : 4 * slower;
    for (let part = 1; part <= parts; part += 1) {
      await boot.pause(name);
      const bytesDone = Math.round(((bytes ?? 0) * part) / parts);
      await report({ ...base, state: 'running', bytesDone, bytesTotal: bytes });
    }
    for (let pause = 1; pause <= slower; pause += 1) await boot.pause(name);
    const seconds = (performance.now() - began) / 1000;
    const failed = failStep === name || (failErase === true && name === 'erase');
    await report({ ...base, state: failed ? 'failed' : 'finished', seconds });
    return !failed;
  }

  async function script(item: ScriptItem): Promise<boolean> {
    const began = performance.now();
    await report({ kind: 'script', name: item.name, state: 'started', resultId: item.resultId });
    await begin(item.name);
    await boot.pause(item.name);
    const { failScript, scriptExit = 1, scriptPrints = 0 } = boot.faults();
    const failed = failScript === item.name;
    const usual = visible.scriptOutput(item.name) ?? `${item.name} on ${visible.serial}\nnothing unusual\n`;
    const said = failed ? complaint(`${item.name} on ${visible.serial}`, scriptPrints) : usual;
    const text = Buffer.from(said).toString('base64');
    const outcome: ScriptOutcome = {
      status: failed ? 'failed' : 'passed',
      exitStatus: failed ? scriptExit : 0,
      seconds: (performance.now() - began) / 1000,
      output: text,
      stdout: failed ? '' : text,
      stderr: failed ? text : '',
      result: '',
    };
    await post(`results/${item.resultId}`, outcome);
    return !failed;
  }

  async function inventory(): Promise<void> {
    const base = { kind: 'step' as const, name: 'inventory' };
    const began = performance.now();
    await report({ ...base, state: 'started' });
    await hangIf(boot.faults().stopAt === 'inventory', boot.signal);
    await boot.pause('inventory');
    await report({ ...base, state: 'finished', seconds: (performance.now() - began) / 1000 });
    await post('inventory', visible.inventory());
  }

  async function scripts(task: Extract<Task, { kind: 'scripts' }>): Promise<Done> {
    const failed: string[] = [];
    if (task.phase === 'commissioning') await inventory();
    for (const item of task.scripts) if (!(await script(item))) failed.push(item.name);
    const message = failed.length === 0 ? null : `${failed.length} scripts failed: ${failed.join(', ')}`;
    return { outcome: message ? 'failed' : 'ok', code: message ? 'script.failed' : null, message, bmc: visible.bmc };
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
          macAddresses: visible.macs,
          hardwareUuid: visible.uuid,
          bmc: visible.bmc,
          inventory: visible.inventory(),
        });
        const reply = EnlistReply.parse(JSON.parse(answer.text));
        end.machine = reply.machine;
        return reply.next;
      }
      case 'scripts':
        return done(await scripts(task));
      case 'erase':
        if (!(await step('erase', task.resultId, visible.diskBytes))) {
          return done(failed('erase.failed', 'erase: input/output error'));
        }
        end.disk = 'erased';
        return done();
      case 'install':
        for (const name of INSTALL_STEPS) {
          if (await step(name, task.resultId, name === 'image' ? task.plan.image.size : undefined)) continue;
          return done(failed('install.step_failed', `${name}: input/output error`));
        }
        end.disk = task.plan;
        end.kexec = task.kexec === true && (await step('kexec', task.resultId));
        return done({ kexec: end.kexec });
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
      firmware: visible.firmware,
      architecture: 'amd64',
      agentVersion: 'simulated',
    };
    // A ticket works once.
    if (kept.token === '') kept.token = SessionReply.parse(JSON.parse((await post('session', request)).text)).token;
    for (;;) {
      const answer = await ask(boot, 'GET', `/agent/v1/task?wait=${TASK_WAIT_SECONDS}`, headers);
      if (answer.status === 204) continue;
      await boot.pause('task');
      const next = await carryOut(Task.parse(JSON.parse(answer.text)));
      if (next === 'poweroff' || next === 'reboot') return { ...end, next };
    }
  } catch (error) {
    // As the real one: it stays up, readable on its console, until somebody switches it off.
    if (error instanceof Refused) {
      boot.onRefused?.(error);
      return hang(boot.signal);
    }
    throw error;
  }
}

const failed = (code: string, message: string): Partial<Done> => ({ outcome: 'failed', code, message });

/** As an agent hands on what a script printed: at most 1 MiB, head and tail. */
function complaint(head: string, bytes: number): string {
  const text = `${head}\nwhat was looked for is not there\n`;
  const filler = 'and again: not there\n';
  return (
    text + filler.repeat(Math.ceil(Math.min(bytes, OUTPUT_LIMIT) / filler.length)).slice(0, OUTPUT_LIMIT - text.length)
  );
}
