/** Notifications of rtnetlink in domain values. */
import { type Received } from '../message.js';
import { Monitor, type Overrun } from '../monitor.js';
import {
  type ObservedLinkAddress,
  RTM_DELADDR,
  RTM_NEWADDR,
  addressFromMessage,
} from './address.js';
import { type BridgePortOptions } from './bridge.js';
import { AF } from './family.js';
import { type ObservedFdbEntry, fdbFromMessage } from './fdb.js';
import { RTM_DELLINK, RTM_NEWLINK, bridgePortCodec } from './link-table.js';
import { type Link, linkFromMessage } from './link.js';
import { RTM_DELNEIGH, RTM_NEWNEIGH } from './neighbor-table.js';
import { type Neighbor, neighborFromMessage } from './neighbor.js';
import { RTM_DELROUTE, RTM_NEWROUTE } from './route-table.js';
import { type ObservedRoute, routeFromMessage } from './route.js';

/** `isGone`: it was deleted, and this is what it was; else it is new, or changed. */
export type RouteEvent =
  | { readonly type: 'link'; readonly isGone: boolean; readonly link: Link }
  /** A link entered a bridge or changed as its port; gone: it left, though the link may live on. */
  | { readonly type: 'port'; readonly isGone: boolean; readonly port: PortEvent }
  | { readonly type: 'address'; readonly isGone: boolean; readonly address: ObservedLinkAddress }
  | { readonly type: 'route'; readonly isGone: boolean; readonly route: ObservedRoute }
  | { readonly type: 'neighbor'; readonly isGone: boolean; readonly neighbor: Neighbor }
  | { readonly type: 'fdb'; readonly isGone: boolean; readonly entry: ObservedFdbEntry };

export interface PortEvent {
  readonly ifindex: number;
  readonly name: string;
  readonly master?: number | undefined;
  readonly options: BridgePortOptions;
}

/** linux/rtnetlink.h RTNLGRP_*. The kernel sends ports with the links, and FDB entries with the neighbors. */
const groups = { link: [1], neighbor: [3], address: [5, 9], route: [7, 11] } as const;
export type RouteEventGroup = keyof typeof groups;

export interface RouteMonitorOptions {
  readonly netns?: string | number | undefined;
  readonly groups: readonly RouteEventGroup[];
  /** See MonitorOptions. */
  readonly onEvent: (event: RouteEvent | Overrun) => void;
  readonly onError: (error: Error) => void;
}

/** Listens to changes of links, neighbors and FDB entries, addresses, routes. The caller closes it. */
export async function openRouteMonitor(options: RouteMonitorOptions): Promise<Monitor> {
  const { netns, onEvent, onError } = options;
  const numbers = options.groups.flatMap((name) => [...groups[name]]);
  return Monitor.open({ netns, groups: numbers, decode: decodeRouteEvent, onEvent, onError });
}

/** One notification; undefined for what is not about IP or Ethernet. Throws MALFORMED. */
export function decodeRouteEvent(m: Received): RouteEvent | undefined {
  switch (m.type) {
    case RTM_NEWLINK.type:
    case RTM_DELLINK.type:
      return linkEvent(m);
    case RTM_NEWADDR.type:
    case RTM_DELADDR.type: {
      const address = addressFromMessage(RTM_NEWADDR.codec.read(m.from, m.at, m.length));
      return address && { type: 'address', isGone: m.type === RTM_DELADDR.type, address };
    }
    case RTM_NEWROUTE.type:
    case RTM_DELROUTE.type: {
      const route = routeFromMessage(RTM_NEWROUTE.codec.read(m.from, m.at, m.length));
      return route && { type: 'route', isGone: m.type === RTM_DELROUTE.type, route };
    }
    case RTM_NEWNEIGH.type:
    case RTM_DELNEIGH.type:
      return neighborEvent(m);
    default:
      return undefined;
  }
}

function linkEvent(m: Received): RouteEvent | undefined {
  const isGone = m.type === RTM_DELLINK.type;
  const family = m.length > 0 ? m.from[m.at] : undefined;
  if (family === AF.UNSPEC) {
    const link = linkFromMessage(RTM_NEWLINK.codec.read(m.from, m.at, m.length));
    return { type: 'link', isGone, link };
  }
  if (family !== AF.BRIDGE) return undefined;
  const { head, attrs } = bridgePortCodec.read(m.from, m.at, m.length);
  const { name = '', master, port: options = {} } = attrs;
  return { type: 'port', isGone, port: { ifindex: head.ifindex, name, master, options } };
}

function neighborEvent(m: Received): RouteEvent | undefined {
  const isGone = m.type === RTM_DELNEIGH.type;
  const value = RTM_NEWNEIGH.codec.read(m.from, m.at, m.length);
  if (value.head.family !== AF.BRIDGE) {
    const neighbor = neighborFromMessage(value);
    return neighbor && { type: 'neighbor', isGone, neighbor };
  }
  const entry = fdbFromMessage(value);
  return entry && { type: 'fdb', isGone, entry };
}
