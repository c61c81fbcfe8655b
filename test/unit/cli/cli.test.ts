import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { run } from '../../../src/cli/program.js';
import { type Event, type Source, openControlServer } from '../../../src/control-api/index.js';
import type { UpFlags } from '../../../src/daemon/index.js';
import { endpoints, hosts, networks, sourceOf, status } from '../../helpers/control-source.js';

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  readonly up: UpFlags[];
}

async function weft(
  args: readonly string[],
  { color = false, daemonCode = 0, lines = Infinity } = {},
): Promise<Ran> {
  let [out, err] = ['', ''];
  const reader = new AbortController();
  const up: UpFlags[] = [];
  const code = await run(args, {
    out: (text) => {
      out += text;
      if (out.split('\n').length > lines) reader.abort();
    },
    ended: reader.signal,
    err: (text) => (err += text),
    color,
    runNames: async () => 0,
    runDaemon: async (flags) => {
      up.push(flags);
      return daemonCode;
    },
  });
  return { code, out, err, up };
}

/** Starts a control API and answers what `--control-socket` takes. */
async function daemon(t: ExecutionContext, over: Partial<Source> = {}): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), 'weft-cli-'));
  const socketPath = path.join(directory, 'control.sock');
  const server = await openControlServer({ socketPath, source: sourceOf(over) });
  t.teardown(async () => {
    await server[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  });
  return socketPath;
}

async function shows(
  t: ExecutionContext,
  args: readonly string[],
  text: string,
  over: Partial<Source> = {},
): Promise<void> {
  const socket = await daemon(t, over);
  const { code, out, err } = await weft([...args, '--control-socket', socket]);
  t.is(err, '');
  t.is(`\n${out}`, text);
  t.is(code, 0);
}

test('weft status > shows the parts', async (t) => {
  await shows(
    t,
    ['status'],
    `
host       alpha (h-7f3a)
daemon     weft 0.1.0, up 1 d 2 h
underlay   192.0.2.11 on eth0, MTU 1500: eth0 carries the default route; MTU 1500 of the link
store      consul at http://127.0.0.1:8500, reachable since 2026-05-04 08:00:01 UTC
docker     28.5.2, reachable
networks   2 on this host
endpoints  3 on this host
health     good
`,
  );
});

test('weft status > shows what is wrong, and still succeeds in showing it', async (t) => {
  await shows(
    t,
    ['status'],
    `
host       alpha (h-7f3a)
daemon     weft 0.1.0, up 45 s
underlay   none: no link is up
store      embedded, not reachable since 2026-05-04 09:00:00 UTC
docker     not reachable
networks   2 on this host
endpoints  3 on this host
health     degraded
  the disk of /var/lib/weft is full; free some space (STORE_FULL, since 2026-05-04 09:00:00 UTC)
  no link is up; name one with --underlay (NO_UNDERLAY, since 2026-05-04 08:00:00 UTC)
`,
    {
      status: () => ({
        ...status,
        host: { id: 'h-7f3a', name: 'alpha', reason: 'no link is up' },
        uptimeSec: 45.9,
        store: { kind: 'embedded', reachable: false, since: '2026-05-04T09:00:00Z' },
        docker: { reachable: false },
        degraded: [
          {
            code: 'STORE_FULL',
            text: 'the disk of /var/lib/weft is full; free some space',
            since: '2026-05-04T09:00:00Z',
          },
          {
            code: 'NO_UNDERLAY',
            text: 'no link is up; name one with --underlay',
            since: '2026-05-04T08:00:00Z',
          },
        ],
      }),
    },
  );
});

test('weft network ls > aligns its columns', async (t) => {
  await shows(
    t,
    ['network', 'ls'],
    `
NAME  ID              VNI   MTU  HOSTS  ENDPOINTS  HERE  INTERNAL  POOLS
-     a1b2c3d4e5f6  70001  1450      1          1     0  yes       10.192.1.0/24
web   c3d4e5f60718   4242  1450      3          5     2  no        10.192.0.0/24, fd77:6566:7400:1::/64
`,
  );
});

test('weft network ls > without networks says how to make one', async (t) => {
  await shows(
    t,
    ['network', 'ls'],
    `
No networks. Make one, on any host, with
  weft network create NAME
`,
    { networks: () => [] },
  );
});

