import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { constants } from 'node:fs';
import { type FileHandle, link, open, readdir, unlink } from 'node:fs/promises';
import { type Server, type Socket, connect, createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { StateError } from './state-errors.js';

const ATTEMPTS = 5;
const ANSWER_MS = 1000;
const LOCK = /^lock\.([0-9]{1,15})$/;

/**
 * Exclusive use of a directory, given back by the kernel when the process dies, however it dies.
 *
 * Node has neither flock nor fcntl locks. A listening Unix socket is what it has instead: connecting to one whose process
 * died is refused, whatever network or pid namespace either side is in. A socket that was left behind can't be taken
 * over safely (two starters may both find it dead, and remove each other's new one), so locks are numbered: a starter
 * that found every `lock.N` dead makes the next one with link(2), which only one can win, and looks again. Only the
 * holder removes older ones, after its own is there; so a starter that was slow sees a higher number and gives way.
 * It does not reach across machines that share a file system.
 */
export class DirectoryLock implements AsyncDisposable {
  readonly #directory: FileHandle;
  readonly #server: Server;
  readonly #path: string;

  private constructor(directory: FileHandle, server: Server, path: string) {
    this.#directory = directory;
    this.#server = server;
    this.#path = path;
  }

  /** Throws DIRECTORY_IN_USE when somebody alive holds it. The directory must exist. */
  static async acquire(directory: string): Promise<DirectoryLock> {
    const handle = await open(directory, constants.O_RDONLY | constants.O_DIRECTORY);
    // A socket's path has 107 bytes at most, the directory's may be longer.
    const root = `/proc/self/fd/${handle.fd}`;
    let server: Server | undefined;
    try {
      const name = `${root}/claim-${randomBytes(8).toString('hex')}`;
      server = await listen(name);
      const path = await claim(root, name, directory);
      await unlink(name);
      return new DirectoryLock(handle, server, path);
    } catch (error) {
      if (server) await closeServer(server);
      await handle.close();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#server.listening) return;
    await unlink(this.#path).catch(() => undefined);
    await closeServer(this.#server);
    await this.#directory.close();
  }
}

async function claim(root: string, name: string, directory: string): Promise<string> {
  for (let attempt = 1; ; attempt += 1) {
    const outcome = await tryClaim(root, name);
    if ('path' in outcome) return outcome.path;
    if (attempt === ATTEMPTS) {
      const who = outcome.pid === undefined ? 'another process' : `process ${outcome.pid}`;
      throw new StateError(
        {
          code: 'DIRECTORY_IN_USE',
          directory,
          ...(outcome.pid === undefined ? {} : { pid: outcome.pid }),
        },
        `${directory} is in use by ${who}; stop it, or give this one another directory`,
      );
    }
    await delay(20 + Math.random() * 60);
  }
}

type Holder = { readonly pid?: number };

async function tryClaim(root: string, name: string): Promise<Holder | { readonly path: string }> {
  const dead = await readLocks(root);
  for (const number of dead) {
    const holder = await holderOf(`${root}/lock.${number}`);
    if (holder) return holder;
  }
  const mine = Math.max(0, ...dead) + 1;
  const path = `${root}/lock.${mine}`;
  try {
    await link(name, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return {};
    throw error;
  }
  for (const number of await readLocks(root)) {
    if (number === mine) continue;
    const holder = await holderOf(`${root}/lock.${number}`);
    if (holder || number > mine) {
      await unlink(path);
      return holder ?? {};
    }
  }
  for (const number of dead) await unlink(`${root}/lock.${number}`).catch(() => undefined);
  return { path };
}

async function readLocks(root: string): Promise<number[]> {
  const numbers: number[] = [];
  for (const file of await readdir(root)) {
    const match = LOCK.exec(file);
    if (match) numbers.push(Number(match[1]));
  }
  return numbers;
}

/** Undefined when nobody listens there any more. Whatever else goes wrong counts as alive. */
async function holderOf(path: string): Promise<Holder | undefined> {
  const socket = connect(path);
  try {
    const [data] = (await once(socket, 'data', {
      signal: AbortSignal.timeout(ANSWER_MS),
    })) as [Buffer];
    const pid = Number.parseInt(data.toString('latin1'), 10);
    return Number.isSafeInteger(pid) ? { pid } : {};
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'ECONNREFUSED' || code === 'ENOENT' ? undefined : {};
  } finally {
    socket.destroy();
  }
}

async function listen(path: string): Promise<Server> {
  const server = createServer((socket: Socket) => {
    socket.on('error', () => undefined);
    socket.end(`${process.pid}\n`);
  });
  server.unref();
  server.listen(path);
  await once(server, 'listening');
  return server;
}

async function closeServer(server: Server): Promise<void> {
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
}
