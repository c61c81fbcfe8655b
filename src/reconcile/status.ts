import { messageOf } from '../util/index.js';

/** How one key of a loop is doing. Times are milliseconds since the epoch. */
export type Status =
  /** No round has ended yet. */
  | { readonly state: 'pending' }
  | { readonly state: 'ok'; readonly at: number }
  /** The last round failed, at least in part; the next is due by itself. */
  | {
      readonly state: 'degraded';
      readonly at: number;
      /** When the first of these rounds failed. */
      readonly since: number;
      /** Failed rounds since the last good one. */
      readonly failures: number;
      readonly error: string;
    };

/** Errors a person will read; the rest is counted. */
const MAX_ERRORS = 10;

/** One line out of many errors: the first ten, then how many more. */
export function joinErrors(errors: readonly unknown[]): string {
  const shown = errors.slice(0, MAX_ERRORS).map(messageOf).join('; ');
  const omitted = errors.length - MAX_ERRORS;
  if (omitted <= 0) return shown;
  return `${shown}; and ${omitted} more ${omitted === 1 ? 'error' : 'errors'}`;
}