test('weft network ls > a dash is what the daemon does not know, and a note says why', async (t) => {
  const unknown = { hosts: null, endpoints: { local: 0, total: null } };
  const socket = await daemon(t, {
    networks: () => [{ ...networks[1]!, ...unknown }],
    status: () => ({
      ...status,
      store: { ...status.store, reachable: false, since: '2026-05-04T09:00:00Z' },
    }),
  });
  const at = ['--control-socket', socket];
  const note =
    'weft: the store has not answered since 2026-05-04 09:00:00 UTC; this is what the daemon knows without it\n';
  const list = await weft(['network', 'ls', ...at]);
  t.regex(list.out, / 1450 +- +- +0 /);
  t.is(list.err, note);
  const json = await weft(['network', 'ls', '--json', ...at]);
  t.like((JSON.parse(json.out) as unknown[])[0], unknown);
  const endpointList = await weft(['endpoint', 'ls', ...at]);
  t.is(endpointList.err, `${note}weft: what other hosts have on a1b2c3d4e5f6 is unknown\n`);
  t.is((await weft(['host', 'ls', ...at])).err, note);
});

test('weft endpoint ls > shows names where it knows them, ids where not', async (t) => {
  await shows(
    t,
    ['endpoint', 'ls'],
    `
NETWORK  NAME   HOST    HERE  MAC                ID            ADDRESSES
gone     -      h-gone  no    02:42:0a:c0:01:02  e20000000000  10.192.1.2
web      web-1  alpha   yes   02:42:0a:c0:00:02  e10000000000  10.192.0.2, fd77:6566:7400:1::2
`,
  );
});

test('weft endpoint ls > without endpoints says so', async (t) => {
  const text = '\nNo endpoints: no container is attached to a weft network.\n';
  await shows(t, ['endpoint', 'ls'], text, { endpoints: () => [] });
});

test('weft host ls > tells the live from those that are away', async (t) => {
  await shows(
    t,
    ['host', 'ls'],
    `
NAME              ID      VTEP         MTU  VERSION  STATE
alpha             h-7f3a  192.0.2.11  1500  0.1.0    live, this host
beta.example.org  h-91c0  192.0.2.12  9000  0.1.0    away
`,
  );
});

for (const [args, answer] of [
  [['status'], status],
  [['network', 'ls'], networks.toReversed()],
  [['endpoint', 'ls'], endpoints],
  [['host', 'ls'], hosts],
] as const) {
  test(`weft ${args.join(' ')} > --json is the daemon's answer`, async (t) => {
    const socket = await daemon(t);
    const { code, out } = await weft([...args, '--json', '--control-socket', socket]);
    t.is(code, 0);
    t.deepEqual(JSON.parse(out), answer);
  });
}

test('weft > a name from elsewhere can not steer the terminal', async (t) => {
  const socket = await daemon(t, {
    hosts: () => [{ ...hosts[0]!, name: '\u001b[2Jevil\nnext' }],
  });
  const { out } = await weft(['host', 'ls', '--control-socket', socket]);
  t.true(out.includes('?[2Jevil?next'));
  t.is(out.split('\n').length, 3);
});

test('weft > colors only where they were asked for', async (t) => {
  const socket = await daemon(t);
  const plain = await weft(['status', '--control-socket', socket]);
  const colored = await weft(['status', '--control-socket', socket], { color: true });
  t.false(plain.out.includes('\u001b'));
  t.true(colored.out.includes('\u001b[32mgood\u001b[0m'));
});

test('weft > says that the daemon is down and how to start it, with exit code 3', async (t) => {
  const { code, out, err } = await weft(['network', 'ls', '--control-socket', '/nonexistent/c']);
  t.is(code, 3);
  t.is(out, '');
  t.is(
    err,
    `weft: no daemon answers: /nonexistent/c does not exist
Is the daemon of this host running? Start it with
  systemctl start weft
or in the foreground with
  weft up
`,
  );
});

test('weft > a daemon that can not answer is exit code 1, in its words', async (t) => {
  const socket = await daemon(t, { hosts: () => Promise.reject(new Error('not loaded yet')) });
  const { code, err } = await weft(['host', 'ls', '--control-socket', socket]);
  t.is(code, 1);
  t.is(err, 'weft: the daemon answered /v1/hosts: not loaded yet\n');
});

