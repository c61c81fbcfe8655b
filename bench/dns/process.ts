import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { waitFor } from '../../lab/index.js';

const READY_MS = 120_000;
const END_MS = 30_000;

/** A server that runs until it is disposed of. */
export class Server implements AsyncDisposable {
  readonly pid: number;
  readonly #child: ChildProcess;
  #said = '';

  private constructor(child: ChildProcess, pid: number) {
    this.#child = child;
    this.pid = pid;
    child.on('error', () => undefined);
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (text) => (this.#said = `${this.#said}${String(text)}`.slice(-2000)));
    }
  }

  /** Waits until it says or does what shows that it answers. */
  static async start(
    argv: readonly string[],
    isReady: (pid: number, said: string) => boolean | Promise<boolean>,
    env: Readonly<Record<string, string>> = {},
  ): Promise<Server> {
    const [file = '', ...args] = argv;
    const child = spawn(file, args, { env: { ...process.env, ...env }, stdio: 'pipe' });
    if (child.pid === undefined) throw new Error(`cannot start ${file}`);
    const server = new Server(child, child.pid);
    try {
      await waitFor(
        `${argv.join(' ').slice(0, 300)} to answer`,
        async () => server.#isReady(isReady),
        {
          timeoutMs: READY_MS,
        },
      );
      return server;
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #isReady(
    isReady: (pid: number, said: string) => boolean | Promise<boolean>,
  ): Promise<boolean> {
    if (this.#child.exitCode !== null) throw new Error(`it has ended: ${this.#said}`);
    return isReady(this.pid, this.#said);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit', { signal: AbortSignal.timeout(END_MS) });
    this.#child.kill('SIGKILL');
    await ended;
  }
}
