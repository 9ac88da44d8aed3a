import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ScriptItem } from '@ingot/contract/agent.ts';
import type { BuiltinRun } from './scripts/builtin.ts';
import { runTool } from './tool.ts';

export const EXTRA_FILES = {
  MAAS_RESOURCES_FILE: '/run/ingot/resources.json',
  MAAS_MACHINE_EXTRA_FILE: '/machine-extra.json',
  MAAS_STORAGE_CONFIG_FILE: '/storage-config.json',
};
export const BMC_CONFIG_PATH = '/run/ingot/bmc-config.yaml';

export interface CustomRun extends BuiltinRun {
  combined: string;
  timedOut: boolean;
}

/**
 * Run a user's script as a file of its own with the environment such scripts are written for. Its parameters become arguments
 * by their `argument_format` where the region rendered them, else `--name=value`.
 */
export async function runCustomScript(item: ScriptItem, baseUrl: string, mayConfigureBmc: boolean): Promise<CustomRun> {
  const directory = join('/run/ingot/scripts', String(item.resultId));
  await mkdir(join(directory, 'downloads'), { recursive: true });
  const path = join(directory, item.name.replaceAll('/', '_'));
  const resultPath = join(directory, 'result.yaml');
  const [combined, out, err] = ['combined', 'out', 'err'].map((name) => join(directory, name));
  await writeFile(path, item.text ?? '', { mode: 0o755 });
  const env: Record<string, string> = {
    MAAS_BASE_URL: `${baseUrl}/MAAS`,
    ...EXTRA_FILES,
    OUTPUT_COMBINED_PATH: combined ?? '',
    OUTPUT_STDOUT_PATH: out ?? '',
    OUTPUT_STDERR_PATH: err ?? '',
    RESULT_PATH: resultPath,
    DOWNLOAD_PATH: join(directory, 'downloads'),
    RUNTIME: String(item.timeoutSeconds),
    HAS_STARTED: 'False',
    ...(mayConfigureBmc ? { BMC_CONFIG_PATH } : {}),
  };
  const run = await runTool('nice', ['-n', '10', path, ...scriptArguments(item.parameters)], {
    timeoutSeconds: item.timeoutSeconds,
    env,
    cwd: directory,
  });
  return {
    exitStatus: run.exitStatus === 126 || run.exitStatus === 127 ? 2 : run.exitStatus,
    stdout: run.stdout,
    stderr: run.stderr,
    combined: run.combined,
    timedOut: run.timedOut,
    result: (await readFile(resultPath, 'utf8').catch(() => '')).slice(0, 1024 * 1024),
  };
}

/** `{input}`, `{name}`, `{path}` … in the format are taken from the value; the rest is split on white space. */
export function scriptArguments(parameters: Record<string, unknown>): string[] {
  return Object.entries(parameters).flatMap(([name, parameter]) => {
    const record: Record<string, unknown> = { ...Object(parameter) };
    const isRecord = typeof parameter === 'object' && parameter !== null;
    const value: unknown = isRecord ? record.value : parameter;
    const fields: Record<string, unknown> =
      typeof value === 'object' && value !== null ? { ...value } : { input: value };
    const kind = isRecord && typeof record.type === 'string' ? record.type : '';
    const standard =
      kind === 'storage' ? `--${name}={path}` : kind === 'interface' ? `--${name}={name}` : `--${name}={input}`;
    const format = isRecord && typeof record.argument_format === 'string' ? record.argument_format : standard;
    const text = format.replace(/\{(\w+)\}/g, (_, key: string) => String(fields[key] ?? fields.input ?? ''));
    return text.split(/\s+/).filter((word) => word !== '');
  });
}