const happened = [
  {
    id: 7,
    at: '2026-05-04T08:00:01.000Z',
    level: 'info',
    code: 'NETWORK_MADE',
    text: 'network "web" came from beta',
  },
  {
    id: 9,
    at: '2026-05-04T08:01:00.000Z',
    level: 'warn',
    code: 'NETWORK_IN_USE',
    text: 'bell \u0007 of a stranger',
  },
] as const;

test('weft events > shows what happened, a line each', async (t) => {
  await shows(
    t,
    ['events'],
    `
2026-05-04 08:00:01 UTC  network "web" came from beta (NETWORK_MADE)
2026-05-04 08:01:00 UTC  bell ? of a stranger (NETWORK_IN_USE)
`,
    { events: () => happened },
  );
});

test('weft events > follows what comes after the last one shown, as JSON lines, until nobody reads', async (t) => {
  const asked: number[] = [];
  const events = (after: number): readonly Event[] => {
    asked.push(after);
    return happened.filter(({ id }) => id > after).slice(0, 1);
  };
  const socket = await daemon(t, { events });
  const args = ['events', '--follow', '--json', '--control-socket', socket];
  const { out, code } = await weft(args, { lines: 2 });
  t.deepEqual(
    out
      .split('\n')
      .slice(0, 2)
      .map((line) => JSON.parse(line) as unknown),
    [...happened],
  );
  t.deepEqual(asked, [0, 7]);
  t.is(code, 0);
});

for (const [args, complaint] of [
  [[], 'Usage: weft'],
  [['network'], 'Usage: weft network'],
  [['nonsense'], "error: unknown command 'nonsense'"],
  [['status', '--nonsense'], "error: unknown option '--nonsense'"],
  [['status', 'extra'], 'error: too many arguments'],
  [['up', '--store', 'etcd'], "argument 'etcd' is invalid. Allowed choices are embedded, consul."],
  [['up', '--mtu', '1e3'], "argument '1e3' is invalid. It must be a whole number."],
  [['up', '--config'], "option '--config <file>' argument missing"],
] as const) {
  test(`weft ${args.join(' ')} > is wrong usage`, async (t) => {
    const { code, out, err, up } = await weft(args);
    t.is(code, 2);
    t.is(out, '');
    t.true(err.includes(complaint), err);
    t.deepEqual(up, []);
  });
}

test('weft up > hands the flags to the daemon, and its exit code back', async (t) => {
  t.deepEqual((await weft(['up'])).up, [{}]);
  const args =
    'up --config /c.json --store consul --consul-address http://a:1 --underlay eth1 --mtu 1400 ' +
    '--port 4790 --state-dir /s --run-dir /r --plugin-socket /p --docker-socket /d ' +
    '--log-level debug --log-format json --print-config';
  const { code, up } = await weft(args.split(' '), { daemonCode: 1 });
  t.is(code, 1);
  t.deepEqual(up, [
    {
      config: '/c.json',
      store: 'consul',
      consulAddress: 'http://a:1',
      underlay: 'eth1',
      mtu: 1400,
      port: 4790,
      stateDir: '/s',
      runDir: '/r',
      pluginSocket: '/p',
      dockerSocket: '/d',
      logLevel: 'debug',
      logFormat: 'json',
      printConfig: true,
    },
  ]);
});

test('weft version > is one line, with --version too', async (t) => {
  t.deepEqual(await weft(['version']), { code: 0, out: 'weft 0.1.0\n', err: '', up: [] });
  t.deepEqual(await weft(['--version']), { code: 0, out: 'weft 0.1.0\n', err: '', up: [] });
});

for (const command of [
  [],
  ['up'],
  ['status'],
  ['network', 'ls'],
  ['endpoint', 'ls'],
  ['host', 'ls'],
  ['events'],
]) {
  test(`weft ${[...command, '--help'].join(' ')} > ends with an example`, async (t) => {
    const { code, out } = await weft([...command, '--help']);
    t.is(code, 0);
    t.regex(out, /\nExamples?:\n {2}weft /);
  });
}
