import { chmod, link, lstat, mkdir, mkdtemp, rename, rm, unlink } from 'node:fs/promises';
import { createConnection } from 'node:net';
import path from 'node:path';
import { SocketError } from './socket-errors.js';

/** sun_path of linux/un.h is 108 octets with its closing zero; libuv would cut a longer path silently. */
const MAX_PATH_OCTETS = 107;

export interface UnixSocketOptions {
  readonly path: string;
  /** Mode of the socket; connecting needs its write bit. */
  readonly mode: number;
  /** Mode of the directories that have to be made for it. */
  readonly directoryMode: number;
  /** Starts to listen at the path it is given, which is not yet the final one. */
  readonly listen: (path: string) => Promise<unknown>;
}

/**
 * Puts a listening unix socket at `path` such that nobody ever sees it with another mode or not yet listening.
 *
 * It is bound in a private directory beside, gets its mode there, and is linked into place: link(2) never replaces.
 * umask(2) would do for the mode, but belongs to the whole process and is refused in worker threads. The socket of a dead
 * process is taken away first; a live one is SOCKET_IN_USE. Of two processes that start at the same moment one gets the path.
 *
 * Disposing removes the path if it is still ours; closing the server is its owner's work.
 */
export async function claimUnixSocket(options: UnixSocketOptions): Promise<AsyncDisposable> {
  const { path: target, mode, directoryMode, listen } = options;
  if (Buffer.byteLength(target) > MAX_PATH_OCTETS) {
    throw invalid(target, `socket path ${target} is longer than ${MAX_PATH_OCTETS} octets`);
  }
  const directory = path.dirname(target);
  await mkdir(directory, { recursive: true, mode: directoryMode });
  const workshop = await mkdtemp(`${directory}/.`);
  try {
    const bound = path.join(workshop, 's');
    await listen(bound);
    await chmod(bound, mode);
    await place(bound, target, path.join(workshop, 'old'));
    const { ino } = await lstat(bound);
    return { [Symbol.asyncDispose]: async () => removeIfOurs(target, ino) };
  } finally {
    await rm(workshop, { recursive: true, force: true });
  }
}

async function place(bound: string, target: string, aside: string): Promise<void> {
  // Each further round means that somebody else took or left the path meanwhile.
  for (let round = 0; round < 5; round += 1) {
    try {
      await link(bound, target);
      return;
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error;
    }
    await clearStale(target, aside);
  }
  throw inUse(target);
}

/** Takes away a socket that nobody listens on. Looks again after moving it: it may have been replaced in between. */
async function clearStale(target: string, aside: string): Promise<void> {
  const found = await lstat(target).catch(ignoreAbsent);
  if (!found) return;
  if (!found.isSocket()) {
    throw invalid(target, `${target} exists and is not a socket; remove it or choose another path`);
  }
  if (await isListening(target)) throw inUse(target);
  try {
    await rename(target, aside);
  } catch (error) {
    ignoreAbsent(error);
    return;
  }
  if (await isListening(aside)) {
    await link(aside, target).catch((error: unknown) => {
      if (errnoOf(error) !== 'EEXIST') throw error;
    });
    throw inUse(target);
  }
  await unlink(aside);
}

async function isListening(target: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(target);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error) => {
      const code = errnoOf(error);
      if (code === 'ECONNREFUSED' || code === 'ENOENT') resolve(false);
      // A full queue of connections: somebody has it open.
      else if (code === 'EAGAIN') resolve(true);
      else reject(error);
    });
  });
}

async function removeIfOurs(target: string, ino: number): Promise<void> {
  const found = await lstat(target).catch(ignoreAbsent);
  if (found?.ino === ino) await unlink(target).catch(ignoreAbsent);
}

function ignoreAbsent(error: unknown): undefined {
  if (errnoOf(error) !== 'ENOENT') throw error;
}

function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}

function inUse(target: string): SocketError {
  return new SocketError(
    { code: 'SOCKET_IN_USE', path: target },
    `another process listens on ${target}; stop it first`,
  );
}

function invalid(target: string, message: string): SocketError {
  return new SocketError({ code: 'INVALID_SOCKET_PATH', path: target }, message);
}
