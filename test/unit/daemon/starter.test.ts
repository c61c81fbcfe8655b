import test from 'ava';
import { createLog } from '../../../src/daemon/log.js';
import { Starter, wasGivenUp } from '../../../src/daemon/starter.js';
import type { StoppedContainer } from '../../../src/docker/index.js';

const given: StoppedContainer = {
  id: 'c1',
  name: 'api',
  error: 'failed to set up container networking: plugin "weft" not found',
  hasRun: true,
  restartPolicy: 'always',
};

const sock = 'dial unix /run/docker/plugins/weft.sock: connect: connection refused';
const cases: readonly (readonly [string, Partial<StoppedContainer>, boolean])[] = [
  ['was not found', {}, true],
  ['did not listen', { error: `Post "http://x/NetworkDriver.Join": ${sock}` }, true],
  ['went away in a call', { error: 'IpamDriver.RequestAddress: EOF' }, true],
  ['had no store', { error: 'IpamDriver.RequestAddress: STORE_UNAVAILABLE: could not' }, true],
  ['was away, under unless-stopped', { restartPolicy: 'unless-stopped' }, true],
  ['was away, with no restart policy', { restartPolicy: 'no' }, false],
  ['was away at its first start', { hasRun: false }, false],
  ['was there, and somebody stopped it', { error: '' }, false],
  [
    'had not heard of its end before',
    {
      error:
        'IpamDriver.RequestAddress: ADDRESS_TAKEN: 10.1.0.9 is taken: endpoint 1837f955ed61 on this host (h1) has it',
    },
    true,
  ],
  [
    'was refused until the lease of its last life ended',
    { error: 'IpamDriver.RequestAddress: HOST_ID_TAKEN: this host is still announced' },
    true,
  ],
  ['refused the address', { error: 'IpamDriver.RequestAddress: ADDRESS_TAKEN: 10.1.0.9' }, false],
  ['was there, the program not', { error: 'exec: "nope": not found in $PATH' }, false],
  ['is not the plugin that is missing', { error: 'plugin "other" not found' }, false],
];

for (const [what, differs, expected] of cases) {
  test(`starter > a container whose weft ${what} ${expected ? 'is' : 'is not'} started`, (t) => {
    t.is(wasGivenUp({ ...given, ...differs }), expected);
  });
}

function setUp(fails: () => boolean) {
  const started: string[] = [];
  const said: string[] = [];
  const time = { now: 0 };
  let stopped = [given, { ...given, id: 'c2', error: '' }];
  const starter = new Starter({
    containers: {
      stoppedOn: async () => stopped,
      start: async (id) => {
        started.push(id);
        if (fails()) throw new Error('no');
        stopped = stopped.filter((container) => container.id !== id);
      },
    },
    networks: () => new Set(['web']),
    events: { add: ({ code }) => void said.push(code) },
    log: createLog({ level: 'error', format: 'json' }),
    uptime: () => time.now,
  });
  return { starter, started, said, time };
}

test('starter > what Docker gave up on is started once, and said', async (t) => {
  const { starter, started, said } = setUp(() => false);
  await starter.round();
  await starter.round();
  t.deepEqual(started, ['c1']);
  t.deepEqual(said, ['CONTAINER_STARTED']);
});

test('starter > what does not start is tried ever more seldom, and in the end left alone', async (t) => {
  const { starter, started, said, time } = setUp(() => true);
  await starter.round();
  await starter.round();
  t.is(started.length, 1, 'not at once again');
  for (let i = 0; i < 20; i += 1) {
    time.now += 1_000_000;
    await starter.round();
  }
  t.is(started.length, 6);
  t.deepEqual(said, ['CONTAINER_LEFT']);
  starter.look();
  await starter.round();
  t.is(started.length, 7, 'until something that was missing is back');
});
