import { type Code, entryOf, type Params, refusal } from '@ingot/core/machine/catalogue.ts';

export type ProblemKind = 'invalid' | 'conflict' | 'exhausted';

/**
 * A request that cannot be carried out, as data: what is wrong, which field, what to do, with the catalogue's texts. Raised
 * by use-cases below the APIs; `kind` picks the HTTP status (invalid 400, conflict 409, exhausted 503).
 */
export class Problem extends Error {
  readonly code: Code;
  readonly kind: ProblemKind;
  readonly field: string | null;
  readonly fix: string;
  /** `over` says more exactly than the catalogue what is wrong here. */
  constructor(code: Code, params: Params = {}, over: { field?: string; message?: string; fix?: string } = {}) {
    const { message, fix } = refusal(code, params, over);
    super(message);
    this.name = 'Problem';
    this.code = code;
    this.kind = kindOf(entryOf(code)?.http);
    this.field = over.field ?? null;
    this.fix = fix;
  }
}

function kindOf(http: number | undefined): ProblemKind {
  if (http === 409) return 'conflict';
  return http === 503 ? 'exhausted' : 'invalid';
}
