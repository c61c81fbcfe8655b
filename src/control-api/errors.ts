import { AppError } from '../util/index.js';

export type ControlDetail =
  /** No daemon answers on the control socket. */
  | { readonly code: 'DAEMON_UNREACHABLE'; readonly socket: string }
  /** This user may not ask it. */
  | { readonly code: 'DAEMON_FORBIDDEN'; readonly socket: string }
  /** The daemon answered with an error; `status` is HTTP's. */
  | { readonly code: 'DAEMON_REFUSED'; readonly status: number }
  /** The daemon answered in a way that this version does not know. */
  | { readonly code: 'DAEMON_UNREADABLE'; readonly path: string };

export class ControlError extends AppError<ControlDetail> {
  override readonly name = 'ControlError';
}
