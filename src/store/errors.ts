import { AppError } from '../util/index.js';

export type StoreDetail =
  /** The backend did not answer in time, refused, or has no leader. */
  | { readonly code: 'UNAVAILABLE'; readonly store: string }
  /** The backend answered and said no: a token without rights, a bad request. */
  | { readonly code: 'STORE_REFUSED'; readonly store: string; readonly status?: number }
  | { readonly code: 'STORE_CLOSED'; readonly store: string };

export class StoreError extends AppError<StoreDetail> {
  override readonly name = 'StoreError';
}
