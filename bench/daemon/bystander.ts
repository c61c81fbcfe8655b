import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { keepOn } from './process.js';

/** A process with nothing to do, on the daemon's core: what it has to wait for, anything there has to. */
export class Bystander implements Disposable {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  static async start(core: number): Promise<Bystander> {
    const child = fork(fileURLToPath(new URL('bystander-main.js', import.meta.url)), {
      execArgv: [],
    });
    await once(child, 'spawn');
    const bystander = new Bystander(child);
    await bystander.delayMs(); // it runs
    await keepOn(core, [child.pid!]);
    return bystander;
  }

  /** The p99 of what its event loop had to wait since the last call. */
  async delayMs(): Promise<number> {
    const signal = AbortSignal.timeout(30_000);
    const answer = once(this.#child, 'message', { signal });
    this.#child.send('delay');
    const [ms] = (await answer) as [number];
    return ms;
  }

  [Symbol.dispose](): void {
    this.#child.kill();
  }
}
