/** Namespaces of networks: made, opened, and deleted with all that is ours in them, also when nobody opened them. */
import { stat } from 'node:fs/promises';
import { type Connection, netnsIno } from '../netlink/index.js';
import { hasErrno } from './errors.js';
import type { Host } from './host.js';
import type { Kernel } from './kernel.js';
import { deleteLinks } from './network-links.js';
import { deleteVeth } from './veth.js';

export interface OpenedNetns {
  /** The caller closes it. */
  readonly netnsFd: number;
  /** Made just now. */
  readonly isNew: boolean;
}

export async function openOrCreateNetns(kernel: Kernel, path: string): Promise<OpenedNetns> {
  try {
    await kernel.createNetns(path);
  } catch (error) {
    if (!hasErrno(error, 'EEXIST')) throw error;
    try {
      return { netnsFd: kernel.openNetns(path), isNew: false };
    } catch (bad) {
      if (!hasErrno(bad, 'EINVAL')) throw bad;
      // A crash left the file without its namespace.
      await kernel.deleteNetns(path);
      await kernel.createNetns(path);
    }
  }
  return { netnsFd: kernel.openNetns(path), isNew: true };
}

/**
 * Gives an open namespace its file again when somebody took it away (`ip netns delete`): it lives on by our descriptors, but
 * would die with us, and its links with it. Answers whether that was so.
 */
export async function restoreNetnsFile(
  kernel: Kernel,
  netnsFd: number,
  path: string,
): Promise<boolean> {
  const there = await stat(path, { bigint: true }).catch((error: unknown) => {
    if (!hasErrno(error, 'ENOENT')) throw error;
    return undefined;
  });
  if (there?.ino === netnsIno(netnsFd)) return false;
  if (there !== undefined) await kernel.deleteNetns(path);
  await kernel.bindNetns(netnsFd, path);
  return true;
}

/** Deletes a network's namespace and all that is ours in it. None is fine. Whoever has it open closes it before. */
export async function deleteNetwork(host: Host, networkId: string): Promise<void> {
  const conn = await connectTo(host, networkId);
  if (conn !== undefined) {
    await using open = conn;
    await deleteLinks(open);
  }
  await host.kernel.deleteNetns(host.netnsPath(networkId)).catch((error: unknown) => {
    if (!hasErrno(error, 'ENOENT')) throw error;
  });
}

/** Deletes an endpoint of a network that nobody opened. None is fine. */
export async function deleteEndpoint(
  host: Host,
  networkId: string,
  endpointId: string,
): Promise<void> {
  const conn = await connectTo(host, networkId);
  if (conn === undefined) return;
  await using open = conn;
  await deleteVeth(open, endpointId);
}

/** Undefined when there is no such namespace; EINVAL: a file that a crash left without one. */
async function connectTo(host: Host, networkId: string): Promise<Connection | undefined> {
  const netns = host.netnsPath(networkId);
  return host.kernel.connect({ netns }).catch((error: unknown) => {
    if (!hasErrno(error, 'ENOENT', 'EINVAL')) throw error;
    return undefined;
  });
}
