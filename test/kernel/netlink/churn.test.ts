import { type ChildProcess, spawn } from 'node:child_process';
import test, { type ExecutionContext } from 'ava';
import type { Address, Mac, Vni } from '../../../src/net/index.js';
import {
  Connection,
  NETLINK,
  addFdb,
  deleteFdb,
  dumpFdb,
  dumpLinks,
  getLink,
  newLink,
  replaceFdb,
} from '../../../src/netlink/index.js';
import { NLM_F, splitDatagram } from '../../../src/netlink/message.js';
import { closeSocket, execute, openSocket } from '../../../src/netlink/native.js';
import { type Host, testHost } from './host.js';

const mac = (i: number) =>
  `02:42:00:${[i >> 16, (i >> 8) & 255, i & 255].map((o) => o.toString(16).padStart(2, '0')).join(':')}` as Mac;
const dst = '10.1.1.2' as Address;

async function vxlanLink(host: Host): Promise<number> {
  const vxlan = { type: 'vxlan', vni: 42 as Vni, port: 4789 } as const;
  await host.conn.apply(newLink({ name: 'vxlan0', kind: vxlan }));
  return (await getLink(host.conn, 'vxlan0')).ifindex;
}

/** Another process that runs the same iproute2 batch over and over until the test ends. */
function churn(
  t: ExecutionContext,
  host: Host,
  program: string,
  lines: readonly string[],
): ChildProcess {
  const batch = lines.join('\n') + '\n';
  const child = spawn(program, ['-n', host.netns.name, '-force', '-batch', '-'], {
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  // Write on while the pipe takes more; the pipe breaks when the test kills the reader.
  const feed = () => {
    while (child.stdin!.writable && child.stdin!.write(batch));
  };
  child.stdin!.on('drain', feed).on('error', () => undefined);
  feed();
  t.teardown(() => child.kill('SIGKILL'));
  return child;
}

test('churn > FDB dumps hold no wrong row, and together every row, while others come and go', async (t) => {
  const host = await testHost(t);
  const ifindex = await vxlanLink(host);
  const count = 5000;
  const row = { ifindex, owner: 'self', state: 'permanent', dst } as const;
  const ours = Array.from({ length: count }, (_, i) => addFdb({ ...row, mac: mac(i) }));
  await host.conn.apply(...ours);
  const foreign = Array.from({ length: 50 }, (_, i) => mac(0x10000 + i));
  churn(t, host, 'bridge', [
    ...foreign.map((m) => `fdb add ${m} dev vxlan0 dst 10.1.1.9 self permanent`),
    ...foreign.map((m) => `fdb del ${m} dev vxlan0 dst 10.1.1.9 self`),
  ]);
  const seen = new Set<Mac>();
  const dumps = { all: 0, withForeign: 0, incomplete: 0 };
  const deadline = Date.now() + 30_000;
  while (dumps.withForeign < 5 || dumps.all < 20) {
    t.true(Date.now() < deadline, 'the churn was never seen');
    const rows = await dumpFdb(host.conn, { ifindex });
    const found = new Set(rows.filter((r) => r.dst === dst).map((r) => r.mac));
    for (const m of found) seen.add(m);
    t.true(rows.every((r) => r.dst === dst || foreign.includes(r.mac)));
    dumps.all += 1;
    if (rows.some((r) => r.dst !== dst)) dumps.withForeign += 1;
    if (found.size < count) dumps.incomplete += 1;
  }
  t.is(seen.size, count);
  t.log(dumps);
});

test('churn > link dumps are asked for again until they are whole', async (t) => {
  const host = await testHost(t);
  const count = 300;
  const links = Array.from({ length: count / 2 }, (_, i) =>
    newLink({ name: `v${i}`, kind: { type: 'veth', peer: { name: `w${i}` } } }),
  );
  await host.conn.apply(...links);
  const socket = await openSocket(NETLINK.ROUTE, { netnsFd: host.netns.fd });
  const dumps = { asked: 0, interrupted: 0, answered: 0 };
  const conn = new Connection({
    async execute(request) {
      const datagrams = await execute(socket, request);
      dumps.asked += 1;
      const flags = datagrams.flatMap(splitDatagram).map((m) => m.flags & NLM_F.DUMP_INTR);
      if (flags.some((flag) => flag !== 0)) dumps.interrupted += 1;
      return datagrams;
    },
    close: () => {
      closeSocket(socket);
    },
  });
  t.teardown(async () => conn.close());
  churn(t, host, 'ip', ['link add x0 type bridge', 'link del x0']);
  const deadline = Date.now() + 30_000;
  while (dumps.interrupted < 3) {
    t.true(Date.now() < deadline, 'no dump was ever interrupted');
    const names = (await dumpLinks(conn)).map((l) => l.name);
    dumps.answered += 1;
    t.is(new Set(names).size, names.length, 'no link twice');
    t.is(names.filter((name) => /^[vw]\d/.test(name)).length, count);
  }
  t.is(dumps.asked, dumps.answered + dumps.interrupted);
  t.log(dumps);
});

test('scale > ten thousand rows are written, read and deleted', async (t) => {
  const host = await testHost(t);
  const ifindex = await vxlanLink(host);
  const rows = Array.from({ length: 10_000 }, (_, i) => ({
    ifindex,
    mac: mac(i),
    owner: 'self' as const,
    state: 'permanent' as const,
    dst,
  }));
  const started = performance.now();
  await host.conn.apply(...rows.map(replaceFdb));
  const written = performance.now();
  const cpu = process.cpuUsage();
  t.is((await dumpFdb(host.conn, { ifindex })).length, rows.length);
  const { user } = process.cpuUsage(cpu);
  const read = performance.now();
  const wrote = (written - started).toFixed();
  t.log(`written in ${wrote} ms, read in ${(read - written).toFixed()} ms (${user / 1000} ms CPU)`);
  const outcomes = await host.conn.request(rows.map(deleteFdb));
  t.deepEqual(
    outcomes.filter((o) => o !== undefined),
    [],
  );
  t.is((await dumpFdb(host.conn, { ifindex })).filter((r) => r.dst === dst).length, 0);
});
