import { readFile } from 'node:fs/promises';
import {
  type Connection,
  ROUTE_TABLE,
  dumpAddresses,
  dumpLinks,
  dumpRoutes,
} from '../netlink/index.js';
import {
  type Prefix,
  bitsOf,
  familyOf,
  parseAddress,
  parsePrefix,
  prefixLengthOf,
  prefixOf,
} from '../net/index.js';
import { type UnderlayChoice, chooseUnderlay } from './underlay.js';

/** Which link, address and MTU carry the tunnels, as the kernel has them now. Throws NO_UNDERLAY. */
export async function readUnderlay(
  conn: Connection,
  wanted: { readonly select?: string; readonly mtu?: number },
): Promise<UnderlayChoice> {
  const [links, addresses, routesV4, routesV6] = await Promise.all([
    dumpLinks(conn),
    dumpAddresses(conn),
    dumpRoutes(conn, { family: 4, table: ROUTE_TABLE.MAIN }),
    dumpRoutes(conn, { family: 6, table: ROUTE_TABLE.MAIN }),
  ]);
  const global = addresses.filter((a) => a.scope === 'global' && !a.isDeprecated);
  const candidates = links.map((link) => ({
    index: link.ifindex,
    name: link.name,
    mtu: link.mtu,
    up: link.isUp,
    ...(link.kind ? { kind: link.kind.type } : {}),
    addresses: global.filter((a) => a.ifindex === link.ifindex).map((a) => a.address),
  }));
  const defaultRoutes = [...routesV4, ...routesV6]
    .filter((route) => prefixLengthOf(route.prefix) === 0 && route.ifindex !== undefined)
    .map((route) => ({
      family: route.prefix.includes(':') ? (6 as const) : (4 as const),
      linkIndex: route.ifindex!,
      metric: route.metric ?? 0,
    }));
  return chooseUnderlay({ links: candidates, defaultRoutes, ...wanted });
}

/** Something on this host that no pool may overlap, and what it is, for people. */
export interface OccupiedPrefix {
  readonly prefix: Prefix;
  readonly what: string;
}

/** What this host routes to, and whom it asks for names: a pool that overlaps would hide it from containers. */
export async function occupiedByHost(conn: Connection): Promise<OccupiedPrefix[]> {
  const [links, ...routes] = await Promise.all([
    dumpLinks(conn),
    dumpRoutes(conn, { family: 4, table: ROUTE_TABLE.MAIN }),
    dumpRoutes(conn, { family: 6, table: ROUTE_TABLE.MAIN }),
  ]);
  const names = new Map(links.map((link) => [link.ifindex, link.name]));
  const routed = routes
    .flat()
    .filter(({ type, prefix }) => type === 'unicast' && !prefix.startsWith('fe80:'))
    .filter(({ prefix }) => prefixLengthOf(prefix) > 0)
    .map(({ prefix, ifindex = 0 }) => ({
      prefix,
      what: `route to ${prefix} on ${names.get(ifindex) ?? 'several links'}`,
    }));
  return [...routed, ...(await nameservers())];
}

async function nameservers(): Promise<OccupiedPrefix[]> {
  const text = await readFile('/etc/resolv.conf', 'utf8').catch(() => '');
  return [...text.matchAll(/^\s*nameserver\s+(\S+)/gm)].flatMap(([, server]) => {
    try {
      const address = parseAddress(server!.replace(/%.*/, ''));
      const prefix = prefixOf(address, bitsOf[familyOf(address)]);
      return { prefix, what: `nameserver ${address}` };
    } catch {
      return [];
    }
  });
}

/** The pools of Docker's own networks; what is no prefix is left out. */
export function occupiedByDocker(
  networks: readonly { readonly name: string; readonly subnets: readonly string[] }[],
): OccupiedPrefix[] {
  return networks.flatMap(({ name, subnets }) =>
    subnets.flatMap((subnet) => {
      try {
        return { prefix: parsePrefix(subnet), what: `Docker network "${name}"` };
      } catch {
        return [];
      }
    }),
  );
}
