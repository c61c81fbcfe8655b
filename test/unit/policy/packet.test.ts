import test from 'ava';
import { parseAddress, parseMac } from '../../../src/net/index.js';
import { type Flow, readFlow } from '../../../src/policy/index.js';
import { frameOf } from '../../helpers/flows.js';

const macs = { from: parseMac('02:00:00:00:00:01'), to: parseMac('02:00:00:00:00:02') };
const ETHERNET = 14;
const packetOf = (flow: Flow): Buffer =>
  Buffer.from(frameOf(flow, macs, 7), 'hex').subarray(ETHERNET);

const four = { source: parseAddress('10.0.0.1'), destination: parseAddress('10.0.0.2') };
const six = { source: parseAddress('fd00::1'), destination: parseAddress('fd00::2') };

test('packets > are read as the flows that they were made of', (t) => {
  const flows: Flow[] = [
    { ...four, protocol: 'tcp', port: 80 },
    { ...four, protocol: 'udp', port: 53 },
    { ...four, protocol: 'sctp', port: 7 },
    { ...four, protocol: 'icmp', type: 8 },
    { ...four, protocol: 47 },
    { ...six, protocol: 'tcp', port: 80 },
    { ...six, protocol: 'icmpv6', type: 128 },
  ];
  for (const flow of flows) t.deepEqual(readFlow(packetOf(flow)), flow);
});

test('packets > behind extension headers, cut short, or of a later fragment tell what they can', (t) => {
  const plain = packetOf({ ...six, protocol: 'udp', port: 53 });
  const options = Buffer.from([plain[6]!, 0, 1, 4, 0, 0, 0, 0]);
  const extended = Buffer.concat([plain.subarray(0, 40), options, plain.subarray(40)]);
  extended[6] = 0;
  t.deepEqual(readFlow(extended), { ...six, protocol: 'udp', port: 53 });
  const later = packetOf({ ...four, protocol: 'udp', port: 53 });
  later.writeUInt16BE(185, 6);
  t.deepEqual(readFlow(later), { ...four, protocol: 17 });
  t.deepEqual(readFlow(packetOf({ ...four, protocol: 'tcp', port: 80 }).subarray(0, 21)), {
    ...four,
    protocol: 6,
  });
  for (const octets of [[], [0x45], [0x60, 0], [0x15, ...Array.from({ length: 60 }, () => 0)]]) {
    t.is(readFlow(Uint8Array.from(octets)), undefined);
  }
});
