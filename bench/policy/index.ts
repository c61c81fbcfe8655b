/** What policy costs: each packet, each change, and until all hosts enforce it. */
import { cpus } from 'node:os';
import { type Host, Lab, hasNetwork } from '../../lab/index.js';
import type { ControlClient } from '../../src/control-api/index.js';
import { Closer } from '../../src/util/index.js';
import type { Bench, BenchContext, Result } from '../bench.js';
import {
  control,
  crowdOf,
  knows,
  makeNetwork,
  networkName,
  storeOf,
} from '../cluster/clustered.js';
import type { Path } from '../datapath/place.js';
import { probes } from '../datapath/probes.js';
import { Servers } from '../datapath/servers.js';
import { containers, joinSwarm, labShape, overlay, overlayArgs } from '../datapath/stage.js';
import { Samples, percentile, rotated } from '../samples.js';
import { measureChanges } from './changes.js';
import { filesOf } from './texts.js';

interface Size {
  readonly rules: readonly number[];
  readonly endpoints: number;
  readonly changes: number;
  readonly waits: number;
}

const promised: Size = { rules: [0, 1, 100, 10_000], endpoints: 5000, changes: 200, waits: 100 };
const smoke: Size = { rules: [0, 20], endpoints: 20, changes: 3, waits: 2 };

const MTU = 1500;
const SECONDS = 1;
const PROBES = ['udp-round-trip', 'udp-64-byte-packets', 'tcp-new-connections'];
const WAIT_MS = 30_000;

export const policy: Bench = {
  name: 'policy',
  summary:
    'packets under so many rules, changes of policies and containers, and until all hosts enforce one',
  defaultRuns: 5,
  needsLab: true,
  peer: 'docker-overlay',
  run,
};

async function run(context: BenchContext): Promise<Result[]> {
  const size = context.scope === 'smoke' ? smoke : promised;
  const samples = new Samples();
  context.progress('changes of a table');
  const { endpoints, changes } = size;
  await measureChanges(samples, { rules: size.rules.at(-1)!, endpoints, changes });
  await using lab = await Lab.create({ ...labShape, engine: context.engine, mtu: MTU });
  const [manager, worker, one, two] = [lab.host(0), lab.host(1), lab.host(2), lab.host(3)];
  await Promise.all([one.daemon.start(), two.daemon.start(), joinSwarm(manager, worker)]);
  await manager.docker(...overlayArgs(MTU));
  await makeNetwork([one, two]);
  const peer = await containers('docker-overlay', overlay, manager, worker);
  const own = await containers('weft', networkName, one, two);
  context.progress(`${endpoints} containers`);
  await using store = storeOf(lab);
  const crowd = await crowdOf(store);
  await crowd.growTo(endpoints);
  for (const host of [one, two]) await knows(host, endpoints);
  await measurePackets(context, samples, { size, peer, own, one });
  await measureWaits(context, samples, size, { one, others: [manager, worker] });
  return samples.results();
}

interface Packets {
  readonly size: Size;
  readonly peer: Path;
  readonly own: Path;
  readonly one: Host;
}

async function measurePackets(
  { runs, progress, wants }: BenchContext,
  samples: Samples,
  { size: { rules }, peer, own, one }: Packets,
): Promise<void> {
  await using closer = new Closer();
  const core = cpus().length - 1;
  for (const { server } of [peer, own]) closer.use(await Servers.start(server, core));
  const client = control(one);
  for (let round = 0; round < runs; round += 1) {
    for (const count of rotated<number | undefined>([undefined, ...rules], round)) {
      progress(`run ${round + 1} of ${runs}: ${count ?? 'no'} rules`);
      if (count !== undefined) await enforce(client, count);
      const path = count === undefined ? peer : own;
      for (const probe of probes.filter(({ name }) => PROBES.includes(name) && wants(name))) {
        const shot = { path, family: 4, clientCore: core, seconds: SECONDS } as const;
        const subject = count === undefined ? peer.subject : subjectOf(count);
        samples.add(subject, `${probe.name} one-core`, probe.unit, await probe.measure(shot));
      }
    }
  }
}

const subjectOf = (rules: number): string =>
  rules === 0 ? 'weft-no-policy' : `weft-${rules}-rules`;

/** Exactly so many rules, on every host. */
async function enforce(client: ControlClient, rules: number): Promise<void> {
  const files = filesOf(rules);
  let version: number | undefined;
  if (files.length > 0) version = (await client.applyPolicies({ files })).version;
  const names = new Set(files.map((_, i) => `p${i}`));
  for (const { id } of await client.policies()) {
    if (!names.has(id)) version = await client.removePolicy(id);
  }
  if (version !== undefined) await isEnforced(client, version);
}

async function isEnforced(client: ControlClient, version: number): Promise<void> {
  const enforced = await client.enforcedPolicies({ version, waitMs: WAIT_MS });
  if (enforced.isEnforced) return;
  const late = enforced.hosts.filter((host) => (host.version ?? -1) < version);
  throw new Error(`version ${version} is not enforced on ${late[0]?.name}`);
}

interface Waits {
  readonly one: Host;
  readonly others: readonly Host[];
}

/** From the command's request to its answer that each of four hosts enforces what it applied. */
async function measureWaits(
  { progress }: BenchContext,
  samples: Samples,
  { waits }: Size,
  { one, others }: Waits,
): Promise<void> {
  progress('apply --wait on four hosts');
  const client = control(one);
  await enforce(client, 0);
  for (const host of others) {
    await host.daemon.start();
    await hasNetwork(host, networkName);
  }
  const tookMs: number[] = [];
  for (let i = 0; i < waits; i += 1) {
    const [file] = filesOf(10 + (i % 5));
    const start = performance.now();
    const { version } = await client.applyPolicies({ files: [file!] });
    await isEnforced(client, version);
    tookMs.push(performance.now() - start);
  }
  samples.add('weft', 'apply --wait, p50', 'ms', percentile(tookMs, 50));
  samples.add('weft', 'apply --wait, p99', 'ms', percentile(tookMs, 99));
}
