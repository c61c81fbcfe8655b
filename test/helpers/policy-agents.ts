/** Programs that answer and ask in the networks of containers: see policy-agent.py. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { type Host, projectDirectory } from '../../lab/index.js';
import { pidOf } from './weft-lab.js';

const PROGRAM = join(projectDirectory, 'test/helpers/policy-agent.py');

export type Question = readonly [address: string, protocol: string, port: number];

export class PolicyAgent {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string>;

  private constructor(child: ChildProcessByStdio<Writable, Readable, null>) {
    this.#child = child;
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  /** Answers on these ports of a container, once this resolves. */
  static async start(
    host: Host,
    container: string,
    ports: readonly number[],
  ): Promise<PolicyAgent> {
    const inside = ['nsenter', '--net', '--target', await pidOf(host, container), '--'];
    const [file = '', ...args] = host.enter([...inside, 'python3', PROGRAM, ...ports.map(String)]);
    const agent = new PolicyAgent(spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] }));
    await agent.#line();
    return agent;
  }

  /** Asks all at once; for each whether it was answered. */
  async ask(questions: readonly Question[]): Promise<boolean[]> {
    this.#child.stdin.write(`${JSON.stringify(questions)}\n`);
    return JSON.parse(await this.#line()) as boolean[];
  }

  async stop(): Promise<void> {
    const closed = once(this.#child, 'close');
    this.#child.stdin.end();
    await closed;
  }

  async #line(): Promise<string> {
    const next = await this.#lines.next();
    if (next.done) throw new Error('the agent in a container has ended');
    return next.value;
  }
}
