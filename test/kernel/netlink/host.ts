/** A namespace of one test's own, with our connection to it and iproute2's view of it. */
import { execFileSync } from 'node:child_process';
import type { ExecutionContext } from 'ava';
import { Connection, dumpLinks } from '../../../src/netlink/index.js';
import { type TestNetns, testNetns } from '../../helpers/native.js';
import { type Names, namesOf } from './as-iproute.js';

export interface Host {
  readonly netns: TestNetns;
  readonly conn: Connection;
  /** `ip -n NETNS ...`, `bridge -n NETNS ...`; a whole command line. */
  run(command: string): string;
  /** The same with -j -d, parsed. */
  json(command: string): Record<string, unknown>[];
  names(): Promise<Names>;
}

export async function testHost(t: ExecutionContext): Promise<Host> {
  const netns = await testNetns(t);
  const conn = await Connection.open({ netns: netns.path });
  t.teardown(async () => conn.close());
  const exec = (options: readonly string[], command: string): string => {
    const [program, ...args] = command.split(' ');
    return execFileSync(program!, ['-n', netns.name, ...options, ...args], { encoding: 'utf8' });
  };
  return {
    netns,
    conn,
    run: (command) => exec([], command),
    json: (command) => JSON.parse(exec(['-j', '-d'], command) || '[]') as Record<string, unknown>[],
    names: async () => namesOf(await dumpLinks(conn)),
  };
}
