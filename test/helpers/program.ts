/** The project's own programs, started on a machine as a user starts them. */
import { spawn, type ChildProcess } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { projectDirectory, waitFor, type Machine } from '../../lab/index.js';
import { environment } from '../../lab/machine.js';

export class Program {
  readonly child: ChildProcess;
  #said = '';

  private constructor(child: ChildProcess) {
    this.child = child;
    const hear = (chunk: Buffer): void => void (this.#said += chunk.toString());
    child.stdout?.on('data', hear);
    child.stderr?.on('data', hear);
  }

  /** Starts it in a process group of its own, as a shell does. */
  static start(machine: Machine, argv: readonly string[]): Program {
    const inClone = ['sh', '-c', 'cd "$0" && exec "$@"', projectDirectory, ...argv];
    const [file = '', ...args] = machine.enter(inClone);
    const options = { detached: true, env: environment() };
    return new Program(spawn(file, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] }));
  }

  /** Everything it has written until now. */
  get said(): string {
    return this.#said;
  }

  /** Waits until it has written something; fails at once when it ends without. */
  async says(text: string, timeoutMs = 90_000): Promise<void> {
    const heard = await waitFor(
      `"${text}" from a program that wrote:\n${this.#said}`,
      () => this.#said.includes(text) || (this.#hasEnded() && 'ended'),
      { timeoutMs },
    );
    if (heard === 'ended') throw new Error(`ended without "${text}":\n${this.#said}`);
  }

  /** What Ctrl-C does in a terminal: the whole group gets it. */
  interrupt(): void {
    if (this.child.pid !== undefined) process.kill(-this.child.pid, 'SIGINT');
  }

  /** Waits for its end and that of every process it started: until not more run than `before`. */
  async ended(before: readonly string[], timeoutMs = 30_000): Promise<void> {
    await waitFor('the end of the program', () => this.#hasEnded(), { timeoutMs });
    await waitFor('the end of every process of the program', async () => {
      return (await pids()).length <= before.length;
    });
  }

  /** The guardian of the jail it started. */
  async guardian(): Promise<number> {
    for (const pid of await pids()) {
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
      const parent = Number(/\) \S (\d+)/.exec(stat)?.[1]);
      const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      if (parent === this.child.pid && command.includes('guardian')) return Number(pid);
    }
    throw new Error('the program has no guardian');
  }

  #hasEnded(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }
}

async function pids(): Promise<string[]> {
  return (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
}
