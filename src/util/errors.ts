/**
 * The one base of weft's errors: a fixed code for programs, typed detail for tests, a message for people.
 *
 * The message is lower case, has no full stop, names the object and, where there is one, the way out.
 */
export class AppError<D extends { readonly code: string }> extends Error {
  override readonly name: string = 'AppError';
  readonly code: D['code'];
  readonly detail: D;

  constructor(detail: D, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = detail.code;
    this.detail = detail;
  }
}

/** True when `error` is an AppError with this code, whichever folder it came from. */
export function hasCode(error: unknown, code: string): boolean {
  return error instanceof AppError && error.code === code;
}

/** Text for a person out of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
