import test from 'ava';
import fc from 'fast-check';
import type { CallReport, IpamDriver, NetworkDriver } from '../../../src/plugin-api/index.js';
import { type PluginApiOptions, pluginApp } from '../../../src/plugin-api/app.js';
import { StoreError } from '../../../src/store/index.js';
import { AppError } from '../../../src/util/index.js';
import { fakeDrivers } from './fakes.js';
import { vectors } from './vectors.js';

interface Over extends Partial<Omit<PluginApiOptions, 'network' | 'ipam'>> {
  readonly network?: Partial<NetworkDriver>;
  readonly ipam?: Partial<IpamDriver>;
}

function plugin(over: Over = {}) {
  const fakes = fakeDrivers();
  const reports: CallReport[] = [];
  const app = pluginApp({
    onCall: (report) => void reports.push(report),
    ...over,
    network: { ...fakes.network, ...over.network },
    ipam: { ...fakes.ipam, ...over.ipam },
  });
  const call = async (method: string, body: unknown = '') => {
    const payload = typeof body === 'string' ? body : JSON.stringify(body);
    const response = await app.inject({ method: 'POST', url: `/${method}`, payload });
    const json = response.json<{ Err?: string; Error?: string }>();
    return { status: response.statusCode, ...json };
  };
  return { app, call, reports, heard: fakes.heard };
}

const ids = { NetworkID: 'n1', EndpointID: 'e1' };

test('plugin-api > every method with arguments refuses an empty body and calls no driver', async (t) => {
  const { call, heard } = plugin();
  const withArguments = new Set(vectors.filter((v) => v.body && v.reply).map((v) => v.method));
  withArguments.delete('NetworkDriver.GetCapabilities');
  t.is(withArguments.size, 15);
  for (const method of [...withArguments, 'NetworkDriver.AllocateNetwork']) {
    for (const body of ['', '\n']) {
      const { status, Err } = await call(method, body);
      t.is(status, 400, method);
      t.regex(Err ?? '', /^EMPTY_BODY: dockerd repeated this call without its arguments/, method);
    }
  }
  t.deepEqual(heard, []);
});

const invalid: readonly (readonly [string, unknown, string])[] = [
  ['NetworkDriver.CreateNetwork', '{', 'request: is not JSON'],
  ['NetworkDriver.CreateNetwork', 'null', 'request: must be object'],
  ['NetworkDriver.CreateNetwork', [], 'request: must be object'],
  ['NetworkDriver.CreateNetwork', {}, 'NetworkID: is missing'],
  ['NetworkDriver.CreateNetwork', { NetworkID: null }, 'NetworkID: is missing'],
  ['NetworkDriver.CreateNetwork', { NetworkID: 7 }, 'NetworkID: must be string'],
  [
    'NetworkDriver.DeleteNetwork',
    { NetworkID: '../../etc' },
    'NetworkID: must match pattern "^[A-Za-z0-9_-]+$"',
  ],
  [
    'NetworkDriver.CreateNetwork',
    { NetworkID: 'n', IPv4Data: [{ AddressSpace: 'weft' }] },
    'IPv4Data[0].Pool: is missing',
  ],
  [
    'NetworkDriver.CreateNetwork',
    { NetworkID: 'n', IPv6Data: [{ Pool: 'fd00::/64' }, { Pool: 'fd00::/129' }] },
    'IPv6Data[1].Pool: "fd00::/129" is not an address/length',
  ],
  [
    'NetworkDriver.CreateNetwork',
    { NetworkID: 'n', IPv4Data: [{ Pool: '10.0.0.0/8', AuxAddresses: { a: '10.0.0.1' } }] },
    'IPv4Data[0].AuxAddresses["a"]: "10.0.0.1" is not an address/length',
  ],
  [
    'NetworkDriver.CreateNetwork',
    { NetworkID: 'n', IPv4Data: [{ Pool: '10.0.0.0/8', AuxAddresses: { a: 3 } }] },
    'IPv4Data[0].AuxAddresses.a: must be string',
  ],
  [
    'NetworkDriver.CreateNetwork',
    { NetworkID: 'n', Options: { 'com.docker.network.internal': 'yes' } },
    'Options["com.docker.network.internal"]: must be boolean',
  ],
  [
    'NetworkDriver.CreateNetwork',
    { NetworkID: 'n', Options: { 'com.docker.network.generic': { mtu: 1400 } } },
    'Options["com.docker.network.generic"]["mtu"]: must be string',
  ],
  [
    'NetworkDriver.CreateNetwork',
    { NetworkID: 'n', Options: { 'com.docker.network.generic': 'mtu' } },
    'Options["com.docker.network.generic"]: must be object',
  ],
  [
    'NetworkDriver.CreateEndpoint',
    { ...ids, Interface: { Address: '10.0.0.1' } },
    'Interface.Address: "10.0.0.1" is not an address/length',
  ],
  [
    'NetworkDriver.CreateEndpoint',
    { ...ids, Interface: { MacAddress: 'xx' } },
    'Interface.MacAddress: "xx" is not a MAC address',
  ],
  [
    'NetworkDriver.CreateEndpoint',
    { ...ids, Options: { 'com.docker.network.endpoint.macaddress': 5 } },
    'Options["com.docker.network.endpoint.macaddress"]: must be base64',
  ],
  ['NetworkDriver.Join', ids, 'SandboxKey: is missing'],
  ['NetworkDriver.Leave', { NetworkID: 'n' }, 'EndpointID: is missing'],
  ['IpamDriver.RequestPool', { Pool: 'ten' }, 'Pool: "ten" is not an address/length'],
  [
    'IpamDriver.RequestAddress',
    { PoolID: 'p', Address: '10.0.0.1/8' },
    'Address: "10.0.0.1/8" is not an IP address',
  ],
  ['IpamDriver.ReleaseAddress', { PoolID: 'p', Address: '' }, 'Address: "" is not an IP address'],
  ['IpamDriver.ReleasePool', { PoolID: '' }, 'PoolID: must not have fewer than 1 characters'],
];

