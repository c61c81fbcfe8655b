/** All that docs/dns.md says is answered, asked from inside containers on every host with the programs that people use. */
import test from 'ava';
import { type Host, waitFor } from '../../lab/index.js';
import { messageOf } from '../../src/util/index.js';
import { type Question, type Tool, toolFlags, tools } from '../helpers/dns-tools.js';
import { cleanUp, onHosts, sharedLab, showLogs } from '../helpers/lab.js';
import {
  type Attachment,
  attachment,
  createNetwork,
  nothingLeft,
  runIdle,
  runWeb,
  startDaemons,
} from '../helpers/weft-lab.js';

const lab = await sharedLab();
const three = onHosts(lab, 3);
const [first, second, third] = lab.hosts as [Host, Host, Host];
const dig = tools.find(({ name }) => name === 'dig')!;
const AT_LAST_MS = 90_000;

interface Row extends Question {
  /** Sorted; none: there is no such name, or it has nothing of this type. */
  readonly is: readonly string[];
}
let rows: readonly Row[] = [];

const client = (host: Host): string => `on-${host.name}`;

/** One world for all tests of the file: containers that do nothing but have names, and one on each host that asks. */
test.before(async () => {
  await startDaemons(lab);
  if (lab.hosts.length < 3) return;
  await createNetwork(
    lab.hosts,
    'web',
    '--ipv6',
    '--subnet',
    '10.77.0.0/24',
    '--subnet',
    'fd77::/64',
  );
  await createNetwork(lab.hosts, 'back');
  const web = ['--network', 'web'];
  const more = ['--network-alias', 'alias', '--hostname', 'inside', '--expose', '80'];
  const labels = ['--label', 'weft.name=extra', '--label', 'weft.srv.metrics=9100'];
  const health = [
    '--health-cmd',
    'test -e /ok',
    '--health-interval',
    '1s',
    '--health-retries',
    '1',
  ];
  await Promise.all([
    ...lab.hosts.map(async (host) =>
      runWeb(host, client(host), ...web, '--network-alias', 'all', ...toolFlags),
    ),
    runWeb(first, 'Api', ...web, ...more, ...labels),
    runIdle(second, 'hidden', '--network', 'back'),
    runWeb(third, 'sick', ...web, '--network-alias', 'service', ...health),
    runWeb(second, 'well', ...web, '--network-alias', 'service'),
  ]);
  rows = await table();
  for (const host of lab.hosts) await isTold(dig, host, rows);
});
test.afterEach.always(async (t) => {
  if (!t.passed) await showLogs(lab);
});
test.after.always(async () => {
  await cleanUp(lab);
  await nothingLeft(lab);
});

async function table(): Promise<Row[]> {
  const [api, sick, well] = await Promise.all([
    attachment(first, 'Api', 'web'),
    attachment(third, 'sick', 'web'),
    attachment(second, 'well', 'web'),
  ]);
  const all = await Promise.all(
    lab.hosts.map(async (host) => attachment(host, client(host), 'web')),
  );
  const id = (await first.docker('inspect', '--format', '{{.Id}}', 'Api')).slice(0, 12);
  const own = ['api', 'API', 'alias', 'inside', 'extra', id, 'api.web', 'api.weft'];
  return [
    ...[...own, 'api.web.weft', 'alias.web.weft'].flatMap((name) => both(name, [api])),
    ...both('all', all),
    ...both('all.weft', all),
    // Of those under one name who is healthy; who is alone under a name is told, however he is.
    ...both('service.weft', [well]),
    ...both('sick.weft', [sick]),
    // On a network that the asker is not on.
    ...both('hidden.weft', []),
    ...both('hidden.back.weft', []),
    ...both('nobody.weft', []),
    ...both('nobody.web.weft', []),
    ...lab.hosts.map((host) => row(`${host.name}.host.weft`, 'A', [host.address])),
    { ...row(reverse(api.address), 'PTR', ['Api.web.weft']), address: api.address },
    { ...row(reverseV6(api.addressV6), 'PTR', ['Api.web.weft']), address: api.addressV6 },
    row('_80._tcp.api', 'SRV', ['0 1 80 Api.web.weft']),
    row('_metrics._tcp.api.web.weft', 'SRV', ['0 1 9100 Api.web.weft']),
    row('_metrics._udp.api.web.weft', 'SRV', []),
  ];
}

function both(name: string, those: readonly Attachment[]): Row[] {
  return [
    row(
      name,
      'A',
      those.map(({ address }) => address),
    ),
    row(
      name,
      'AAAA',
      those.map(({ addressV6 }) => addressV6),
    ),
  ];
}

function row(name: string, type: Row['type'], is: readonly string[]): Row {
  return { name, type, is: is.toSorted() };
}

function reverse(address: string): string {
  return `${address.split('.').toReversed().join('.')}.in-addr.arpa`;
}

function reverseV6(address: string): string {
  const [left = '', right = ''] = address.split('::').map((half) =>
    half
      .split(':')
      .filter(Boolean)
      .map((group) => group.padStart(4, '0'))
      .join(''),
  );
  const digits = `${left}${right.padStart(32 - left.length, '0')}`;
  return `${digits.split('').toReversed().join('.')}.ip6.arpa`;
}

