import { mkdtempSync, rmSync } from 'node:fs';
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { json } from 'node:stream/consumers';
import test, { type ExecutionContext } from 'ava';
import {
  DockerEngine,
  DockerError,
  type DockerEvent,
  followEvents,
} from '../../../src/docker/index.js';
import { settings } from '../../helpers/docker-settings.js';

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
  return new DockerEngine({ socketPath, timeoutMs: 10_000 });
}

test('docker > reads networks whose IPAM is null, empty, full, or for others only', async (t) => {
  const base = { Id: 'a', Name: 'n', Driver: 'bridge' };
  const body = JSON.stringify([
    { ...base, IPAM: { Config: [{ Subnet: '172.17.0.0/16', Gateway: 'x' }, {}] } },
    { ...base, IPAM: { Config: null } },
    { ...base, IPAM: null },
    base,
    { ...base, ConfigOnly: true, IPAM: { Config: [{ Subnet: '10.82.0.0/24' }] } },
  ]);
  const engine = await engineThatSays(t, 200, body);
  t.deepEqual(
    (await engine.networks()).map((network) => network.subnets),
    [['172.17.0.0/16'], [], [], [], []],
  );
});

test('docker > reads the endpoints of a network, and that it is not there', async (t) => {
  const body = {
    Id: 'a',
    Name: 'web',
    Labels: { a: 'b' },
    Options: null,
    EnableIPv6: true,
    IPAM: {
      Options: { 'weft.network': 'web' },
      Config: [
        { Subnet: '10.1.0.0/24', IPRange: '10.1.0.0/25', AuxiliaryAddresses: { x: '10.1.0.9' } },
        { Subnet: 'fd00::/64', Gateway: 'fd00::1/64' },
      ],
    },
    Containers: { c1: { Name: 'api', EndpointID: 'e1' }, 'ep-e2': { EndpointID: 'e2' } },
  };
  const engine = await engineThatSays(t, 200, JSON.stringify(body));
  t.deepEqual(await engine.network('a'), {
    id: 'a',
    name: 'web',
    settings: {
      ...settings('web'),
      labels: { a: 'b' },
      ipamOptions: { 'weft.network': 'web' },
      ipv6: true,
      pools: [
        { subnet: '10.1.0.0/24', range: '10.1.0.0/25', aux: { x: '10.1.0.9' } },
        { subnet: 'fd00::/64', gateway: 'fd00::1' },
      ],
    },
    endpoints: [
      { endpointId: 'e1', containerName: 'api' },
      { endpointId: 'e2', containerName: '' },
    ],
  });
  t.is(await (await engineThatSays(t, 404, '{}')).network('a'), undefined);
});

