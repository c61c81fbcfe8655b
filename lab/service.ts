import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LabError } from './errors.js';
import { environment, type Machine } from './machine.js';
import { isRunning, sendSignal } from './processes.js';
import { waitFor } from './wait.js';

export interface ServiceSpec {
  readonly name: string;
  readonly argv: readonly string[];
  /** True once the service does its work. */
  readonly isReady: () => Promise<boolean>;
  readonly readyTimeoutMs?: number;
}

export interface StartOptions {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Give false to return without waiting for it to be ready. */
  readonly wait?: boolean;
}

const readyTimeoutMs = 30_000;
const stopTimeoutMs = 30_000;

/**
 * A long-running process on a machine. What is known about it is in files (pid, log), so that it outlives
 * the test that started it and any other process of the jail can stop it.
 */
export class Service {
  readonly #machine: Machine;
  readonly #spec: ServiceSpec;

  constructor(machine: Machine, spec: ServiceSpec) {
    this.#machine = machine;
    this.#spec = spec;
  }

  get name(): string {
    return `${this.#spec.name} on ${this.#machine.name}`;
  }

  get logPath(): string {
    return join(this.#machine.state.directory, 'log', `${this.#spec.name}.log`);
  }

  /** Starts it and waits until it is ready; a process that ends before that is an error with its last words. */
  async start(options: StartOptions = {}): Promise<void> {
    if ((await this.pid()) !== undefined) {
      throw new LabError({ code: 'BAD_REQUEST', asked: 'start' }, `${this.name} runs already`);
    }
    await mkdir(join(this.#machine.state.directory, 'log'), { recursive: true });
    const [file = '', ...args] = this.#machine.enter([...this.#spec.argv, ...(options.args ?? [])]);
    const log = openSync(this.logPath, 'a');
    const child = spawn(file, args, {
      detached: true,
      stdio: ['ignore', log, log],
      env: environment(options.env),
    });
    closeSync(log);
    child.on('error', () => {});
    child.unref();
    if (child.pid === undefined) {
      throw new LabError({ code: 'MACHINE_UNFIT', lacks: file }, `cannot start ${this.name}`);
    }
    await writeFile(this.#pidPath, String(child.pid));
    if (options.wait !== false) await this.ready();
  }

  /** Waits until it is ready. */
  async ready(): Promise<void> {
    const ended = new Error('it has ended');
    const state = await waitFor(
      `${this.name} ready`,
      async () => {
        if ((await this.pid()) === undefined) return ended;
        return this.#spec.isReady();
      },
      { timeoutMs: this.#spec.readyTimeoutMs ?? readyTimeoutMs },
    ).catch((error: unknown) => error);
    if (state === true) return;
    const why = state === ended ? 'ended before it was ready' : 'is not ready in time';
    throw new LabError(
      { code: 'TIMED_OUT', waitedFor: this.name },
      `${this.name} ${why}; it said:\n${await this.lastWords()}`,
      { cause: state },
    );
  }

  /** The process while it runs. */
  async pid(): Promise<number | undefined> {
    const pid = Number(await readFile(this.#pidPath, 'utf8').catch(() => '0'));
    return pid !== 0 && (await isRunning(pid)) ? pid : undefined;
  }

  /** Ends it the polite way and waits until it is gone. */
  async stop(): Promise<void> {
    await this.kill('SIGTERM');
  }

  /** Sends a signal and waits for the end. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const pid = await this.signal(signal);
    if (pid === undefined) return;
    const options = { timeoutMs: stopTimeoutMs };
    await waitFor(`end of ${this.name}`, async () => !(await isRunning(pid)), options);
    // An engine that finds its last number in use, be it by its own remains, does not start.
    await waitFor(`all of ${this.name} to be gone`, async () => !isThere(pid), options);
  }

  async restart(options: StartOptions = {}): Promise<void> {
    await this.stop();
    await this.start(options);
  }

  /** Stops it where it stands: its sockets still accept, nothing answers. */
  async freeze(): Promise<void> {
    await this.signal('SIGSTOP');
  }

  async thaw(): Promise<void> {
    await this.signal('SIGCONT');
  }

  /** Sends a signal and does not wait. Returns the process it went to. */
  async signal(signal: NodeJS.Signals): Promise<number | undefined> {
    const pid = await this.pid();
    if (pid !== undefined) sendSignal(pid, signal);
    return pid;
  }

  /** Everything it has written since the lab began. */
  async log(): Promise<string> {
    return readFile(this.logPath, 'utf8').catch(() => '');
  }

  async lastWords(lines = 20): Promise<string> {
    return (await this.log()).trimEnd().split('\n').slice(-lines).join('\n');
  }

  get #pidPath(): string {
    return join(this.#machine.state.directory, `${this.#spec.name}.pid`);
  }
}

/** Also when it has ended and nobody has taken note of that yet. */
function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
