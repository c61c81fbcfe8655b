/**
 * nftables: a language for tables, and the means to make a namespace's tables be what they shall.
 *
 *     const table: nft.TableSpec = {
 *       family: 'inet', name: 'weft', sets: [{ name: 'known', type: ['ipv4_addr'], elements: [{ key: [vtep] }] }],
 *       chains: [{ name: 'input', base: { type: 'filter', hook: 'input', priority: -150 }, rules: [
 *         nft.rule('not a host of ours', nft.udp.dport.is(4789), nft.ip.saddr.notIn('known'), nft.counter, nft.drop),
 *       ] }],
 *     };
 *     await using conn = await Connection.open({ netns, protocol: NETLINK.NETFILTER });
 *     await nft.ensureTable(conn, table);
 *
 * Promises: a change is carried out whole or not at all, and no packet sees half of it; what `nft list ruleset` prints is
 * what was said here, comments included; ensureTable leaves alone what is right. Does not: intervals, timeouts, limits in
 * sets, objects, flow tables; own anything but the tables it is given; combine with nft's own state.
 */
export { type DataTypeName, type Key } from './data-type.js';
export {
  type Field,
  type Lookup,
  arp,
  concat,
  ctDirection,
  ctMark,
  ctOriginal,
  ctState,
  ether,
  icmp,
  icmpv6,
  ip,
  ip6,
  meta,
  setMark,
  setPriority,
  tcp,
  th,
  udp,
  vxlan,
} from './field.js';
export {
  type BaseChain,
  type ChainSpec,
  type ElementSpec,
  type RuleSpec,
  type SetSpec,
  type TableRef,
  type TableSpec,
  type Verdict,
  rule,
} from './spec.js';
export {
  type Need,
  type Statement,
  accept,
  counter,
  dnat,
  drop,
  goto,
  isA,
  jump,
  limit,
  log,
  logTo,
  notrack,
  reject,
  returnToCaller,
} from './statement.js';
export {
  type ElementChange,
  type TableEvent,
  changeElements,
  changeTable,
  deleteTable,
  ensureTable,
  hasTable,
  openTableMonitor,
  readElements,
  replaceTable,
} from './table.js';
export { type LoggedPacket, type PacketLogOptions, openPacketLog } from './packet-log.js';
export { type NfFamily } from './wire.js';
