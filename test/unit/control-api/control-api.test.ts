import { lstat, mkdtemp, rm } from 'node:fs/promises';
import { once } from 'node:events';
import { type RequestListener, createServer } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { ControlClient, type Endpoint, openControlServer } from '../../../src/control-api/index.js';
import { controlApp } from '../../../src/control-api/server.js';
import { hasCode } from '../../../src/util/index.js';
import { endpoints, hosts, networks, sourceOf, status } from '../../helpers/control-source.js';

async function socketPathFor(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), 'weft-control-'));
  t.teardown(async () => rm(directory, { recursive: true, force: true }));
  return path.join(directory, 'run', 'control.sock');
}

async function serve(t: ExecutionContext, over: Parameters<typeof sourceOf>[0] = {}) {
  const socketPath = await socketPathFor(t);
  const server = await openControlServer({ socketPath, source: sourceOf(over) });
  t.teardown(async () => server[Symbol.asyncDispose]());
  return { socketPath, server, client: new ControlClient({ socketPath }) };
}

test('control-api > a client reads what the source says, lists by id', async (t) => {
  const { client } = await serve(t);
  t.deepEqual(await client.status(), status);
  t.deepEqual(await client.networks(), networks.toReversed());
  t.deepEqual(await client.endpoints(), [...endpoints]);
  t.deepEqual(await client.hosts(), [...hosts]);
});

test('control-api > its socket and directory are only for root, and go away with it', async (t) => {
  const { socketPath, server } = await serve(t);
  t.is((await lstat(socketPath)).mode & 0o777, 0o600);
  t.is((await lstat(path.dirname(socketPath))).mode & 0o777, 0o700);
  await server[Symbol.asyncDispose]();
  await t.throwsAsync(lstat(socketPath), { code: 'ENOENT' });
});

function manyEndpoints(count: number): Endpoint[] {
  const [first] = endpoints;
  return Array.from({ length: count }, (_, i) => ({ ...first!, id: `e${i}` }));
}

test('control-api > a list longer than a page is read whole, once each, in order', async (t) => {
  const all = manyEndpoints(2500);
  const { client } = await serve(t, { endpoints: async () => all });
  const ids = (await client.endpoints()).map((e) => e.id);
  t.deepEqual(
    ids,
    all.map((e) => e.id).toSorted((a, b) => (a < b ? -1 : 1)),
  );
});

test('control-api > pages end exactly where they should', async (t) => {
  const app = await controlApp({ source: sourceOf({ endpoints: () => manyEndpoints(4) }) });
  const page = async (query: string) => {
    const { items, next } = (await app.inject(`/v1/endpoints${query}`)).json<{
      items: Endpoint[];
      next?: string;
    }>();
    return [items.map((e) => e.id).join(), next];
  };
  t.deepEqual(await page(''), ['e0,e1,e2,e3', undefined]);
  t.deepEqual(await page('?limit=4'), ['e0,e1,e2,e3', undefined]);
  t.deepEqual(await page('?limit=2'), ['e0,e1', 'e1']);
  t.deepEqual(await page('?limit=2&after=e1'), ['e2,e3', undefined]);
  t.deepEqual(await page('?limit=2&after=e1a'), ['e2,e3', undefined], 'of an item that went away');
  t.deepEqual(await page('?after=e3'), ['', undefined]);
});

for (const [url, statusCode, code, message] of [
  ['/v1/hosts?limit=0', 400, 'BAD_REQUEST', 'querystring/limit must be >= 1'],
  ['/v1/hosts?limit=1001', 400, 'BAD_REQUEST', 'querystring/limit must be <= 1000'],
  ['/v1/hosts?limit=all', 400, 'BAD_REQUEST', 'querystring/limit must be integer'],
  ['/v1/hosts?color=red', 400, 'BAD_REQUEST', 'querystring must NOT have additional properties'],
  ['/v2/status', 404, 'NOT_FOUND', 'there is no GET /v2/status'],
] as const) {
  test(`control-api > ${url} is ${code}`, async (t) => {
    const response = await (await controlApp({ source: sourceOf() })).inject(url);
    t.is(response.statusCode, statusCode);
    t.deepEqual(response.json(), { error: { code, message } });
  });
}

test('control-api > what the source throws reaches the daemon whole and the caller as words', async (t) => {
  const broken = new Error('not yet');
  const heard: unknown[] = [];
  const app = await controlApp({
    source: sourceOf({ status: () => Promise.reject(broken) }),
    onError: (...args) => heard.push(...args),
  });
  const response = await app.inject('/v1/status');
  t.is(response.statusCode, 500);
  t.deepEqual(response.json(), { error: { code: 'INTERNAL', message: 'not yet' } });
  t.deepEqual(heard, ['/v1/status', broken]);
});

test('control-api > the client says that no daemon is there', async (t) => {
  const socketPath = await socketPathFor(t);
  const error = await t.throwsAsync(new ControlClient({ socketPath }).status());
  t.true(hasCode(error, 'DAEMON_UNREACHABLE'));
  t.is(error.message, `no daemon answers: ${socketPath} does not exist`);
});

async function fakeDaemon(
  t: ExecutionContext,
  listener: RequestListener,
  timeoutMs = 20_000,
): Promise<ControlClient> {
  const directory = await mkdtemp(path.join(tmpdir(), 'weft-control-'));
  const server = createServer(listener);
  server.listen(path.join(directory, 's'));
  await once(server, 'listening');
  t.teardown(async () => {
    server.closeAllConnections();
    server.close();
    await rm(directory, { recursive: true, force: true });
  });
  return new ControlClient({ socketPath: path.join(directory, 's'), timeoutMs });
}

test('control-api > a daemon that hangs is DAEMON_UNREACHABLE', async (t) => {
  const client = await fakeDaemon(t, () => undefined, 200);
  t.true(hasCode(await t.throwsAsync(client.networks()), 'DAEMON_UNREACHABLE'));
});

for (const [what, listener, code] of [
  ['answers with an error', (_, r) => r.writeHead(500).end('oh'), 'DAEMON_REFUSED'],
  ['answers with no JSON', (_, r) => r.end('<html>'), 'DAEMON_UNREADABLE'],
  ['answers in another shape', (_, r) => r.end('{"items":[{}]}'), 'DAEMON_UNREADABLE'],
] as const satisfies readonly (readonly [string, RequestListener, string])[]) {
  test(`control-api > a daemon that ${what} is ${code}`, async (t) => {
    const client = await fakeDaemon(t, listener);
    t.true(hasCode(await t.throwsAsync(client.networks()), code));
  });
}

test('control-api > a newer daemon with more to tell is understood', async (t) => {
  const items = hosts.map((host) => ({ ...host, region: 'north' }));
  const client = await fakeDaemon(t, (_, r) => r.end(JSON.stringify({ items, took: 1 })));
  t.deepEqual(
    (await client.hosts()).map((host) => host.id),
    hosts.map((host) => host.id),
  );
});
