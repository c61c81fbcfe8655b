import { type IncomingMessage, request } from 'node:http';
import { messageOf } from './errors.js';
import { SocketError } from './socket-errors.js';

export interface SocketRequest {
  readonly socketPath: string;
  /** Path and query. */
  readonly path: string;
  /** For the whole reply; for {@link openOverSocket} until its headers. */
  readonly timeoutMs: number;
  /** The caller's own end to the call; its reason is what the call then throws. */
  readonly signal?: AbortSignal;
}

export interface SocketReply {
  readonly status: number;
  readonly body: string;
}

export interface SocketCall extends SocketRequest {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** JSON to send along. */
  readonly json?: unknown;
  readonly maxBytes: number;
}

/** {@link callOverSocket} with GET. */
export async function getOverSocket(
  options: Omit<SocketCall, 'method' | 'json'>,
): Promise<SocketReply> {
  return callOverSocket({ ...options, method: 'GET' });
}

/**
 * One HTTP call over a unix socket, bounded in time and size, on a connection of its own.
 *
 * Throws SOCKET_UNREACHABLE, REPLY_TIMED_OUT, REPLY_TOO_LARGE or REPLY_BROKEN; every status is a reply.
 */
export async function callOverSocket(options: SocketCall): Promise<SocketReply> {
  return withDeadline(options, async (signal) => {
    const response = await send(options, signal);
    const body = await bodyOf(response, options);
    return { status: response.statusCode ?? 0, body };
  });
}

/** Like {@link getOverSocket}, but hands over the body as it comes; `signal` or `destroy()` ends it. */
export async function openOverSocket(options: SocketRequest): Promise<IncomingMessage> {
  const response = await withDeadline(options, async (signal) => send(options, signal));
  const { signal } = options;
  const stop = (): void => void response.destroy(signal?.reason as Error);
  if (signal?.aborted) stop();
  signal?.addEventListener('abort', stop, { once: true });
  response.once('close', () => signal?.removeEventListener('abort', stop));
  return response;
}

/** Runs `fn` under the call's own clock and the caller's signal, and says which of them ended it. */
async function withDeadline<T>(
  { socketPath, timeoutMs, signal }: SocketRequest,
  fn: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted();
  // By hand: AbortSignal.any() keeps every call alive in a signal that lives as long as the daemon.
  const either = new AbortController();
  const stop = (): void => either.abort();
  const timer = setTimeout(stop, timeoutMs);
  signal?.addEventListener('abort', stop, { once: true });
  try {
    return await fn(either.signal);
  } catch (error) {
    signal?.throwIfAborted();
    if (!either.signal.aborted)
      throw error instanceof SocketError ? error : describe(socketPath, error);
    throw new SocketError(
      { code: 'REPLY_TIMED_OUT', path: socketPath, timeoutMs },
      `${socketPath} gave no full answer in ${timeoutMs} ms`,
      { cause: error },
    );
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', stop);
  }
}

async function send(
  options: SocketRequest & Partial<SocketCall>,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const { socketPath, path, method = 'GET', json } = options;
  const headers = json === undefined ? {} : { 'content-type': 'application/json' };
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, path, method, headers, signal, agent: false }, resolve);
    call.once('error', reject);
    call.end(json === undefined ? undefined : JSON.stringify(json));
  });
}

async function bodyOf(
  response: IncomingMessage,
  { socketPath, maxBytes }: { readonly socketPath: string; readonly maxBytes: number },
): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) {
      throw new SocketError(
        { code: 'REPLY_TOO_LARGE', path: socketPath, maxBytes },
        `${socketPath} answered more than ${maxBytes} octets`,
      );
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

const unreachable: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist',
  ENOTDIR: 'does not exist',
  ECONNREFUSED: 'has nobody listening',
  EACCES: 'needs more rights than this user has',
  EPERM: 'needs more rights than this user has',
  EAGAIN: 'has a full queue of connections',
};

function describe(socketPath: string, cause: unknown): SocketError {
  const errno = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  const why = unreachable[errno];
  if (why !== undefined) {
    const detail = { code: 'SOCKET_UNREACHABLE', path: socketPath, errno } as const;
    return new SocketError(detail, `${socketPath} ${why}`, { cause });
  }
  const detail = { code: 'REPLY_BROKEN', path: socketPath } as const;
  return new SocketError(detail, `${socketPath} broke its reply off: ${messageOf(cause)}`, {
    cause,
  });
}
