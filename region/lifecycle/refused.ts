import type { Refusal } from '@ingot/core/machine/model.ts';

/** Thrown by an effect that cannot be carried out: the transaction is rolled back and the caller gets the refusal. */
export class Refused extends Error {
  constructor(readonly refusal: Refusal) {
    super(refusal.message);
    this.name = 'Refused';
  }
}
