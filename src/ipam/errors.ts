import { AppError } from '../util/index.js';

export type IpamDetail =
  /** The prefix overlaps a pool of weft, or something on this host. */
  | { readonly code: 'POOL_OVERLAP'; readonly pool: string; readonly other: string }
  /** No default range has room that this host can use. */
  | { readonly code: 'NO_FREE_POOL' }
  | { readonly code: 'UNKNOWN_POOL'; readonly pool: string }
  | { readonly code: 'POOL_FULL'; readonly pool: string }
  | { readonly code: 'ADDRESS_TAKEN'; readonly address: string; readonly by: string }
  | { readonly code: 'ADDRESS_OUT_OF_POOL'; readonly address: string; readonly pool: string }
  | { readonly code: 'INVALID_OPTION'; readonly option: string }
  /** The shared store is away, or answers too slowly for this call. */
  | { readonly code: 'STORE_UNAVAILABLE' }
  /** Somebody wrote to the store what weft would not. */
  | { readonly code: 'BAD_DOCUMENT'; readonly key: string }
  /** Other hosts wrote the same key each time that this one tried. */
  | { readonly code: 'CONTENDED'; readonly key: string };

export class IpamError extends AppError<IpamDetail> {
  override readonly name = 'IpamError';
}
