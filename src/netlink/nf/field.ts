/**
 * Fields of a packet and what can be asked of them: `ip.saddr.notIn('known')`, `udp.dport.is(4789)`.
 *
 * Names and headers are nft's. A field is loaded into the first register and compared there; a concatenation lies in one
 * register after the other.
 */
import { type Address, type Mac, type Prefix, parseAddressWithLength } from '../../net/index.js';
import { align4 } from '../attr.js';
import { unencodable } from '../errors.js';
import { type DataType, type DataTypeName, dataTypes, register } from './data-type.js';
import { type Expression, VERDICT_REGISTER } from './expression.js';
import { type Need, type Statement } from './statement.js';

/** nf_tables.h enum nft_cmp_ops */
const CMP = { eq: 0, neq: 1, lt: 2, gte: 5 } as const;
const LOOKUP_INVERTED = 1; // NFT_LOOKUP_F_INV

const FIRST = register(0);

/** Something that a set can be asked about: a field or several. */
export interface Lookup {
  /** The set, of this table, holds the value. */
  in(set: string): Statement;
  notIn(set: string): Statement;
  /** The verdict that the map holds for the value; none: the rule ends here. */
  verdictOf(map: string): Statement;
  /** Sets the packet's mark to the one that the map holds for the value; none: the rule ends here. */
  packetMarkOf(map: string): Statement;
  /** As packetMarkOf, the packet's priority. */
  packetPriorityOf(map: string): Statement;
  /** As packetMarkOf, the mark of the packet's connection. Nothing for a packet that has none. */
  connectionMarkOf(map: string): Statement;
}

export interface Field<T> extends Lookup {
  readonly needs: readonly Need[];
  readonly type: DataTypeName;
  load(dreg: number): Expression;
  is(value: T): Statement;
  not(value: T): Statement;
  /** For numbers that are big-endian. */
  below(value: T): Statement;
  atLeast(value: T): Statement;
  /** For addresses. */
  within(prefix: Prefix): Statement;
  notWithin(prefix: Prefix): Statement;
}

function compare(op: number, value: Uint8Array): Expression {
  return { kind: 'cmp', data: { sreg: FIRST, op, data: { value } } };
}

/** nf_tables.h NFT_META_MARK, NFT_CT_MARK, NFT_META_PRIORITY */
const MARK = { meta: 3, ct: 3 } as const;
const PRIORITY = 2;
const setPacketMark: Expression = { kind: 'meta', data: { key: MARK.meta, sreg: FIRST } };
const setPacketPriority: Expression = { kind: 'meta', data: { key: PRIORITY, sreg: FIRST } };
const setConnectionMark: Expression = { kind: 'ct', data: { key: MARK.ct, sreg: FIRST } };

function withFirst({ needs, expressions }: Statement, then: Expression): Statement {
  return { needs, expressions: [...expressions, then] };
}

function setTo(mark: number, set: Expression): Statement {
  const value = dataTypes.mark.toBytes(mark);
  const load: Expression = { kind: 'immediate', data: { dreg: FIRST, data: { value } } };
  return { needs: [], expressions: [load, set] };
}

/** Sets a mark: the packet's, or that of its connection, for a packet that has one. */
export const setMark = {
  packet: (mark: number): Statement => setTo(mark, setPacketMark),
  connection: (mark: number): Statement => setTo(mark, setConnectionMark),
} as const;

/** What a packet is treated as by queues; 0 is what most have. */
export const setPriority = (value: number): Statement => setTo(value, setPacketPriority);

function lookup(needs: readonly Need[], loads: readonly Expression[]): Lookup {
  const ask = (set: string, flags?: number, dreg?: number): Statement => ({
    needs,
    expressions: [...loads, { kind: 'lookup', data: { sreg: FIRST, dreg, set, flags } }],
  });
  return {
    in: (set) => ask(set),
    notIn: (set) => ask(set, LOOKUP_INVERTED),
    verdictOf: (map) => ask(map, undefined, VERDICT_REGISTER),
    packetMarkOf: (map) => withFirst(ask(map, undefined, FIRST), setPacketMark),
    packetPriorityOf: (map) => withFirst(ask(map, undefined, FIRST), setPacketPriority),
    connectionMarkOf: (map) => withFirst(ask(map, undefined, FIRST), setConnectionMark),
  };
}

