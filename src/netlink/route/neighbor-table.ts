/** linux/neighbour.h: neighbors and, in AF_BRIDGE, FDB entries as the wire has them. */
import { attrs } from '../attr.js';
import { type Value, be16, i32, u16, u32, u8 } from '../codec.js';
import { address } from '../domain.js';
import { type MessageType } from '../message.js';
import { headed, skip, struct } from '../struct.js';
import { hardwareAddress } from './link-table.js';

export const NUD = {
  INCOMPLETE: 0x01,
  REACHABLE: 0x02,
  STALE: 0x04,
  DELAY: 0x08,
  PROBE: 0x10,
  FAILED: 0x20,
  NOARP: 0x40,
  PERMANENT: 0x80,
} as const;

export const NTF = {
  USE: 0x01,
  SELF: 0x02,
  MASTER: 0x04,
  PROXY: 0x08,
  EXT_LEARNED: 0x10,
  OFFLOADED: 0x20,
  STICKY: 0x40,
  ROUTER: 0x80,
} as const;

export const ndmsg = struct('ndmsg', {
  family: u8,
  pad: skip(3),
  ifindex: i32,
  state: u16,
  flags: u8,
  type: u8,
});

export const neighborCodec = headed(
  ndmsg,
  attrs('NDA', {
    dst: [1, address],
    lladdr: [2, hardwareAddress],
    cacheInfo: [
      3,
      struct('nda_cacheinfo', { confirmedCs: u32, usedCs: u32, updatedCs: u32, references: u32 }),
    ],
    probes: [4, u32],
    vlan: [5, u16],
    port: [6, be16],
    vni: [7, u32],
    ifindex: [8, u32],
    master: [9, u32],
    linkNetnsId: [10, i32],
    sourceVni: [11, u32],
    protocol: [12, u8],
    nexthopId: [13, u32],
    flagsExt: [15, u32],
  }),
);
export type NeighborMessage = Value<typeof neighborCodec>;

const neighborType = (name: string, type: number): MessageType<NeighborMessage> => ({
  name,
  type,
  codec: neighborCodec,
});
export const RTM_NEWNEIGH = neighborType('RTM_NEWNEIGH', 28);
export const RTM_DELNEIGH = neighborType('RTM_DELNEIGH', 29);
export const RTM_GETNEIGH = neighborType('RTM_GETNEIGH', 30);
