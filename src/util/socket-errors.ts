import { AppError } from './errors.js';

export type SocketDetail =
  /** Another live process listens there. */
  | { readonly code: 'SOCKET_IN_USE'; readonly path: string }
  /** The path can't hold a socket: too long for the kernel, or something else lies there. */
  | { readonly code: 'INVALID_SOCKET_PATH'; readonly path: string }
  /** Nobody answers there: no socket, nobody behind it, or no permission. */
  | { readonly code: 'SOCKET_UNREACHABLE'; readonly path: string; readonly errno: string }
  | { readonly code: 'REPLY_TIMED_OUT'; readonly path: string; readonly timeoutMs: number }
  | { readonly code: 'REPLY_TOO_LARGE'; readonly path: string; readonly maxBytes: number }
  /** The connection ended inside the reply, or it was not HTTP. */
  | { readonly code: 'REPLY_BROKEN'; readonly path: string };

export class SocketError extends AppError<SocketDetail> {
  override readonly name = 'SocketError';
}
