/** Something named by the caller does not exist. Dialects answer 404. */
export class NotFound extends Error {
  readonly code = 'not_found';
  constructor(
    readonly what: string,
    readonly key: string,
  ) {
    super(`There is no ${what} "${key}".`);
    this.name = 'NotFound';
  }
}