/** Loads the octets under the mask, for prefixes. */
function masked(mask: Uint8Array): Expression {
  const xor = { value: new Uint8Array(mask.length) };
  const data = { sreg: FIRST, dreg: FIRST, length: mask.length, mask: { value: mask }, xor };
  return { kind: 'bitwise', data };
}

function field<T>(
  needs: readonly Need[],
  type: DataTypeName,
  load: (dreg: number) => Expression,
): Field<T> {
  const { octets } = dataTypes[type];
  const toBytes = (value: unknown) => (dataTypes[type] as DataType).toBytes(value);
  const comparison = (op: number, value: T): Statement => ({
    needs,
    expressions: [load(FIRST), compare(op, toBytes(value))],
  });
  const inPrefix = (op: number, prefix: Prefix): Statement => {
    const { address, prefixLength } = parseAddressWithLength(prefix);
    const mask = Uint8Array.from({ length: octets }, (_, i) => {
      const bits = Math.min(8, Math.max(0, prefixLength - 8 * i));
      return (0xff00 >> bits) & 0xff;
    });
    return { needs, expressions: [load(FIRST), masked(mask), compare(op, toBytes(address))] };
  };
  return {
    needs,
    type,
    load,
    is: (value) => comparison(CMP.eq, value),
    not: (value) => comparison(CMP.neq, value),
    below: (value) => comparison(CMP.lt, value),
    atLeast: (value) => comparison(CMP.gte, value),
    within: (prefix) => inPrefix(CMP.eq, prefix),
    notWithin: (prefix) => inPrefix(CMP.neq, prefix),
    ...lookup(needs, [load(FIRST)]),
  };
}

/** Several fields at once, for sets whose keys are concatenations of their types. */
export function concat(
  ...fields: readonly Pick<Field<never>, 'needs' | 'type' | 'load'>[]
): Lookup {
  let word = 0;
  const loads: Expression[] = [];
  for (const f of fields) {
    loads.push(f.load(register(word)));
    word += align4(dataTypes[f.type].octets) / 4;
  }
  if (word > 16) throw unencodable('concatenation', undefined, 'more than 64 octets');
  return lookup([...new Set(fields.flatMap((f) => f.needs))], loads);
}

/** nf_tables.h enum nft_payload_bases */
const BASE = { link: 0, network: 1, transport: 2 } as const;

function payload<T>(
  needs: readonly Need[],
  type: DataTypeName,
  base: keyof typeof BASE,
  offset: number,
): Field<T> {
  const { octets } = dataTypes[type];
  return field(needs, type, (dreg) => ({
    kind: 'payload',
    data: { dreg, base: BASE[base], offset, length: octets },
  }));
}

const metaField = <T>(type: DataTypeName, key: number): Field<T> =>
  field([], type, (dreg) => ({ kind: 'meta', data: { key, dreg } }));

/** nf_tables.h enum nft_meta_keys */
export const meta = {
  /** EtherType, behind any VLAN tag that the kernel has taken off. */
  protocol: metaField<number>('ether_type', 1),
  priority: metaField<number>('classid', PRIORITY),
  mark: metaField<number>('mark', 3),
  iif: metaField<number>('iface_index', 4),
  oif: metaField<number>('iface_index', 5),
  iifname: metaField<string>('ifname', 6),
  oifname: metaField<string>('ifname', 7),
  /** ARPHRD_*, linux/if_arp.h */
  iiftype: metaField<number>('iface_type', 8),
  nfproto: metaField<number>('nf_proto', 15),
  /** The transport, past IPv6 extension headers. */
  l4proto: metaField<number>('inet_proto', 16),
} as const;

export const ether = {
  daddr: payload<Mac>(['ether'], 'ether_addr', 'link', 0),
  saddr: payload<Mac>(['ether'], 'ether_addr', 'link', 6),
  /** As on the wire: 0x8100 or 0x88a8 for a frame with a VLAN tag. */
  type: payload<number>(['ether'], 'ether_type', 'link', 12),
} as const;

/** RFC 826 for Ethernet and IPv4: s is the sender, d the target. */
export const arp = {
  operation: payload<number>(['arp'], 'arp_op', 'network', 6),
  saddrEther: payload<Mac>(['arp'], 'ether_addr', 'network', 8),
  saddrIp: payload<Address>(['arp'], 'ipv4_addr', 'network', 14),
  daddrIp: payload<Address>(['arp'], 'ipv4_addr', 'network', 24),
} as const;

