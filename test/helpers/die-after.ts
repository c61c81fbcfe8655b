/**
 * Preloaded into a daemon (`node --import`): lets it die in the middle of a change to the kernel.
 *
 * While the file that DIE_AFTER names is there, messages to the kernel go one by one, and after as many as the file
 * says the process kills itself.
 */
import { readFileSync } from 'node:fs';
import {
  Connection,
  type Message,
  type Outcome,
  type RequestOptions,
} from '../../src/netlink/index.js';

const trigger = process.env['DIE_AFTER'];
if (trigger !== undefined) dieAfter(trigger);

function dieAfter(path: string): void {
  // oxlint-disable-next-line typescript/unbound-method -- it gets its `this` below
  const { request } = Connection.prototype;
  let sent = 0;
  async function send(
    this: Connection,
    messages: readonly Message[],
    options?: RequestOptions,
  ): Promise<Outcome[]> {
    const outcomes = await request.call(this, messages, options);
    const last = lastMessage(path);
    if (last === undefined) sent = 0;
    else if ((sent += 1) >= last) process.kill(process.pid, 'SIGKILL');
    return outcomes;
  }
  Connection.prototype.request = async function (messages, options) {
    if (options?.whole === true) return send.call(this, messages, options);
    const outcomes: Outcome[] = [];
    for (const message of messages) outcomes.push(...(await send.call(this, [message], options)));
    return outcomes;
  };
}

function lastMessage(path: string): number | undefined {
  try {
    return Number(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}