/** What a tool is told on a host that is not as the table has it, a line each. */
async function differences(tool: Tool, host: Host, wanted: readonly Row[]): Promise<string[]> {
  const asked = wanted.filter((each) => tool.asks(each));
  const answers = await tool.ask(host, client(host), asked);
  return asked.flatMap(({ name, type, is }, i) => {
    const got = (answers[i] ?? ['no answer']).toSorted();
    const isOne = tool.picksOne && is.length > 0;
    const isRight = isOne ? got.length === 1 && is.includes(got[0]!) : got.join() === is.join();
    const told = `${tool.name} on ${host.name}: ${type} of ${name} is ${got.join(' ') || 'nothing'}`;
    return isRight ? [] : [`${told}, not ${is.join(' ') || 'nothing'}`];
  });
}

/** Waits until a tool on a host is told all this. */
async function isTold(tool: Tool, host: Host, wanted: readonly Row[]): Promise<void> {
  const check = async (): Promise<boolean> => {
    const found = await differences(tool, host, wanted);
    if (found.length > 0) throw new Error(found.join('\n'));
    return true;
  };
  await waitFor(`what ${tool.name} is told`, check, { timeoutMs: AT_LAST_MS, intervalMs: 500 });
}

for (const tool of tools) {
  three(`names > ${tool.name} is told every name, on every host`, async (t) => {
    t.true(rows.filter((each) => tool.asks(each)).length > 10);
    const said = lab.hosts.map(async (host) => isTold(tool, host, rows).catch(messageOf));
    t.deepEqual((await Promise.all(said)).filter(Boolean), []);
  });
}

/** dig's own words on the second host. */
async function digs(...args: readonly string[]): Promise<string> {
  return second.inContainer(client(second), [
    'dig',
    '+time=10',
    '+noall',
    '+comments',
    '+answer',
    ...args,
  ]);
}

three(
  'names > an answer has its TTL and the asker’s spelling, and one that there is none has an SOA',
  async (t) => {
    const { address } = await attachment(first, 'Api', 'web');
    const found = new RegExp(`^aPi\\.wEb\\.weFT\\.\\s+5\\s+IN\\s+A\\s+${address}$`, 'm');
    t.regex(await digs('aPi.wEb.weFT', 'A'), found);
    t.regex(await digs('+tcp', 'aPi.wEb.weFT', 'A'), found);
    const none = await digs('+authority', 'nobody.weft', 'A');
    t.regex(none, /status: NXDOMAIN/);
    t.regex(none, /\sIN\s+SOA\s/);
    const empty = await digs('+authority', 'api.web.weft', 'MX');
    t.regex(empty, /status: NOERROR/);
    t.regex(empty, /ANSWER: 0,/);
    t.regex(empty, /\sIN\s+SOA\s/);
  },
);

/** Who came first in each of so many answers. */
async function firstOnes(count: number): Promise<string[]> {
  const ones: string[] = [];
  for (let i = 0; i < count; i += 1) {
    const [, one = ''] = /\sIN\s+A\s+(\S+)$/m.exec(await digs('all.web.weft', 'A')) ?? [];
    ones.push(one);
  }
  return ones;
}

three('names > of several containers under a name each comes first in turn', async (t) => {
  const ones = await firstOnes(9);
  t.is(new Set(ones).size, 3, ones.join(' '));
});

three(
  'names > by configuration who is on the asker’s host comes first, and answers are kept longer',
  async (t) => {
    const path = '/etc/weft/weft.json';
    const before = JSON.parse(await second.readFile(path)) as Record<string, unknown>;
    t.teardown(async () => {
      await second.configureWeft(before);
      await second.daemon.restart();
      await isTold(dig, second, rows);
    });
    await second.configureWeft({ ...before, dns: { localFirst: true, ttlSec: 60 } });
    await second.daemon.restart();
    await isTold(dig, second, rows);
    const { address } = await attachment(second, client(second), 'web');
    t.deepEqual(await firstOnes(4), [address, address, address, address]);
    t.regex(await digs('api.web.weft', 'A'), /\s60\s+IN\s+A\s/);
  },
);

three('names > a container is told of as soon as its health check says healthy', async (t) => {
  await third.docker('exec', 'sick', 'touch', '/ok');
  const those = [await attachment(third, 'sick', 'web'), await attachment(second, 'well', 'web')];
  for (const host of lab.hosts) await isTold(dig, host, both('service.weft', those));
  await third.docker('exec', 'sick', 'rm', '/ok');
  for (const host of lab.hosts) await isTold(dig, host, both('service.weft', those.slice(1)));
  await second.docker('rm', '--force', 'well');
  for (const host of lab.hosts) await isTold(dig, host, both('service.weft', those.slice(0, 1)));
  t.pass();
});

// No engine has a part in it, and it takes the twenty seconds until Consul gives a host up.
const once = lab.engine === '28.5' ? three : test.serial.skip;
once(
  'names > containers of a host that is gone are left out, unless nothing else is left',
  async (t) => {
    t.timeout(240_000);
    await third.daemon.kill();
    const those = await Promise.all(
      lab.hosts.map(async (host) => attachment(host, client(host), 'web')),
    );
    await isTold(dig, first, [
      ...both('all.weft', those.slice(0, 2)),
      ...both(`${client(third)}.weft`, those.slice(2)),
    ]);
    await third.daemon.start();
    await isTold(dig, first, both('all.weft', those));
    t.pass();
  },
);