export const ip = {
  protocol: payload<number>(['ip'], 'inet_proto', 'network', 9),
  saddr: payload<Address>(['ip'], 'ipv4_addr', 'network', 12),
  daddr: payload<Address>(['ip'], 'ipv4_addr', 'network', 16),
} as const;

export const ip6 = {
  saddr: payload<Address>(['ip6'], 'ipv6_addr', 'network', 8),
  daddr: payload<Address>(['ip6'], 'ipv6_addr', 'network', 24),
} as const;

const ports = (transport: Need) => ({
  sport: payload<number>([transport], 'inet_service', 'transport', 0),
  dport: payload<number>([transport], 'inet_service', 'transport', 2),
});
export const tcp = {
  ...ports('tcp'),
  /** Not the first packet of a connection: of FIN, SYN, RST and ACK it has not SYN alone. RFC 9293 */
  isNotFirst: {
    needs: ['tcp'],
    expressions: [
      { kind: 'payload', data: { dreg: FIRST, base: BASE.transport, offset: 13, length: 1 } },
      masked(Uint8Array.of(0x17)),
      compare(CMP.neq, Uint8Array.of(0x02)),
    ],
  } satisfies Statement as Statement,
} as const;
export const udp = ports('udp');

/** The ports of TCP, UDP, SCTP and whatever else has them there: ask for the protocol too. */
export const th = {
  sport: payload<number>([], 'inet_service', 'transport', 0),
  dport: payload<number>([], 'inet_service', 'transport', 2),
} as const;

export const icmp = { type: payload<number>(['icmp'], 'icmp_type', 'transport', 0) } as const;

/** RFC 4861: solicitations are type 135, advertisements 136, and both have a target. */
export const icmpv6 = {
  type: payload<number>(['icmpv6'], 'icmpv6_type', 'transport', 0),
  target: payload<Address>(['icmpv6'], 'ipv6_addr', 'transport', 8),
  /** Type and length of the first option after the target: 0x0101 source, 0x0201 target link-layer address. */
  firstOption: payload<number>(['icmpv6'], 'ether_type', 'transport', 24),
  firstOptionMac: payload<Mac>(['icmpv6'], 'ether_addr', 'transport', 26),
} as const;

/** RFC 7348, behind a UDP header: ask for the port too. */
export const vxlan = { vni: payload<number>(['udp'], 'vni', 'transport', 12) } as const;

/** Of the packet's connection; a packet without one matches nothing. */
export const ctMark: Field<number> = field([], 'mark', (dreg) => ({
  kind: 'ct',
  data: { key: MARK.ct, dreg },
}));

const original = <T>(type: DataTypeName, key: number): Field<T> =>
  field([], type, (dreg) => ({ kind: 'ct', data: { key, dreg, direction: 0 } }));

/**
 * Of the first packet of the packet's connection, whichever direction this one has. A packet without a connection, or of the other family,
 * matches nothing. nf_tables.h NFT_CT_SRC_IP and following
 */
export const ctOriginal = {
  ip: { saddr: original<Address>('ipv4_addr', 19), daddr: original<Address>('ipv4_addr', 20) },
  ip6: { saddr: original<Address>('ipv6_addr', 21), daddr: original<Address>('ipv6_addr', 22) },
} as const;

/** Whether the packet goes the way of its connection's first one (0), or answers (1). */
export const ctDirection: Field<number> = field([], 'ct_dir', (dreg) => ({
  kind: 'ct',
  data: { key: 1, dreg },
}));

const ctStates = { established: 2, related: 4, new: 8, untracked: 64, invalid: 1 } as const;

/** The connection is in one of these states. */
export function ctState(...states: readonly (keyof typeof ctStates)[]): Statement {
  const mask = Buffer.alloc(4);
  mask.writeUInt32LE(states.reduce((bits, state) => bits | ctStates[state], 0));
  return {
    needs: [],
    expressions: [
      { kind: 'ct', data: { key: 0, dreg: FIRST } },
      masked(mask),
      compare(CMP.neq, new Uint8Array(4)),
    ],
  };
}
