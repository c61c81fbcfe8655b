import { runOk } from '../../lab/index.js';
import type { Family } from '../../src/net/index.js';
import { type Path, inPlace } from './place.js';
import { trafficScript, ports } from './servers.js';

export interface Shot {
  readonly path: Path;
  readonly family: Family;
  readonly clientCore: number;
  readonly seconds: number;
}

/** One thing to measure about a path. */
export interface Probe {
  readonly name: string;
  readonly unit: string;
  readonly measure: (shot: Shot) => Promise<number>;
}

/** The payload of small packets, octets. */
const SMALL = '64';

export const probes: readonly Probe[] = [
  { name: 'tcp-throughput-1-stream', unit: 'Gbit/s', measure: async (shot) => throughput(shot, 1) },
  {
    name: 'tcp-throughput-8-streams',
    unit: 'Gbit/s',
    measure: async (shot) => throughput(shot, 8),
  },
  { name: 'udp-64-byte-packets', unit: 'packets/s', measure: packets },
  { name: 'tcp-round-trip', unit: 'us', measure: async (shot) => roundTrip(shot, 'tcp') },
  { name: 'udp-round-trip', unit: 'us', measure: async (shot) => roundTrip(shot, 'udp') },
  {
    name: 'tcp-new-connections',
    unit: 'connections/s',
    measure: async (shot) => script(shot, 'connections'),
  },
];

/** What the server received. */
async function throughput(shot: Shot, streams: number): Promise<number> {
  const said = await iperf(shot, ['--parallel', String(streams)]);
  return said.end.sum_received!.bits_per_second / 1e9;
}

/** What the server received: on one core it shares the core with a sender that never waits. */
async function packets(shot: Shot): Promise<number> {
  const { end } = await iperf(shot, ['--udp', '--length', SMALL, '--bitrate', '0']);
  const { packets: sent, lost_packets: lost, seconds } = end.sum!;
  return (sent - lost) / seconds;
}

interface IperfReport {
  readonly end: {
    readonly sum_received?: { readonly bits_per_second: number };
    readonly sum?: {
      readonly packets: number;
      readonly lost_packets: number;
      readonly seconds: number;
    };
  };
}

async function iperf(shot: Shot, more: readonly string[]): Promise<IperfReport> {
  const to = ['--client', addressOf(shot), '--port', String(ports.iperf)];
  const time = ['--time', String(shot.seconds), '--json'];
  return JSON.parse(await client(shot, ['iperf3', ...to, ...time, ...more])) as IperfReport;
}

/** The median of one sample's round trips, in microseconds: what was stolen from the sample is in its tail. */
async function roundTrip(shot: Shot, protocol: 'tcp' | 'udp'): Promise<number> {
  if (shot.family === 6) return script(shot, protocol);
  return (await pingPong(shot, protocol)).medianUs;
}

/** A sample of sockperf's round trips; `messages` counts those of its warming up too. */
export async function pingPong(
  shot: Shot,
  protocol: 'tcp' | 'udp',
): Promise<{ readonly medianUs: number; readonly messages: number }> {
  const to = ['-i', addressOf(shot), '-p', String(ports.sockperf), '-m', SMALL];
  const how = ['-t', String(shot.seconds), '--full-rtt', ...(protocol === 'tcp' ? ['--tcp'] : [])];
  const said = await client(shot, ['sockperf', 'ping-pong', ...to, ...how]);
  return {
    medianUs: numberIn(said, /percentile 50\.000 = +([\d.]+)/),
    messages: numberIn(said, /\[Total Run\].*SentMessages=(\d+)/),
  };
}

async function script(shot: Shot, what: string): Promise<number> {
  const argv = [what, addressOf(shot), String(ports.script), String(shot.seconds)];
  return numberIn(await client(shot, ['python3', trafficScript, ...argv]), /([\d.]+)/);
}

async function client(
  { path, clientCore, seconds }: Shot,
  argv: readonly string[],
): Promise<string> {
  const timeoutMs = (seconds + 20) * 1000;
  return runOk(inPlace(path.client, clientCore, argv), { timeoutMs });
}

function addressOf({ path, family }: Shot): string {
  const address = path.server.addresses[family];
  if (address === undefined) throw new Error(`${path.subject} has no IPv${family} address`);
  return address;
}

function numberIn(text: string, pattern: RegExp): number {
  const found = Number(pattern.exec(text)?.[1]);
  if (Number.isFinite(found)) return found;
  throw new Error(`expected ${pattern.source} in: ${text.slice(-500)}`);
}