for (const [method, body, message] of invalid) {
  test(`plugin-api > ${method} > refuses ${JSON.stringify(body)} and names the field`, async (t) => {
    const { call, heard, reports } = plugin();
    const text = `INVALID_REQUEST: ${message}`;
    t.deepEqual(await call(method, body), { status: 400, Err: text, Error: text });
    t.deepEqual(heard, []);
    t.is(reports[0]?.outcome, 'refused');
  });
}

test('plugin-api > swarm scope is refused in words', async (t) => {
  const { call } = plugin();
  for (const method of ['NetworkDriver.AllocateNetwork', 'NetworkDriver.FreeNetwork']) {
    const { status, Err } = await call(method, { NetworkID: 'n', Options: {}, IPv6Data: null });
    t.is(status, 400);
    t.regex(Err ?? '', /^NOT_SUPPORTED: weft networks of swarm scope are not supported; create /);
  }
});

test('plugin-api > an unknown method is 404, which Docker takes as "optional, not there"', async (t) => {
  const { call, app, reports } = plugin();
  const text = 'UNKNOWN_METHOD: weft has no method POST NetworkDriver.GwAllocCheck';
  t.deepEqual(await call('NetworkDriver.GwAllocCheck', {}), {
    status: 404,
    Err: text,
    Error: text,
  });
  t.is((await app.inject({ method: 'GET', url: '/Plugin.Activate' })).statusCode, 404);
  t.deepEqual(
    reports.map((r) => r.outcome),
    ['refused', 'refused'],
  );
});

class TestError extends AppError<{ readonly code: string }> {}

const thrown: readonly (readonly [unknown, number, RegExp])[] = [
  [
    new StoreError({ code: 'UNAVAILABLE', store: 's' }, 'consul is away'),
    503,
    /^UNAVAILABLE: consul is away$/,
  ],
  [new TestError({ code: 'NEVER_HEARD_OF' }, 'odd'), 500, /^NEVER_HEARD_OF: odd$/],
  [new TestError({ code: 'toString' }, 'odd'), 500, /^toString: odd$/],
  [
    new TypeError('x is not a function'),
    500,
    /^INTERNAL: x is not a function; weft's log has more under [0-9a-f]{6}-1$/,
  ],
  ['a string', 500, /^INTERNAL: a string; /],
  [new Error('two\nlines\tand more'), 500, /^INTERNAL: two lines and more; /],
  [new TestError({ code: 'LONG' }, 'x'.repeat(5000)), 500, /^LONG: x{994}…$/],
];

for (const [i, [error, status, text]] of thrown.entries()) {
  test(`plugin-api > ${String(error).slice(0, 40).replaceAll(/\s/g, ' ')} becomes ${status} and one line (${i})`, async (t) => {
    const { call, reports } = plugin({
      network: { deleteNetwork: async () => Promise.reject(error) },
    });
    const reply = await call('NetworkDriver.DeleteNetwork', { NetworkID: 'n' });
    t.is(reply.status, status);
    t.regex(reply.Err ?? '', text);
    t.is(reply.Error, reply.Err);
    t.is(reports[0]?.outcome, 'failed');
    t.is(reports[0]?.error, error, 'the log has the whole of it');
  });
}

