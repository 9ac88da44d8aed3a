/**
 * A request that cannot be carried out, as data: what is wrong, which field, what to do. Raised by use-cases below the
 * APIs; `kind` picks the HTTP status (invalid 400, conflict 409, exhausted 503).
 */
export class Problem extends Error {
  readonly code: string;
  readonly kind: 'invalid' | 'conflict' | 'exhausted';
  readonly field: string | null;
  readonly fix: string;
  constructor(problem: {
    code: string;
    kind: 'invalid' | 'conflict' | 'exhausted';
    message: string;
    field?: string | null;
    fix: string;
  }) {
    super(problem.message);
    this.name = 'Problem';
    this.code = problem.code;
    this.kind = problem.kind;
    this.field = problem.field ?? null;
    this.fix = problem.fix;
  }
}
