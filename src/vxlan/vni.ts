/** Who holds a VNI: the kernel says only that somebody does. */
import { readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Vni } from '../net/index.js';
import { type Connection, type Link, deleteLink, dumpLinks } from '../netlink/index.js';
import { VxlanError } from './errors.js';
import type { Kernel } from './kernel.js';
import { networkOfNetns, parseMark } from './names.js';
import type { Underlay } from './types.js';

export interface VniSearch {
  readonly kernel: Kernel;
  /** In the host's namespace. */
  readonly conn: Connection;
  readonly netnsDir: string;
  readonly underlay: Underlay;
  /** Networks that somebody wants: what they hold is theirs. */
  readonly isDesired: (networkId: string) => boolean;
}

/** Where namespaces have names: iproute2's folder and Docker's. */
const FOLDERS = ['/run/netns', '/run/docker/netns'];

interface Holder {
  readonly link: Link;
  /** Its namespace; undefined for the host's. */
  readonly path: string | undefined;
  /** The network of ours that it is or was of. */
  readonly owner: string | undefined;
}

/**
 * Frees a VNI from links that a crash of ours left behind. Throws VNI_TAKEN when somebody else holds it: another network of
 * ours, a foreign link, or one in a namespace that has no name here.
 */
export async function freeVni(search: VniSearch, vni: Vni, networkId: string): Promise<void> {
  const holders = await findHolders(search, vni);
  const isLeftover = ({ owner }: Holder) =>
    owner !== undefined && (owner === networkId || !search.isDesired(owner));
  const leftovers = holders.filter(isLeftover);
  if (leftovers.length === 0) {
    throw taken(search, vni, holders.find(({ owner }) => owner !== undefined) ?? holders[0]);
  }
  for (const { link, path } of leftovers) {
    await inNetns(search, path, async (conn) => conn.apply(deleteLink(link.ifindex)));
  }
}

/**
 * The network that a link is or was of: by the namespace we named, else by our mark. Elsewhere than in the host's namespace
 * and our folder nothing is ours: marks there are another daemon's, of a host that is a namespace on this machine.
 */
function ownerOf(netnsDir: string, link: Link, path: string | undefined): string | undefined {
  if (path !== undefined && dirname(path) !== netnsDir) return undefined;
  const named = path === undefined ? undefined : networkOfNetns(basename(path));
  return named ?? parseMark(link.alias)?.networkId;
}

async function findHolders(search: VniSearch, vni: Vni): Promise<Holder[]> {
  const { port } = search.underlay;
  const holders: Holder[] = [];
  for (const path of [undefined, ...(await netnsPaths(search.netnsDir))]) {
    const links = await inNetns(search, path, async (conn) => dumpLinks(conn)).catch(() => []);
    for (const link of links) {
      if (link.kind?.type !== 'vxlan' || link.kind.vni !== vni || link.kind.port !== port) continue;
      holders.push({ link, path, owner: ownerOf(search.netnsDir, link, path) });
    }
  }
  return holders;
}

async function netnsPaths(netnsDir: string): Promise<string[]> {
  const paths: string[] = [];
  for (const folder of new Set([netnsDir, ...FOLDERS])) {
    const names = await readdir(folder).catch(() => []);
    paths.push(...names.map((name) => join(folder, name)));
  }
  return paths;
}

async function inNetns<T>(
  { kernel, conn }: VniSearch,
  path: string | undefined,
  fn: (conn: Connection) => Promise<T>,
): Promise<T> {
  if (path === undefined) return fn(conn);
  await using own = await kernel.connect({ netns: path });
  return await fn(own);
}

function taken(search: VniSearch, vni: Vni, holder: Holder | undefined): VxlanError {
  const { port } = search.underlay;
  const link = holder?.link.name;
  const netns = holder?.path;
  const network = holder?.owner;
  const where = netns === undefined ? "in the host's namespace" : `in ${netns}`;
  const who =
    network !== undefined
      ? `network ${network} of weft`
      : link === undefined
        ? 'a VXLAN link in a namespace that has no name on this host'
        : `link "${link}" ${where}`;
  const wayOut =
    network !== undefined
      ? 'remove one of the two networks'
      : 'remove that link, or give one of the two another VNI or UDP port';
  return new VxlanError(
    { code: 'VNI_TAKEN', vni, port, link, netns, network },
    `VNI ${vni} on UDP port ${port} is held by ${who}; ${wayOut}`,
  );
}
