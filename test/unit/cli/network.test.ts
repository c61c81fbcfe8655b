import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { run } from '../../../src/cli/program.js';
import { type NewNetwork, type Source, openControlServer } from '../../../src/control-api/index.js';
import { AppError } from '../../../src/util/index.js';
import { networks, sourceOf } from '../../helpers/control-source.js';

class Refusal extends AppError<{ readonly code: 'NETWORK_IN_USE' }> {}

/** Runs `weft network …` against a daemon of this source. */
async function network(t: ExecutionContext, args: readonly string[], over: Partial<Source> = {}) {
  const directory = await mkdtemp(path.join(tmpdir(), 'weft-cli-'));
  t.teardown(async () => rm(directory, { recursive: true, force: true }));
  const socketPath = path.join(directory, 'control.sock');
  await using server = await openControlServer({ socketPath, source: sourceOf(over) });
  t.truthy(server);
  let [out, err] = ['', ''];
  const code = await run(['network', ...args, '--control-socket', socketPath], {
    out: (text) => (out += text),
    err: (text) => (err += text),
    ended: new AbortController().signal,
    color: false,
    runDaemon: async () => 0,
    runNames: async () => 0,
  });
  return { code, out, err };
}

test('weft network create > every flag reaches the daemon, and what was made is shown', async (t) => {
  const asked: NewNetwork[] = [];
  const flags = ['--subnet', '10.1.0.0/24', '--subnet', 'fd01::/64', '--ip-range', '10.1.0.0/25'];
  const more = ['--gateway', '10.1.0.1', '--aux-address', 'printer=10.1.0.9', '--internal'];
  const rest = ['--ipv6', '--label', 'tier=front', '--label', 'bare', '-o', 'a=b=c'];
  const { code, out, err } = await network(t, ['create', ...flags, ...more, ...rest, 'web'], {
    createNetwork: async (wanted) => {
      asked.push(wanted);
      return networks[0]!;
    },
  });
  t.is(err, '');
  t.is(code, 0);
  t.is(out, 'web created, 10.192.0.0/24 and fd77:6566:7400:1::/64\n');
  t.deepEqual(asked, [
    {
      name: 'web',
      internal: true,
      ipv6: true,
      subnets: ['10.1.0.0/24', 'fd01::/64'],
      ranges: ['10.1.0.0/25'],
      gateways: ['10.1.0.1'],
      auxAddresses: { printer: '10.1.0.9' },
      labels: { tier: 'front', bare: '' },
      options: { a: 'b=c' },
    },
  ]);
});

test('weft network create > prints the network for programs', async (t) => {
  const { out } = await network(t, ['create', 'db', '--json']);
  t.like(JSON.parse(out), { name: 'db', vni: 4242 });
});

const misused: readonly (readonly [string, readonly string[], RegExp])[] = [
  ['no name', ['create'], /missing required argument 'name'/],
  [
    'an option without a value',
    ['create', 'web', '-o', 'mtu'],
    /'mtu' is invalid\. It is KEY=VALUE/,
  ],
  [
    'a label given twice',
    ['create', 'web', '--label', 'a=1', '--label', 'a=2'],
    /a is given twice/,
  ],
  ['two names', ['rm', 'web', 'db'], /too many arguments/],
];
for (const [what, args, message] of misused) {
  test(`weft network > ${what} is wrong usage`, async (t) => {
    const { code, err } = await network(t, args);
    t.is(code, 2);
    t.regex(err, message);
  });
}

test('weft network rm > says what is gone, or why it is not', async (t) => {
  const { out } = await network(t, ['rm', 'web']);
  t.is(out, 'web removed\n');
  const { code, err } = await network(t, ['rm', 'web'], {
    removeNetwork: async () => {
      throw new Refusal({ code: 'NETWORK_IN_USE' }, 'network "web" is in use by api on h2');
    },
  });
  t.is(code, 1);
  t.is(err, 'weft: network "web" is in use by api on h2\n');
});
