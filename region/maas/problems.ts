import { refusal } from '@ingot/core/machine/catalogue.ts';
import { NotFound } from '../store/not-found.ts';
import { databaseTrouble, unstorable } from '../store/pg-error.ts';
import { Problem } from '../store/problem.ts';
import { conflict, invalidForm, MaasError, unavailable } from './wire/errors.ts';

/** Errors of the use-cases below both APIs, in this dialect's shapes; anything else is returned as it is. */
export function toMaasError(error: unknown): unknown {
  if (error instanceof NotFound) return new MaasError(404, 'Not Found');
  const trouble = databaseTrouble(error);
  if (trouble !== null) return unavailable(refusal(trouble.code, { why: trouble.why }).message);
  const why = unstorable(error);
  if (why !== null) return invalidForm({ __all__: [`A value cannot be stored: ${why}.`] });
  if (!(error instanceof Problem)) return error;
  switch (error.kind) {
    case 'invalid':
      return invalidForm({ [error.field ?? '__all__']: [error.message] });
    case 'conflict':
      return conflict(error.message);
    case 'exhausted':
      // Without Retry-After: nothing frees an address in seconds (conventions §8).
      return new MaasError(503, error.message);
  }
}
