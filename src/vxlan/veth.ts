/** An endpoint's pair of links: a port of br0 in the network's namespace, and the container's end, which Docker takes. */
import {
  type Connection,
  type Link,
  type Message,
  deleteLink,
  getLink,
  newLink,
  setLink,
} from '../netlink/index.js';
import { allDone } from '../util/index.js';
import { VxlanError, hasErrno } from './errors.js';
import type { Host } from './host.js';
import { INNER_MTU, type LinkWish, differing, linkRepairs, portWish } from './links.js';
import { containerLink, parseMark, portLink } from './names.js';
import { isGone } from './tally.js';
import type { LocalEndpoint, NetworkSpec } from './types.js';

export interface VethDeps {
  readonly host: Host;
  /** rtnetlink in the network's namespace. */
  readonly conn: Connection;
}

/** With what is there, without what has the port's name, without what has the name of the container's end, and once to spare. */
const ATTEMPTS = 4;

/** What the caller knows of the port: a pair that was seen is looked at, another is made without a look. */
export interface PortHint {
  readonly bridge: number;
  readonly isSeen: boolean;
}

/**
 * Makes or repairs the pair; `isNew` when there was none. A port that carries another endpoint's mark is deleted: the caller
 * knows that no such endpoint is attached. Throws LINK_TAKEN when a foreign link has the name of the container's end.
 */
export async function ensureVeth(
  deps: VethDeps,
  spec: NetworkSpec,
  endpoint: LocalEndpoint,
  hint: PortHint,
): Promise<{ readonly ifindex: number; readonly isNew: boolean }> {
  const { conn, host } = deps;
  const { bridge } = hint;
  const wish = portWish(spec.id, endpoint.id);
  const { link, isNew } = await ensurePair(deps, wish, spec, endpoint, hint);
  try {
    await allDone([
      conn.apply(...linkRepairs(wish, link, bridge)),
      isNew
        ? host.conn.apply(setLink(containerLink(endpoint.id), { alias: wish.alias }))
        : repairContainerLink(deps, wish, spec, endpoint),
    ]);
  } catch (error) {
    if (isNew) await deleteVeth(conn, endpoint.id).catch(() => undefined);
    throw error;
  }
  return { ifindex: link.ifindex, isNew };
}

/** Deletes the pair, wherever its other end is. None is fine. */
export async function deleteVeth(conn: Connection, endpointId: string): Promise<void> {
  await conn.apply(deleteLink(portLink(endpointId))).catch((error: unknown) => {
    if (!isGone(error)) throw error;
  });
}

/** A container that starts waits for each turn to the kernel: so it is looked for only where it is expected, or in the way. */
async function ensurePair(
  { conn, host }: VethDeps,
  { name, alias }: LinkWish,
  { mtu }: NetworkSpec,
  { id, mac }: LocalEndpoint,
  { bridge, isSeen }: PortHint,
): Promise<{ readonly link: Link; readonly isNew: boolean }> {
  const peer = { name: containerLink(id), mac, mtu, netnsFd: host.netnsFd };
  const pair = newLink({
    name,
    kind: { type: 'veth', peer },
    mtu: INNER_MTU,
    master: bridge,
  });
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    const made = isSeen && attempt === 1 ? undefined : await tryToMake(conn, name, pair);
    if (made !== undefined) return { link: made, isNew: true };
    const link = await findLink(conn, name);
    if (link === undefined) await deleteLeftover(host.conn, peer.name);
    else if ((link.alias ?? alias) === alias) return { link, isNew: false };
    else await conn.apply(deleteLink(link.ifindex));
  }
  throw new VxlanError(
    { code: 'LINK_TAKEN', link: name },
    `somebody makes a link "${name}" or "${peer.name}" again whenever it is deleted; find out who`,
  );
}

/** Undefined when a link has one of the pair's names. */
async function tryToMake(conn: Connection, name: string, pair: Message): Promise<Link | undefined> {
  try {
    return await getLink(conn, name, { after: [pair] });
  } catch (error) {
    if (hasErrno(error, 'EEXIST')) return undefined;
    await deleteUnmarked(conn, name).catch(() => undefined);
    throw error;
  }
}

/** A pair that was made, although nobody answered: what is ours to keep has a mark. */
async function deleteUnmarked(conn: Connection, name: string): Promise<void> {
  const link = await findLink(conn, name);
  if (link !== undefined && link.alias === undefined) await conn.apply(deleteLink(link.ifindex));
}

/** A container's end whose port is not here is left of a network that was removed by half. It goes only if it is ours. */
async function deleteLeftover(conn: Connection, name: string): Promise<void> {
  const link = await findLink(conn, name);
  if (link === undefined) return;
  const isOurs = link.alias === undefined || parseMark(link.alias) !== undefined;
  if (link.kind?.type !== 'veth' || !isOurs) {
    throw new VxlanError(
      { code: 'LINK_TAKEN', link: name },
      `link "${name}" exists and is not weft's; rename or delete it`,
    );
  }
  await conn.apply(deleteLink(link.ifindex));
}

/** As long as Docker has not taken it. */
async function repairContainerLink(
  { host: { conn } }: VethDeps,
  { alias }: LinkWish,
  { mtu }: NetworkSpec,
  { id, mac }: LocalEndpoint,
): Promise<void> {
  const link = await findLink(conn, containerLink(id));
  if (link === undefined || (link.alias ?? alias) !== alias) return;
  const changes = differing({ alias, mac, mtu }, link);
  if (changes !== undefined) await conn.apply(setLink(link.ifindex, changes));
}

async function findLink(conn: Connection, name: string): Promise<Link | undefined> {
  return getLink(conn, name).catch((error: unknown) => {
    if (isGone(error)) return undefined;
    throw error;
  });
}
