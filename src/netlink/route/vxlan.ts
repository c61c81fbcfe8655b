import { type Address, type Vni, familyOf } from '../../net/index.js';
import { attrs } from '../attr.js';
import {
  type Codec,
  type Value,
  be16,
  be32,
  bool8,
  bytes,
  expectLength,
  flag,
  u32,
  u8,
} from '../codec.js';
import { address } from '../domain.js';
import { struct } from '../struct.js';

/** The kernel takes an empty attribute for true and answers with a u8; it refuses a false, which is to leave it out. */
const flagIn: Codec<boolean> = {
  name: 'flag or u8',
  size: (value) => (value ? 0 : 1),
  write: (_out, at, value) => (value ? at : at + 1),
  read(from, at, length) {
    if (length === 0) return true;
    expectLength('flag or u8', 1, at, length);
    return from[at] !== 0;
  },
};

/** linux/if_link.h IFLA_VXLAN_* */
export const vxlan = attrs('IFLA_VXLAN', {
  id: [1, u32],
  group: [2, address],
  link: [3, u32],
  local: [4, address],
  ttl: [5, u8],
  tos: [6, u8],
  learning: [7, bool8],
  ageingSec: [8, u32],
  maxEntries: [9, u32],
  sourcePorts: [10, struct('ifla_vxlan_port_range', { low: be16, high: be16 })],
  proxy: [11, bool8],
  routeShortCircuit: [12, bool8],
  l2Miss: [13, bool8],
  l3Miss: [14, bool8],
  port: [15, be16],
  group6: [16, address],
  local6: [17, address],
  udpChecksum: [18, bool8],
  udpZeroChecksum6Tx: [19, bool8],
  udpZeroChecksum6Rx: [20, bool8],
  remoteChecksumTx: [21, bool8],
  remoteChecksumRx: [22, bool8],
  groupPolicy: [23, flag],
  remoteChecksumNoPartial: [24, flag],
  collectMetadata: [25, bool8],
  flowLabel: [26, be32],
  genericProtocol: [27, flag],
  ttlInherit: [28, flagIn],
  df: [29, u8],
  vniFilter: [30, bool8],
  localBypass: [31, bool8],
  flowLabelPolicy: [32, u32],
  reservedBits: [33, bytes(8)],
  multicastRoute: [34, bool8],
});

type VxlanAttrs = Value<typeof vxlan>;
type Split = 'id' | 'group' | 'group6' | 'local' | 'local6' | 'link';

/**
 * All that `ip -d link` shows of a VXLAN link. What is absent when it is made is the kernel's default: for `port` that is
 * 8472, so say 4789.
 */
export interface VxlanOptions extends Omit<VxlanAttrs, Split> {
  readonly vni: Vni;
  /** Our own underlay address, the source of what is sent. */
  readonly local?: Address | undefined;
  /** Where unknown MACs go unless the FDB says otherwise: a multicast group or one remote. */
  readonly group?: Address | undefined;
  /** Ifindex of the underlay link, in the namespace the link was made from. */
  readonly underlay?: number | undefined;
}

export function vxlanToAttrs(options: VxlanOptions): VxlanAttrs {
  const { vni, local, group, underlay, ttlInherit, ...same } = options;
  return {
    id: vni,
    ...(group !== undefined && { [familyOf(group) === 4 ? 'group' : 'group6']: group }),
    link: underlay,
    ...(local !== undefined && { [familyOf(local) === 4 ? 'local' : 'local6']: local }),
    ...same,
    ttlInherit: ttlInherit === true ? true : undefined,
  };
}

/** A VXLAN link that collects metadata has no VNI of its own and reads as 0. */
export function vxlanFromAttrs(values: VxlanAttrs): VxlanOptions {
  const { id = 0, group, group6, local, local6, link, ...same } = values;
  return {
    vni: id as Vni,
    local: local ?? local6,
    group: group ?? group6,
    underlay: link,
    ...same,
  };
}
