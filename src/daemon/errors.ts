import { AppError } from '../util/index.js';

export type DaemonDetail =
  | { readonly code: 'INVALID_CONFIG'; readonly source: string }
  | { readonly code: 'NO_UNDERLAY'; readonly wanted?: string }
  | { readonly code: 'NOT_ROOT' };

export class DaemonError extends AppError<DaemonDetail> {
  override readonly name = 'DaemonError';
}
