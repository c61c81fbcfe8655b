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

/** Prefixes that this host routes or asks names of: no pool may overlap them, or containers would lose sight of them. */
export async function occupiedPrefixes(conn: Connection): Promise<Prefix[]> {
  const routes = await Promise.all([
    dumpRoutes(conn, { family: 4, table: ROUTE_TABLE.MAIN }),
    dumpRoutes(conn, { family: 6, table: ROUTE_TABLE.MAIN }),
  ]);
  const routed = routes
    .flat()
    .filter((route) => route.type === 'unicast' && prefixLengthOf(route.prefix) > 0)
    .map((route) => route.prefix)
    .filter((prefix) => !prefix.startsWith('fe80:'));
  return [...new Set([...routed, ...(await nameserverPrefixes())])];
}

async function nameserverPrefixes(): Promise<Prefix[]> {
  const text = await readFile('/etc/resolv.conf', 'utf8').catch(() => '');
  return [...text.matchAll(/^\s*nameserver\s+(\S+)/gm)].flatMap(([, server]) => {
    try {
      const address = parseAddress(server!.replace(/%.*/, ''));
      return prefixOf(address, bitsOf[familyOf(address)]);
    } catch {
      return [];
    }
  });
}

/** Docker's subnets as prefixes; what is none is left out. */
export function dockerPrefixes(subnets: readonly string[]): Prefix[] {
  return subnets.flatMap((subnet) => {
    try {
      return parsePrefix(subnet);
    } catch {
      return [];
    }
  });
}
