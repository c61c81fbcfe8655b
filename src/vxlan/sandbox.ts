/** An endpoint's new link, brought into a container that runs: Docker moves a link only when the container starts. */
import { type AddressWithLength, familyOf } from '../net/index.js';
import {
  type Connection,
  type Link,
  addAddress,
  deleteLink,
  dumpLinks,
  getLink,
  renameLink,
  setLink,
} from '../netlink/index.js';
import { hasErrno } from './errors.js';
import type { Host } from './host.js';
import { containerLink } from './names.js';

/** A container that runs, and what it should have of one network. */
export interface Sandbox {
  /** Docker's endpoint id, 64 hex digits. */
  readonly endpointId: string;
  /** File of the container's namespace. */
  readonly path: string;
  readonly addresses: readonly AddressWithLength[];
}

export interface Entered {
  readonly endpointId: string;
  /** Why the container has no link; undefined when it has. */
  readonly error?: unknown;
}

/**
 * Of these, moves the links that are in the host's namespace into their containers, with addresses and up, under the first free
 * name as Docker gives them. A network whose namespace was deleted while no daemon ran took its containers' links along, and got new
 * ones. Answers those it moved, or could not move: the link of such a one is deleted, as it is nobody's.
 */
export async function enterSandboxes(
  host: Host,
  sandboxes: readonly Sandbox[],
): Promise<Entered[]> {
  const found = new Map((await host.containerLinks()).map(({ link }) => [link.name, link]));
  const entered: Entered[] = [];
  for (const sandbox of sandboxes) {
    const link = found.get(containerLink(sandbox.endpointId));
    if (link !== undefined) entered.push(await enter(host, sandbox, link));
  }
  return entered;
}

async function enter(host: Host, sandbox: Sandbox, link: Link): Promise<Entered> {
  const { endpointId, path } = sandbox;
  try {
    await using conn = await host.kernel.connect({ netns: path });
    const netnsFd = host.kernel.openNetns(path);
    try {
      await host.conn.apply(setLink(link.ifindex, { netnsFd }));
      await settle(conn, host, netnsFd, link.name, sandbox.addresses);
    } finally {
      host.kernel.closeFd(netnsFd);
    }
    return { endpointId };
  } catch (error) {
    await host.conn.apply(deleteLink(link.name)).catch((left: unknown) => {
      if (!hasErrno(left, 'ENODEV')) throw left;
    });
    return { endpointId, error };
  }
}

async function settle(
  conn: Connection,
  host: Host,
  netnsFd: number,
  moved: string,
  addresses: readonly AddressWithLength[],
): Promise<void> {
  const { ifindex } = await getLink(conn, moved);
  try {
    const taken = new Set((await dumpLinks(conn)).map(({ name }) => name));
    const numbers = Array.from({ length: taken.size + 1 }, (_, i) => `eth${i}`);
    const name = numbers.find((each) => !taken.has(each))!;
    await conn.apply(renameLink(ifindex, name));
    if (addresses.some(({ address }) => familyOf(address) === 6)) {
      const path = `/proc/sys/net/ipv6/conf/${name}/disable_ipv6`;
      await host.kernel.writeInNetns(netnsFd, path, '0');
    }
    const wanted = addresses.map((each) => addAddress({ ...each, ifindex, noDad: true }));
    await conn.apply(...wanted, setLink(ifindex, { isUp: true }));
  } catch (error) {
    await conn.apply(deleteLink(ifindex)).catch(() => undefined);
    throw error;
  }
}
