import {
  type EndpointsDocument,
  formatEndpoints,
  parseEndpoints,
} from '../../src/cluster/documents.js';
import {
  type Address,
  type Mac,
  type Prefix,
  addressFromBigInt,
  addressToBigInt,
  parseAddress,
  parseMac,
  parsePrefix,
  parseVni,
  prefixContains,
} from '../../src/net/index.js';
import { newLink, replaceFdb, replaceNeighbor } from '../../src/netlink/index.js';
import { encodeBatch, splitDatagram } from '../../src/netlink/message.js';
import { fdbFromMessage } from '../../src/netlink/route/fdb.js';
import { RTM_NEWNEIGH } from '../../src/netlink/route/neighbor-table.js';
import * as wire from '../../src/plugin-api/wire.js';
import type { MicroCase } from './measure.js';

const documentSize = 100;
/** About what the kernel puts into one datagram of a dump. */
const datagramRows = 60;

const mac = '02:42:0a:00:00:05' as Mac;
const vtep = '198.18.1.12' as Address;
const ipv4 = '10.192.4.17' as Address;
const ipv6 = 'fd00:198:18:1::12:5' as Address;
const prefix = '10.192.0.0/16' as Prefix;

/** Texts and octets into values, and back. */
export function codecCases(): MicroCase[] {
  return [...valueCases(), ...netlinkCases(), ...documentCases()];
}

function valueCases(): MicroCase[] {
  const value = addressToBigInt(ipv4);
  return [
    { name: 'address/parse-ipv4', op: () => parseAddress(ipv4) },
    { name: 'address/parse-ipv6', op: () => parseAddress(ipv6) },
    { name: 'address/format-ipv4', op: () => addressFromBigInt(4, value) },
    { name: 'prefix/parse', op: () => parsePrefix(prefix) },
    { name: 'prefix/contains', op: () => prefixContains(prefix, ipv4) },
    { name: 'mac/parse', op: () => parseMac(mac) },
  ];
}

function netlinkCases(): MicroCase[] {
  const row = { ifindex: 3, mac, owner: 'self', state: 'permanent', dst: vtep } as const;
  const neighbor = { ifindex: 2, address: ipv4, mac, state: 'permanent', protocol: 119 } as const;
  const vxlan = { type: 'vxlan', vni: parseVni(4242), local: vtep, port: 4789 } as const;
  const link = { name: 'vxlan0', mtu: 1450, kind: { ...vxlan, learning: false } };
  const datagram = encodeBatch(
    Array.from({ length: datagramRows }, () => replaceFdb(row)),
    1,
  );
  return [
    { name: 'netlink/encode-link', op: () => encodeBatch([newLink(link)], 1) },
    { name: 'netlink/encode-fdb-row', op: () => encodeBatch([replaceFdb(row)], 1) },
    { name: 'netlink/encode-neighbor', op: () => encodeBatch([replaceNeighbor(neighbor)], 1) },
    {
      name: `netlink/decode-${datagramRows}-fdb-rows`,
      op: () =>
        splitDatagram(datagram.octets).map(({ from, at, length }) =>
          fdbFromMessage(RTM_NEWNEIGH.codec.read(from, at, length)),
        ),
    },
  ];
}

function documentCases(): MicroCase[] {
  const document: EndpointsDocument = {
    network: '0123456789ab',
    host: 'host-1',
    endpoints: Array.from({ length: documentSize }, (_, i) => ({
      id: i.toString(16).padStart(64, '0'),
      mac: `02:42:0a:00:00:${i.toString(16).padStart(2, '0')}` as Mac,
      addresses: [{ address: addressFromBigInt(4, 0x0ac0_0000n + BigInt(i)), prefixLength: 16 }],
    })),
  };
  const text = formatEndpoints(document);
  const call = JSON.stringify({
    NetworkID: 'ab'.repeat(32),
    EndpointID: 'cd'.repeat(32),
    Interface: { Address: `${ipv4}/16`, AddressIPv6: '', MacAddress: '' },
    Options: { 'com.docker.network.endpoint.exposedports': [] },
  });
  return [
    { name: `cluster/format-${documentSize}-endpoints`, op: () => formatEndpoints(document) },
    { name: `cluster/parse-${documentSize}-endpoints`, op: () => parseEndpoints(text) },
    { name: 'plugin-api/parse-create-endpoint', op: () => wire.createEndpoint(call) },
  ];
}
