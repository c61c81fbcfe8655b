import { mkdtempSync, rmSync } from 'node:fs';
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { DockerEngine, type DockerEvent, followEvents } from '../../../src/docker/index.js';

async function fakeEngine(
  t: ExecutionContext,
  handler: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<string> {
  const directory = mkdtempSync(path.join(tmpdir(), 'weft-docker-'));
  const socketPath = path.join(directory, 's');
  const server = createServer(handler);
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
    rmSync(directory, { recursive: true });
  });
  return socketPath;
}

async function engineThatSays(
  t: ExecutionContext,
  status: number,
  body: string,
): Promise<DockerEngine> {
  const socketPath = await fakeEngine(t, (_, response) => response.writeHead(status).end(body));
  return new DockerEngine({ socketPath, timeoutMs: 500 });
}

test('docker > reads networks whose IPAM is null, empty or full', async (t) => {
  const base = { Id: 'a', Name: 'n', Driver: 'bridge' };
  const body = JSON.stringify([
    { ...base, IPAM: { Config: [{ Subnet: '172.17.0.0/16', Gateway: 'x' }, {}] } },
    { ...base, IPAM: { Config: null } },
    { ...base, IPAM: null },
    base,
  ]);
  const engine = await engineThatSays(t, 200, body);
  t.deepEqual(
    (await engine.networks()).map((network) => network.subnets),
    [['172.17.0.0/16'], [], [], []],
  );
});

test('docker > reads the endpoints of a network, and that it is not there', async (t) => {
  const body = {
    Id: 'a',
    Name: 'web',
    Containers: { c1: { Name: 'api', EndpointID: 'e1' }, 'ep-e2': { EndpointID: 'e2' } },
  };
  const engine = await engineThatSays(t, 200, JSON.stringify(body));
  t.deepEqual(await engine.network('a'), {
    id: 'a',
    name: 'web',
    endpoints: [
      { endpointId: 'e1', containerName: 'api' },
      { endpointId: 'e2', containerName: '' },
    ],
  });
  t.is(await (await engineThatSays(t, 404, '{}')).network('a'), undefined);
});

for (const [what, status, body, code] of [
  ['an error', 500, 'no', 'DOCKER_REFUSED'],
  ['something that is not JSON', 200, '<html>', 'DOCKER_UNREADABLE'],
  ['JSON of another shape', 200, '{"a":1}', 'DOCKER_UNREADABLE'],
] as const) {
  test(`docker > ${what} is ${code}`, async (t) => {
    await t.throwsAsync((await engineThatSays(t, status, body)).networks(), { code });
  });
}

test('docker > an engine that never answers, or is not there, is unreachable within the bound', async (t) => {
  const silent = new DockerEngine({
    socketPath: await fakeEngine(t, () => undefined),
    timeoutMs: 20,
  });
  await t.throwsAsync(silent.version(), { code: 'DOCKER_UNREACHABLE' });
  const absent = new DockerEngine({ socketPath: '/nonexistent/docker.sock', timeoutMs: 20 });
  await t.throwsAsync(absent.version(), { code: 'DOCKER_UNREACHABLE' });
});

test('docker > events come through broken lines and a lost stream, and each connection asks for a comparison', async (t) => {
  let connections = 0;
  const socketPath = await fakeEngine(t, (_, response) => {
    connections += 1;
    const event = {
      Type: 'network',
      Action: 'connect',
      Actor: { ID: `n${connections}`, Attributes: {} },
    };
    const text = `{"nonsense"\n${JSON.stringify(event)}\n`;
    response.write(text.slice(0, 20));
    setImmediate(() => response.end(text.slice(20)));
  });
  const aborter = new AbortController();
  const events: DockerEvent[] = [];
  let connected = 0;
  await followEvents({
    socketPath,
    signal: aborter.signal,
    onConnected: () => (connected += 1),
    onLost: () => undefined,
    onEvent: (event) => {
      events.push(event);
      if (events.length === 2) aborter.abort();
    },
  });
  t.deepEqual(
    events.map((event) => event.id),
    ['n1', 'n2'],
  );
  t.is(connected, 2);
});