test('plugin-api > a driver that ignores its signal is answered for when its time is up', async (t) => {
  const { promise: seen, resolve: see } = defer<AbortSignal>();
  const { promise: never, reject } = defer<void>();
  const { call, reports } = plugin({
    callTimeoutMs: 20,
    network: {
      leave: async (_network, _endpoint, { signal }) => {
        see(signal);
        return never;
      },
    },
  });
  const reply = await call('NetworkDriver.Leave', ids);
  t.is(reply.status, 503);
  t.regex(
    reply.Err ?? '',
    /^TIMED_OUT: NetworkDriver\.Leave did not finish in 0\.02 s: the store or the kernel does not answer/,
  );
  t.true((await seen).aborted);
  t.is(reports[0]?.outcome, 'timed_out');
  // An unhandled rejection would fail this test file.
  reject(new Error('much later'));
});

test('plugin-api > a driver that minds its signal says what it waited for', async (t) => {
  const { call } = plugin({
    callTimeoutMs: 20,
    ipam: {
      requestPool: async (_request, { signal }) =>
        new Promise((_resolve, reject) => {
          const error = new StoreError({ code: 'UNAVAILABLE', store: 'c' }, 'consul at c is away');
          signal.addEventListener('abort', () => reject(error));
        }),
    },
  });
  const text = 'TIMED_OUT: IpamDriver.RequestPool did not finish in 0.02 s: consul at c is away';
  t.deepEqual(await call('IpamDriver.RequestPool', {}), { status: 503, Err: text, Error: text });
});

test("plugin-api > a driver that passes the signal's reason on does not double the sentence", async (t) => {
  const { call } = plugin({
    callTimeoutMs: 20,
    network: {
      deleteNetwork: async (_id, { signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason as Error));
        }),
    },
  });
  const { Err = '' } = await call('NetworkDriver.DeleteNetwork', { NetworkID: 'n' });
  t.is(Err.match(/did not finish/g)?.length, 1);
});

test('plugin-api > calls run side by side', async (t) => {
  const { promise: both, resolve } = defer<void>();
  let waiting = 0;
  const { call } = plugin({
    network: {
      createNetwork: async () => {
        waiting += 1;
        if (waiting === 2) resolve();
        return both;
      },
    },
  });
  const body = { NetworkID: 'n' };
  const create = async () => call('NetworkDriver.CreateNetwork', body);
  const replies = await Promise.all([create(), create()]);
  t.deepEqual(replies, [{ status: 200 }, { status: 200 }]);
});

test('plugin-api > reports each call with what it was about', async (t) => {
  const { call, reports } = plugin();
  await call('Plugin.Activate');
  await call('NetworkDriver.Leave', ids);
  await call('IpamDriver.ReleasePool', { PoolID: 'p' });
  const [activate, leave, release] = reports.map(({ requestId, durationMs, ...rest }) => {
    t.regex(requestId, /^[0-9a-f]{6}-\d$/);
    t.true(durationMs >= 0 && durationMs < 5000);
    return rest;
  });
  t.deepEqual(activate, { method: 'Plugin.Activate', outcome: 'ok' });
  t.deepEqual(leave, {
    method: 'NetworkDriver.Leave',
    outcome: 'ok',
    networkId: 'n1',
    endpointId: 'e1',
  });
  t.deepEqual(release, { method: 'IpamDriver.ReleasePool', outcome: 'ok', poolId: 'p' });
  t.is(new Set(reports.map((r) => r.requestId)).size, 3);
});

test('plugin-api > no clock of the HTTP server closes a connection that dockerd keeps', (t) => {
  const { keepAliveTimeout, requestTimeout, headersTimeout, timeout } = plugin().app.server;
  t.deepEqual([keepAliveTimeout, requestTimeout, headersTimeout, timeout], [0, 0, 0, 0]);
});

test('plugin-api > whatever JSON comes, the reply is 200 without an error or 400 with one', async (t) => {
  const { call } = plugin();
  const methods = [...new Set(vectors.map((v) => v.method))];
  const keys = [
    'NetworkID',
    'EndpointID',
    'PoolID',
    'Options',
    'IPv4Data',
    'Interface',
    'Pool',
    'Address',
    'SandboxKey',
    '__proto__',
  ];
  const body = fc.oneof(
    fc.json(),
    fc.string(),
    fc.dictionary(fc.constantFrom(...keys), fc.jsonValue()).map((o) => JSON.stringify(o)),
  );
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...methods), body, async (method, text) => {
      const { status, Err, Error: error } = await call(method, text);
      t.true(
        status === 200 ? Err === undefined && error === undefined : status === 400 && Err === error,
        `${method} ${text}`,
      );
    }),
    { numRuns: 300 },
  );
});

function defer<T>() {
  let resolve!: (value: T) => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}
