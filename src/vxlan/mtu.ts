import type { Family } from '../net/index.js';

/**
 * Octets that VXLAN puts around a packet: inner Ethernet 14, VXLAN 8, UDP 8, and the outer IP header of 20 or 40
 * (RFC 7348). The outer Ethernet header is not part of an MTU.
 */
const overhead = { 4: 50, 6: 70 } as const;

/** The MTU inside a network that just fits the underlay's; octets, both. `family` is the underlay's. */
export function overlayMtu(underlayMtu: number, family: Family): number {
  return underlayMtu - overhead[family];
}
