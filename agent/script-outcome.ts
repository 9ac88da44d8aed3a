import type { ScriptOutcome } from '@ingot/contract/agent.ts';
import { parse } from 'yaml';
import { cappedText } from './tool.ts';

const STATUSES = ['passed', 'failed', 'skipped', 'timedout', 'degraded'] as const;
type OutcomeStatus = (typeof STATUSES)[number];
const MAX_OUTPUT = 1024 * 1024;

export interface FinishedScript {
  exitStatus: number;
  timedOut: boolean;
  stdout: string;
  stderr: string;
  combined: string;
  result: string;
  seconds: number;
}

/** What is reported of a finished script. The `status` of its YAML wins over the exit status, unless it was cut off. */
export function scriptOutcome(run: FinishedScript): ScriptOutcome {
  const byExit: OutcomeStatus = run.timedOut ? 'timedout' : run.exitStatus === 0 ? 'passed' : 'failed';
  return {
    status: run.timedOut ? 'timedout' : (statusOfResult(run.result) ?? byExit),
    exitStatus: run.exitStatus,
    seconds: Math.round(run.seconds * 1000) / 1000,
    output: encode(run.combined),
    stdout: encode(run.stdout),
    stderr: encode(run.stderr),
    result: encode(run.result),
  };
}

/** `status` of a RESULT_PATH document; null when it has none or is no YAML: then the exit status decides. */
export function statusOfResult(yaml: string): OutcomeStatus | null {
  if (yaml.trim() === '') return null;
  try {
    const document: unknown = parse(yaml, { maxAliasCount: 0 });
    const status: unknown = typeof document === 'object' && document !== null ? Reflect.get(document, 'status') : null;
    return STATUSES.find((known) => known === status) ?? null;
  } catch {
    return null;
  }
}

function encode(text: string): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= MAX_OUTPUT) return bytes.toString('base64');
  const capped = cappedText(MAX_OUTPUT - 256);
  capped.add(bytes);
  return Buffer.from(capped.text()).subarray(0, MAX_OUTPUT).toString('base64');
}
