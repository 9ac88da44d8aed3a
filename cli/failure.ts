/** 0 ok · 1 the work failed · 2 wrong usage or input · 3 waited too long · 4 refused */
export const EXIT = { ok: 0, failed: 1, usage: 2, timeout: 3, refused: 4, interrupted: 130 } as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Ends the command with one line and what to do about it. */
export class CliFailure extends Error {
  readonly exitCode: ExitCode;
  readonly fix: string | null;
  /** From the catalogue, when the region named one. */
  readonly code: string | null;
  constructor(message: string, options: { exitCode: ExitCode; fix?: string; code?: string }) {
    super(message);
    this.name = 'CliFailure';
    this.exitCode = options.exitCode;
    this.fix = options.fix ?? null;
    this.code = options.code ?? null;
  }
}

/** One line: "ingot: message (code) → what to do". */
export function failureText(error: CliFailure): string {
  const code = error.code === null ? '' : ` (${error.code})`;
  const fix = error.fix ? ` → ${error.fix}` : '';
  return `ingot: ${error.message}${code}${fix}\n`;
}
