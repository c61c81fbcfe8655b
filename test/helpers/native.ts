/** Raw material for the tests of the native addon: a namespace, a request in bytes, waiting on a state. */
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { basename } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { ExecutionContext } from 'ava';
import { closeFd, createNetns, deleteNetns, openNetns } from '../../src/netlink/native.js';

export interface TestNetns {
  readonly name: string;
  readonly path: string;
  readonly fd: number;
  /** `ip -n NAME ...` */
  ip(...args: readonly string[]): string;
}

/** What a child that loads the addon needs; the tools that tests run must do without a sanitizer's runtime. */
export const nodeEnv: NodeJS.ProcessEnv = { ...process.env };
delete process.env['LD_PRELOAD'];

let count = 0;

/** A path that nobody else uses and that `ip netns` knows. */
export function netnsPath(): string {
  return `/run/netns/weft-native-${process.pid}-${count++}`;
}

/** Makes a namespace for one test and removes it after. */
export async function testNetns(t: Pick<ExecutionContext, 'teardown'>): Promise<TestNetns> {
  const path = netnsPath();
  await createNetns(path);
  const fd = openNetns(path);
  t.teardown(async () => {
    closeFd(fd);
    await deleteNetns(path);
  });
  const name = basename(path);
  const ip = (...args: readonly string[]) =>
    execFileSync('ip', ['-n', name, ...args], { encoding: 'utf8' });
  return { name, path, fd, ip };
}

/** RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, an empty ifinfomsg. */
export function dumpLinks(): Uint8Array {
  const bytes = new Uint8Array(32);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 32, true);
  view.setUint16(4, 18, true);
  view.setUint16(6, 0x301, true);
  return bytes;
}

/** Types of the messages in the datagrams, in order. */
export function messageTypes(datagrams: readonly Uint8Array[]): number[] {
  const types: number[] = [];
  for (const { buffer, byteOffset, byteLength } of datagrams) {
    const view = new DataView(buffer, byteOffset, byteLength);
    for (let at = 0; at + 16 <= byteLength; at += (view.getUint32(at, true) + 3) & ~3) {
      types.push(view.getUint16(at + 4, true));
    }
  }
  return types;
}

/** Waits until `ready` says so, at most a minute. */
export async function until(what: string, ready: () => boolean): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (!ready()) {
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await setImmediate();
  }
}

/** How many descriptors the process holds, worker threads included. */
export function openFds(): number {
  return readdirSync('/proc/self/fd').length;
}
