/**
 * The kernel's network state: links, addresses, routes, neighbors, FDB entries, and the namespaces they live in.
 *
 * Promises: values in, values out; nobody above sees an attribute. Builders (`newLink`, `replaceFdb`) are pure and make
 * one message each, so that callers send many in one request and judge each outcome themselves; nothing here takes
 * EEXIST or ENOENT for success. What the kernel refuses is a NetlinkError with the errno's name, the kernel's own words
 * and the attribute it pointed at; functions that open or make a namespace or socket throw Node's kind of Error, with
 * `code`. A dump is whole, or asked for again, as far as the kernel tells (see Connection.dump). The event loop never
 * waits for the kernel. What is opened is closed by who opened it.
 *
 * Does not: know what weft wants, keep state, retry changes, log.
 */
export { NetlinkError, type NetlinkDetail } from './errors.js';
export {
  Connection,
  type ConnectionOptions,
  NETLINK,
  type Outcome,
  type RequestOptions,
  type Socket,
} from './connection.js';
export { type Message } from './message.js';
export { Datagrams, type OnDatagram } from './datagrams.js';
export {
  bindNetns,
  closeFd,
  createNetns,
  currentNetnsFd,
  deleteNetns,
  type InetAddress,
  type InetOptions,
  localPort,
  netnsIno,
  openInet,
  openNetns,
  writeInNetns,
} from './native.js';
export { type BridgeOptions, type BridgePortOptions } from './route/bridge.js';
export { type VxlanOptions } from './route/vxlan.js';
export {
  type AddrGenMode,
  type Link,
  type LinkKind,
  type LinkRef,
  type LinkStats,
  type OperState,
  dumpLinks,
  getLink,
} from './route/link.js';
export {
  type LinkBasics,
  type LinkChanges,
  type LinkSpec,
  addAltName,
  deleteAltName,
  deleteLink,
  newLink,
  renameLink,
  setBridgePort,
  setLink,
} from './route/link-change.js';
export {
  FLOOD_MAC,
  type FdbEntry,
  type ObservedFdbEntry,
  addFdb,
  appendFdb,
  deleteFdb,
  dumpFdb,
  replaceFdb,
} from './route/fdb.js';
export {
  type Neighbor,
  type NeighborState,
  deleteNeighbor,
  dumpNeighbors,
  replaceNeighbor,
} from './route/neighbor.js';
export {
  type AddressScope,
  type LinkAddress,
  type ObservedLinkAddress,
  addAddress,
  deleteAddress,
  dumpAddresses,
  replaceAddress,
} from './route/address.js';
export {
  ROUTE_TABLE,
  type ObservedRoute,
  type Route,
  type RouteType,
  addRoute,
  deleteRoute,
  dumpRoutes,
  getRoute,
  replaceRoute,
} from './route/route.js';
export { type Nexthop } from './route/route-table.js';
export { type Monitor, type Overrun } from './monitor.js';
export {
  type PortEvent,
  type RouteEvent,
  type RouteEventGroup,
  type RouteMonitorOptions,
  openRouteMonitor,
} from './route/events.js';
export {
  type TrackedConnection,
  type TrackedConnections,
  forgetDatagrams,
  readConnections,
} from './nf/conntrack.js';
export * as nft from './nf/index.js';
