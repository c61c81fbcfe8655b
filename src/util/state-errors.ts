import { AppError } from './errors.js';

/** What can go wrong with state that this host keeps on disk. Errors of the file system itself pass as Node throws them. */
export type StateDetail =
  /** Another process, or another part of this one, holds the directory. `pid` as the holder tells it. */
  | { readonly code: 'DIRECTORY_IN_USE'; readonly directory: string; readonly pid?: number }
  /** The journal was written by a later weft. */
  | { readonly code: 'JOURNAL_TOO_NEW'; readonly path: string; readonly format: number }
  /** A write failed and could not be undone; only a rewrite makes the journal whole. */
  | { readonly code: 'JOURNAL_BROKEN'; readonly path: string }
  | { readonly code: 'JOURNAL_CLOSED'; readonly path: string };

export class StateError extends AppError<StateDetail> {
  override readonly name = 'StateError';
}
