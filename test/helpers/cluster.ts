import { setTimeout as delay } from 'node:timers/promises';
import type { ExecutionContext } from 'ava';
import type { HostDocument } from '../../src/cluster/index.js';
import { parseAddress } from '../../src/net/index.js';

/** A host with this name and, as its id, `host-NAME`. */
export function hostDocument(name: string, vtep: string): HostDocument {
  return {
    id: `host-${name}`,
    name,
    vtep: parseAddress(vtep),
    mtu: 1500,
    version: '1.0.0',
    startedAt: '2026-01-01T00:00:00.000Z',
  };
}

/** Waits until the claim holds, for at most a minute. */
export async function until(
  t: ExecutionContext,
  what: string,
  holds: () => boolean | Promise<boolean>,
): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`never: ${what}`);
    await delay(2);
  }
  t.pass(what);
}
