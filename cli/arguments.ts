import { CliFailure, EXIT } from './failure.ts';

const UNITS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** "45m", "90s", "2h", "500ms" or seconds without a unit → milliseconds. */
export function parseDuration(value: string, flag: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(value);
  const unit = UNITS[match?.[2] ?? 's'];
  if (match && unit !== undefined && Number(match[1]) > 0) return Number(match[1]) * unit;
  throw new CliFailure(`${flag} takes a time such as 90s, 45m or 2h, not "${value}"`, { exitCode: EXIT.usage });
}
