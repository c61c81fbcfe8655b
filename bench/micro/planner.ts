import { type Address, type Mac, addressFromBigInt } from '../../src/net/index.js';
import { plan } from '../../src/reconcile/index.js';
import { neighborKind, tunnelKind } from '../../src/vxlan/row-kinds.js';
import { rowsOf } from '../../src/vxlan/rows.js';
import type { Peer } from '../../src/vxlan/index.js';
import type { MicroCase } from './measure.js';

const hosts = 100;

/** What one round of one network plans, by how many endpoints are elsewhere; the kernel is not asked. */
export function plannerCases(sizes: readonly number[]): MicroCase[] {
  return sizes.flatMap((size) => {
    const source = {
      vtep: vtepOf(hosts),
      mtu: 1450,
      endpoints: [],
      remote: {
        vteps: Array.from({ length: hosts }, (_, i) => vtepOf(i)),
        peers: Array.from({ length: size }, (_, i) => peer(i)),
      },
    };
    const links = { bridge: 2, vxlan: 3, ports: new Map<string, number>() };
    const { tunnels, neighbors } = rowsOf(source, links);
    const oneMoved = tunnels.with(size >> 1, { ...tunnels[size >> 1]!, dst: vtepOf(hosts + 1) });
    return [
      { name: `vxlan/rows-of-${size}-peers`, op: () => rowsOf(source, links) },
      {
        name: `reconcile/plan-nothing-of-${size}`,
        op: () => plan(neighborKind, neighbors, neighbors),
      },
      { name: `reconcile/plan-one-of-${size}`, op: () => plan(tunnelKind, oneMoved, tunnels) },
      { name: `reconcile/plan-all-of-${size}`, op: () => plan(tunnelKind, tunnels, []) },
    ];
  });
}

function vtepOf(host: number): Address {
  return addressFromBigInt(4, 0xc612_0001n + BigInt(host));
}

function peer(index: number): Peer {
  const octets = index.toString(16).padStart(8, '0').match(/../g)!;
  return {
    mac: ['02', '42', ...octets].join(':') as Mac,
    addresses: [addressFromBigInt(4, 0x0ac0_0001n + BigInt(index))],
    vtep: vtepOf(index % hosts),
  };
}
