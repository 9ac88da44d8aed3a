import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { type Action, type ActionRequest, MachineView, PowerStateView } from '@ingot/contract/native.ts';
import { parseDuration } from '../arguments.ts';
import type { CliContext, GlobalOptions } from '../context.ts';
import { CliFailure, EXIT, type ExitCode } from '../failure.ts';
import { paintStatus } from '../format/machines.ts';
import { openSession, type Session } from '../session.ts';
import { showPlan } from './plan.ts';
import { waitForWork } from './wait.ts';

const at = encodeURIComponent;

export interface ActOptions extends GlobalOptions, Omit<ActionRequest, 'userData' | 'userDataEncoding'> {
  wait?: boolean;
  timeout?: string;
  /** File with user data; "-" is standard input. */
  userData?: string;
  /** deploy: nothing is done, the plan is shown. */
  plan?: boolean;
}

/** Carries out one action; with --wait follows its work and ends with its outcome. */
export async function act(context: CliContext, options: ActOptions, name: string, action: Action): Promise<ExitCode> {
  const timeoutMs = parseDuration(options.timeout ?? '60m', '--timeout');
  const session = await openSession(context, options);
  if (options.plan) return showPlan(session, name, options.image);
  const body = await requestOf(options);
  const answer = await session.client.send('POST', `/machines/${at(name)}/actions/${action}`, body);
  if (answer === '') {
    session.print({ name, action, gone: true }, () => `${name} is gone.\n`);
    return EXIT.ok;
  }
  return report(session, options, MachineView.parse(JSON.parse(answer)), timeoutMs, WANTED[action]);
}

/** What a plain power switch is over with. */
const WANTED: Partial<Record<Action, 'on' | 'off'>> = { 'power-on': 'on', 'power-off': 'off' };

export interface AllocateOptions extends ActOptions {
  cores?: string;
  memory?: string;
  tag?: string[];
  zone?: string;
  pool?: string;
  arch?: string;
}

/** `ingot allocate NAME`, or by constraints: the region chooses. */
export async function allocate(
  context: CliContext,
  options: AllocateOptions,
  name: string | undefined,
): Promise<ExitCode> {
  if (name !== undefined) return act(context, options, name, 'allocate');
  const session = await openSession(context, options);
  const body = {
    cpuCount: options.cores === undefined ? undefined : wholeNumber(options.cores, '--cores'),
    memory: options.memory === undefined ? undefined : wholeNumber(options.memory, '--memory'),
    tags: options.tag,
    zone: options.zone,
    pool: options.pool,
    arch: options.arch,
    comment: options.comment,
  };
  const machine = await session.client.post('/machines/allocate', body, MachineView);
  return report(session, options, machine, 0);
}

/** `ingot power NAME on|off|status` */
export async function power(context: CliContext, options: ActOptions, name: string, what: string): Promise<ExitCode> {
  if (what === 'on') return act(context, options, name, 'power-on');
  if (what === 'off') return act(context, options, name, 'power-off');
  if (what !== 'status') {
    throw new CliFailure(`power takes on, off or status, not "${what}"`, { exitCode: EXIT.usage });
  }
  const session = await openSession(context, options);
  const state = await session.client.post(`/machines/${at(name)}/power-query`, undefined, PowerStateView);
  session.print(state, () => `${state.powerState}\n`);
  return state.powerState === 'error' ? EXIT.failed : EXIT.ok;
}

async function report(
  session: Session,
  options: ActOptions,
  machine: MachineView,
  timeoutMs: number,
  wanted?: 'on' | 'off',
): Promise<ExitCode> {
  if (options.wait) return waitForWork(session, machine, timeoutMs, wanted);
  session.print(machine, () => `${machine.hostname}: ${paintStatus(machine, session.colours)}\n`);
  return EXIT.ok;
}

async function requestOf(options: ActOptions): Promise<ActionRequest> {
  const { comment, image, enableSsh, skipBmcConfig, skipNetworking, skipStorage, soft } = options;
  const { erase, secureErase, quickErase, commissioningScripts, testingScripts } = options;
  const request: ActionRequest = {
    ...{ comment, image, enableSsh, skipBmcConfig, skipNetworking, skipStorage, soft },
    ...{ erase, secureErase, quickErase, commissioningScripts, testingScripts },
  };
  if (options.userData !== undefined) {
    request.userData = (await userDataFrom(options.userData)).toString('base64');
    request.userDataEncoding = 'base64';
  }
  return request;
}

async function userDataFrom(file: string): Promise<Buffer> {
  if (file === '-') return Buffer.from(await text(process.stdin));
  try {
    return await readFile(file.replace(/^@/, ''));
  } catch (error) {
    throw new CliFailure(`the user data cannot be read: ${error instanceof Error ? error.message : String(error)}`, {
      exitCode: EXIT.usage,
      fix: 'name a file, or - for standard input',
    });
  }
}

function wholeNumber(value: string, flag: string): number {
  const number = Number(value);
  if (Number.isInteger(number) && number > 0) return number;
  throw new CliFailure(`${flag} takes a whole number, not "${value}"`, { exitCode: EXIT.usage });
}