test('docker > makes a network as another Docker has it, and refuses in Docker’s words', async (t) => {
  let asked: unknown;
  const socketPath = await fakeEngine(t, (request, reply) => {
    void (async () => {
      asked = { url: request.url, ...((await json(request)) as object) };
      reply.writeHead(201).end('{"Id":"new"}');
    })();
  });
  const engine = new DockerEngine({ socketPath, timeoutMs: 20_000 });
  const pools = [{ subnet: '10.1.0.0/24', range: '10.1.0.0/25', aux: { x: '10.1.0.9' } }];
  t.is(await engine.createNetwork(settings('web', { pools, labels: { a: 'b' } })), 'new');
  t.deepEqual(asked, {
    url: '/networks/create',
    Name: 'web',
    CheckDuplicate: true,
    Driver: 'weft',
    Internal: false,
    Attachable: false,
    EnableIPv6: false,
    IPAM: {
      Driver: 'weft',
      Options: {},
      Config: [
        {
          Subnet: '10.1.0.0/24',
          IPRange: '10.1.0.0/25',
          AuxiliaryAddresses: { x: '10.1.0.9' },
        },
      ],
    },
    Options: {},
    Labels: { a: 'b' },
  });
  const taken = await engineThatSays(t, 409, '{"message":"network with name web already exists"}');
  await t.throwsAsync(taken.createNetwork(settings('web')), {
    message: 'the engine answered /networks/create with 409: network with name web already exists',
  });
  await t.notThrowsAsync((await engineThatSays(t, 404, '{}')).removeNetwork('a'));
  await t.throwsAsync((await engineThatSays(t, 403, '{"message":"active"}')).removeNetwork('a'), {
    code: 'DOCKER_REFUSED',
  });
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

test('docker > reads what a container is called, with and without what older engines leave out', async (t) => {
  const full = {
    Id: 'abc',
    Name: '/api',
    State: {
      Running: true,
      StartedAt: '2026-11-23T13:06:01.465123456Z',
      Health: { Status: 'starting', Log: [] },
    },
    Config: { Hostname: 'h', Labels: { a: 'b' }, ExposedPorts: { '80/tcp': {} } },
    NetworkSettings: {
      SandboxKey: '/netns/1',
      Networks: {
        web: { NetworkID: 'n1', EndpointID: 'e1', Aliases: ['x'], DNSNames: ['y'] },
        left: { NetworkID: 'n2', EndpointID: '', Aliases: null },
      },
    },
  };
  t.deepEqual(await (await engineThatSays(t, 200, JSON.stringify(full))).container('abc'), {
    id: 'abc',
    name: 'api',
    hostname: 'h',
    isRunning: true,
    startedAt: Date.UTC(2026, 10, 23, 13, 6, 1, 465),
    health: 'starting',
    labels: { a: 'b' },
    exposedPorts: ['80/tcp'],
    sandboxKey: '/netns/1',
    attachments: [{ networkId: 'n1', endpointId: 'e1', aliases: ['x', 'y'] }],
  });
  const bare = { ...full, State: { Running: false }, Config: {}, NetworkSettings: {} };
  t.like(await (await engineThatSays(t, 200, JSON.stringify(bare))).container('abc'), {
    health: undefined,
    exposedPorts: [],
    sandboxKey: undefined,
    attachments: [],
  });
  t.is(await (await engineThatSays(t, 404, '{}')).container('abc'), undefined);
});

test('docker > a running container in the list shows when its name, health or attachments change', async (t) => {
  const listed = async (name: string, status: string, endpoint: string) => {
    const Networks = { web: { NetworkID: 'n1', EndpointID: endpoint } };
    const one = { Id: 'abc', Names: [name], Status: status, NetworkSettings: { Networks } };
    const engine = await engineThatSays(t, 200, JSON.stringify([one]));
    return (await engine.containers())[0]!;
  };
  const before = await listed('/api', 'Up 1 second (healthy)', 'e1');
  t.deepEqual(before.networkIds, ['n1']);
  t.deepEqual(await listed('/api', 'Up 5 minutes (healthy)', 'e1'), before);
  for (const after of [
    await listed('/other', 'Up 1 second (healthy)', 'e1'),
    await listed('/api', 'Up 1 second (unhealthy)', 'e1'),
    await listed('/api', 'Up 1 second (healthy)', 'e2'),
  ]) {
    t.not(after.signature, before.signature);
  }
});

test('docker > an engine that never answers, or is not there, is unreachable within the bound', async (t) => {
  const silent = new DockerEngine({
    socketPath: await fakeEngine(t, () => undefined),
    timeoutMs: 20,
  });
  await t.throwsAsync(silent.version(), { code: 'DOCKER_UNREACHABLE' });
  const absent = new DockerEngine({ socketPath: '/nonexistent/docker.sock', timeoutMs: 20 });
  await t.throwsAsync(absent.version(), { code: 'DOCKER_UNREACHABLE' });
});

test('docker > a version that is not there is an error, not a crash', async (t) => {
  await t.throwsAsync((await engineThatSays(t, 404, '{}')).version(), { code: 'DOCKER_REFUSED' });
});

test('docker > asks for no API version, and quotes what it is given', async (t) => {
  const urls: (string | undefined)[] = [];
  const socketPath = await fakeEngine(t, ({ url }, response) => {
    urls.push(url);
    response.writeHead(404).end('{}');
  });
  const engine = new DockerEngine({ socketPath, timeoutMs: 10_000 });
  await engine.network('../containers/a?b');
  await engine.networks().catch(() => undefined);
  t.deepEqual(urls, ['/networks/..%2Fcontainers%2Fa%3Fb', '/networks']);
});

function eventLine(id: string): string {
  const event = {
    Type: 'network',
    Action: 'connect',
    Actor: { ID: id, Attributes: { a: 'b' } },
    timeNano: 1e18,
  };
  return `${JSON.stringify(event)}\n`;
}

/** Follows until `enough` events came; answers all that was heard, in order. */
async function follow(socketPath: string, enough: number): Promise<string[]> {
  const aborter = new AbortController();
  const heard: string[] = [];
  let events = 0;
  const stop = setTimeout(() => aborter.abort(), 10_000);
  await followEvents({
    socketPath,
    signal: aborter.signal,
    onConnected: () => heard.push('connected'),
    onLost: (error) => heard.push(error instanceof DockerError ? error.code : String(error)),
    onEvent: (event: DockerEvent) => {
      heard.push(event.id);
      events += 1;
      if (events === enough) aborter.abort();
    },
  });
  clearTimeout(stop);
  return heard;
}

test('docker > events come in pieces and several at once, and a lost stream is opened again', async (t) => {
  let connections = 0;
  const socketPath = await fakeEngine(t, (_, response) => {
    connections += 1;
    const text = eventLine(`a${connections}`) + eventLine(`b${connections}`);
    response.write(text.slice(0, 20));
    setImmediate(() => response.end(text.slice(20)));
  });
  t.deepEqual(await follow(socketPath, 3), [
    'connected',
    'a1',
    'b1',
    'DOCKER_UNREACHABLE',
    'connected',
    'a2',
  ]);
});

test('docker > the event stream starts before the request, so that nothing slips in between', async (t) => {
  const seen: URLSearchParams[] = [];
  const socketPath = await fakeEngine(t, ({ url }, response) => {
    seen.push(new URL(`http://engine${url}`).searchParams);
    response.write(eventLine('a'));
  });
  const before = Math.floor(Date.now() / 1000);
  await follow(socketPath, 1);
  const since = Number(seen[0]?.get('since'));
  t.true(Number.isInteger(since) && since < Date.now() / 1000 && since >= before - 2, `${since}`);
  const filters = JSON.parse(seen[0]?.get('filters') ?? '') as Record<string, string[]>;
  t.deepEqual(filters['type'], ['network', 'container']);
  t.true(filters['event']?.every((action) => !action.startsWith('exec')));
});

for (const [what, first, code] of [
  ['an error', [500, ''], 'DOCKER_REFUSED'],
  ['an event that is not JSON', [200, '{"nonsense"\n'], 'DOCKER_UNREADABLE'],
  ['an event of another shape', [200, '{"Type":1}\n'], 'DOCKER_UNREADABLE'],
  ['an event without an end', [200, 'x'.repeat(1_000_001)], 'DOCKER_UNREADABLE'],
] as const) {
  test(`docker > ${what} in place of events makes it connect again`, async (t) => {
    let connections = 0;
    const socketPath = await fakeEngine(t, (_, response) => {
      connections += 1;
      const [status, text] = connections === 1 ? first : [200, eventLine('a')];
      response.writeHead(status).write(text || ' ');
    });
    const connected = first[0] === 200 ? ['connected'] : [];
    t.deepEqual(await follow(socketPath, 1), [...connected, code, 'connected', 'a']);
  });
}

test('docker > an engine that is not there yet is waited for', async (t) => {
  const lost: unknown[] = [];
  const aborter = new AbortController();
  await followEvents({
    socketPath: '/nonexistent/docker.sock',
    signal: aborter.signal,
    onConnected: () => t.fail(),
    onEvent: () => t.fail(),
    onLost: (error) => {
      lost.push(error);
      if (lost.length === 2) aborter.abort();
    },
  });
  t.is(lost.length, 2);
});
