import { AppError } from '../util/index.js';

export type StoreDetail =
  /** The backend did not answer in time, refused, or has no leader; the embedded one could not write to its disk. */
  | { readonly code: 'UNAVAILABLE'; readonly store: string }
  /** The backend answered and said no: a token without rights, a bad request. Also a call that breaks store.ts's limits. */
  | { readonly code: 'STORE_REFUSED'; readonly store: string; readonly status?: number }
  /** A key was to be bound to a lease that has ended. Nothing was written. */
  | { readonly code: 'LEASE_LOST'; readonly store: string; readonly lease: string }
  /** Another daemon has the embedded store's directory open. */
  | {
      readonly code: 'STORE_IN_USE';
      readonly store: string;
      readonly directory: string;
      readonly pid?: number;
    }
  | { readonly code: 'STORE_CLOSED'; readonly store: string };

export class StoreError extends AppError<StoreDetail> {
  override readonly name = 'StoreError';
}
