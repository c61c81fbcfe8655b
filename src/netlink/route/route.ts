/** Routes in domain values. */
import {
  type Address,
  type Family,
  type Prefix,
  bitsOf,
  familyOf,
  prefixLengthOf,
} from '../../net/index.js';
import { type Connection } from '../connection.js';
import { NetlinkError } from '../errors.js';
import { type Message, NLM_F, message } from '../message.js';
import { AF, afOf, isIp } from './family.js';
import {
  type Nexthop,
  RTM_DELROUTE,
  RTM_GETROUTE,
  RTM_NEWROUTE,
  type RouteMessage,
  rtmsg,
} from './route-table.js';

/** linux/rtnetlink.h RTN_* */
const types = [
  'unspec',
  'unicast',
  'local',
  'broadcast',
  'anycast',
  'multicast',
  'blackhole',
  'unreachable',
  'prohibit',
  'throw',
  'nat',
  'xresolve',
] as const;
export type RouteType = (typeof types)[number];

/** linux/rtnetlink.h RT_TABLE_* */
export const ROUTE_TABLE = { MAIN: 254, LOCAL: 255 } as const;

const RT_SCOPE = { UNIVERSE: 0, LINK: 253, HOST: 254, NOWHERE: 255 } as const;
const RTPROT_BOOT = 3;
/** IPv4: answer the table the route was found in. IPv6 always does, and takes no such flag. */
const RTM_F_LOOKUP_TABLE = 0x1000;

export interface Route {
  readonly prefix: Prefix;
  /** Default: main. */
  readonly table?: number | undefined;
  /** Default: unicast. */
  readonly type?: RouteType | undefined;
  /** Absent for routes that end here, and for those with several next hops. */
  readonly ifindex?: number | undefined;
  readonly gateway?: Address | undefined;
  /** Source address of what this host itself sends. */
  readonly source?: Address | undefined;
  /** The lower wins. */
  readonly metric?: number | undefined;
  readonly mtu?: number | undefined;
  /** Who put it there, RTPROT_* (linux/rtnetlink.h): 2 is the kernel; default: 3, boot, as `ip route` says. */
  readonly protocol?: number | undefined;
  readonly nexthops?: readonly Nexthop[] | undefined;
}

export interface ObservedRoute extends Route {
  readonly table: number;
  readonly type: RouteType;
  readonly protocol: number;
}

/** The scope that `ip route` gives: how far the destination is. IPv6 has no scopes. */
function scopeOf(route: Route): number {
  if (route.prefix.includes(':')) return RT_SCOPE.UNIVERSE;
  if (route.type === 'local') return RT_SCOPE.HOST;
  if (route.type !== undefined && route.type !== 'unicast') return RT_SCOPE.UNIVERSE;
  const isDirect = route.gateway === undefined && route.nexthops === undefined;
  return isDirect ? RT_SCOPE.LINK : RT_SCOPE.UNIVERSE;
}

function toMessage(route: Route): RouteMessage {
  const { prefix, table = ROUTE_TABLE.MAIN, ifindex, gateway, source, metric, mtu } = route;
  const dst = prefix.slice(0, prefix.indexOf('/')) as Address;
  const dstLength = prefixLengthOf(prefix);
  const family = familyOf(dst);
  const isSame = gateway === undefined || familyOf(gateway) === family;
  return {
    head: rtmsg.of({
      family: afOf(family),
      dstLength,
      table: table < 256 ? table : 0,
      protocol: route.protocol ?? RTPROT_BOOT,
      scope: scopeOf(route),
      type: types.indexOf(route.type ?? 'unicast'),
    }),
    attrs: {
      dst: dstLength === 0 ? undefined : dst,
      ...(isSame ? { gateway } : { via: gateway }),
      preferredSource: source,
      ifindex,
      metrics: mtu === undefined ? undefined : { mtu },
      priority: metric,
      nexthops: route.nexthops,
      table: table < 256 ? undefined : table,
    },
  };
}

const about = (route: Route): string => `route ${route.prefix}`;

/** Makes a route; EEXIST when one with this prefix and metric is there. */
export function addRoute(route: Route): Message {
  return message(RTM_NEWROUTE, NLM_F.CREATE | NLM_F.EXCL, toMessage(route), about(route));
}

/** Makes a route, or turns the one with this prefix and metric into this. */
export function replaceRoute(route: Route): Message {
  return message(RTM_NEWROUTE, NLM_F.CREATE | NLM_F.REPLACE, toMessage(route), about(route));
}

/** Deletes the first route that has all that is given; ESRCH when there is none. */
export function deleteRoute(route: Route): Message {
  const value = toMessage(route);
  const head = {
    ...value.head,
    protocol: route.protocol ?? 0,
    scope: route.prefix.includes(':') ? RT_SCOPE.UNIVERSE : RT_SCOPE.NOWHERE,
    type: types.indexOf(route.type ?? 'unspec'),
  };
  return message(RTM_DELROUTE, 0, { ...value, head }, about(route));
}

/** One message of the kernel's as a route; undefined for families other than IP. */
export function routeFromMessage(m: RouteMessage): ObservedRoute | undefined {
  const { head, attrs } = m;
  if (!isIp(head.family)) return undefined;
  const dst = attrs.dst ?? (head.family === AF.INET ? '0.0.0.0' : '::');
  return {
    prefix: `${dst}/${head.dstLength}` as Prefix,
    table: attrs.table ?? head.table,
    type: types[head.type] ?? 'unspec',
    protocol: head.protocol,
    ifindex: attrs.ifindex,
    gateway: attrs.gateway ?? attrs.via,
    source: attrs.preferredSource,
    metric: attrs.priority,
    mtu: attrs.metrics?.mtu,
    nexthops: attrs.nexthops,
  };
}

/**
 * Routes of one family in all tables, or only those of one table or out of one link. Ends of several next hops are not
 * found by `ifindex`. A table that does not exist has no routes.
 */
export async function dumpRoutes(
  conn: Connection,
  query: { readonly family: Family; readonly table?: number; readonly ifindex?: number },
): Promise<ObservedRoute[]> {
  const { family, table, ifindex } = query;
  const value = { head: rtmsg.of({ family: afOf(family) }), attrs: { table, ifindex } };
  const messages = await conn
    .dump(message(RTM_GETROUTE, 0, value), RTM_NEWROUTE)
    .catch((error: unknown) => {
      if (error instanceof NetlinkError && error.code === 'ENOENT') return [];
      throw error;
    });
  const routes: ObservedRoute[] = [];
  for (const m of messages) {
    const route = routeFromMessage(m);
    if (route) routes.push(route);
  }
  return routes;
}

/**
 * The way to one address: link, gateway and source that the kernel would choose. Throws ENETUNREACH, EHOSTUNREACH. The
 * table of a local IPv4 address may read as main: without rules the kernel keeps both in one.
 */
export async function getRoute(conn: Connection, to: Address): Promise<ObservedRoute> {
  const family = familyOf(to);
  const flags = family === 4 ? RTM_F_LOOKUP_TABLE : 0;
  const head = rtmsg.of({ family: afOf(family), dstLength: bitsOf[family], flags });
  const value = { head, attrs: { dst: to } };
  const question = message(RTM_GETROUTE, 0, value, `route to ${to}`);
  return routeFromMessage(await conn.get(question, RTM_NEWROUTE))!;
}
