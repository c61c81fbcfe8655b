/** Names go on while the daemon is away, when a process of its own answers them. */
import { createConnection } from 'node:net';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import {
  NameServer,
  type NamesProcessOptions,
  type SandboxState,
  openNamesProcess,
} from '../../src/dns/index.js';
import { parseAddress } from '../../src/net/index.js';
import { type TestSandbox, testSandbox } from '../helpers/dns-sandbox.js';
import { until } from '../helpers/native.js';
import { tempDir } from '../helpers/temp-dir.js';

const WAIT_MS = 60_000;
const WEB = '000000000001';

interface TestProcess {
  readonly socketPath: string;
  readonly states: string[];
  readonly ends: Error[];
  stop(): Promise<void>;
}

async function testProcess(
  t: ExecutionContext,
  options: Partial<NamesProcessOptions> = {},
): Promise<TestProcess> {
  const directory = await tempDir();
  t.teardown(async () => directory[Symbol.asyncDispose]());
  const socketPath = options.socketPath ?? join(directory.path, 'names.sock');
  const states: string[] = [];
  const ends: Error[] = [];
  const open = await openNamesProcess({
    socketPath,
    onState: (state) => states.push(state),
    onEnd: (error) => ends.push(error),
    ...options,
  });
  const stop = async (): Promise<void> => open[Symbol.asyncDispose]();
  t.teardown(stop);
  return { socketPath, states, ends, stop };
}

interface TestDaemon {
  readonly server: NameServer;
  readonly states: Map<string, SandboxState>;
  readonly crashes: unknown[];
}

async function testDaemon(t: ExecutionContext, socketPath: string): Promise<TestDaemon> {
  const states = new Map<string, SandboxState>();
  const crashes: unknown[] = [];
  const server = await NameServer.open({
    ttlSec: 5,
    localFirst: false,
    socketPath,
    onSandbox: (path, state) => states.set(path, state),
    onCrash: (error) => crashes.push(error),
    onReplaced: () => tell(server, 'h2', 'api', '10.0.0.1'),
  });
  t.teardown(async () => server[Symbol.asyncDispose]());
  return { server, states, crashes };
}

function tell(server: NameServer, host: string, name: string, address: string): void {
  const addresses = [parseAddress(address)];
  const endpoints = [{ id: name, names: [name], addresses, isHealthy: true }];
  server.setShare({
    network: { id: WEB, name: 'web' },
    host,
    isLocal: false,
    isAlive: true,
    endpoints,
  });
}

async function addressOf(sandbox: TestSandbox, name: string): Promise<string> {
  const { answers = [] } = await sandbox.ask(`${name}.weft`, 'A');
  return answers.map((answer) => (answer.type === 'A' ? answer.data : '')).join(' ');
}

test('dns > a container is answered on while the daemon is away, and by what the next one says', async (t) => {
  const { socketPath, states } = await testProcess(t);
  const sandbox = await testSandbox(t);
  const { server } = await testDaemon(t, socketPath);
  tell(server, 'h2', 'api', '10.0.0.1');
  tell(server, 'h3', 'old', '10.0.0.2');
  await server.serve({ path: sandbox.path, networks: [WEB] }, WAIT_MS);
  t.is(await addressOf(sandbox, 'api'), '10.0.0.1');
  await server[Symbol.asyncDispose]();
  await until('the process to be alone', () => states.at(-1) === 'alone');
  t.is(await addressOf(sandbox, 'api'), '10.0.0.1');

  const next = await testDaemon(t, socketPath);
  await next.server.serve({ path: sandbox.path, networks: [WEB] }, WAIT_MS);
  t.is(next.states.get(sandbox.path), 'serving');
  t.is(await addressOf(sandbox, 'old'), '10.0.0.2', 'nothing was said of it yet');
  tell(next.server, 'h2', 'api', '10.0.0.3');
  next.server.keepHosts(WEB, ['h1', 'h2']);
  next.server.keep([WEB]);
  const other = await testSandbox(t);
  await next.server.serve({ path: other.path, networks: [WEB] }, WAIT_MS);
  t.is(await addressOf(sandbox, 'api'), '10.0.0.3');
  t.is(await addressOf(sandbox, 'old'), '');
});

test('dns > containers and networks that the next daemon does not know are left', async (t) => {
  const { socketPath } = await testProcess(t);
  const sandbox = await testSandbox(t);
  const { server } = await testDaemon(t, socketPath);
  await server.serve({ path: sandbox.path, networks: [WEB] }, WAIT_MS);
  t.regex(sandbox.run('nft list ruleset'), /weft-dns/);
  await server[Symbol.asyncDispose]();
  const next = await testDaemon(t, socketPath);
  next.server.keep([]);
  await until('the table to go', () => sandbox.run('nft list ruleset') === '');
});

test('dns > a daemon that stays away is not stood in for without end', async (t) => {
  const { socketPath, states } = await testProcess(t, { aloneMs: 50 });
  const sandbox = await testSandbox(t);
  const { server } = await testDaemon(t, socketPath);
  await server.serve({ path: sandbox.path, networks: [WEB] }, WAIT_MS);
  await server[Symbol.asyncDispose]();
  await until('the container to be left', () => sandbox.run('nft list ruleset') === '');
  t.deepEqual(states, ['used', 'alone', 'released']);
});

test('dns > a process that ends is followed by a thread, and that by the next process', async (t) => {
  const first = await testProcess(t);
  const sandbox = await testSandbox(t);
  const { server, crashes } = await testDaemon(t, first.socketPath);
  tell(server, 'h2', 'api', '10.0.0.1');
  await server.serve({ path: sandbox.path, networks: [WEB] }, WAIT_MS);
  const table = (): string => sandbox.run('nft list ruleset');
  await first.stop();
  t.is(table(), '');
  await until('a thread to serve', () => table() !== '');
  t.is(crashes.length, 1);
  t.is(await addressOf(sandbox, 'api'), '10.0.0.1');
  const { states } = await testProcess(t, { socketPath: first.socketPath });
  await until('the process to take over', () => states.includes('used') && table() !== '');
  await server[Symbol.asyncDispose]();
  await until('the process to be alone', () => states.at(-1) === 'alone');
  await until('the process to answer', () => table() !== '');
  t.is(await addressOf(sandbox, 'api'), '10.0.0.1');
});

test('dns > a daemon that speaks another protocol has the process started anew', async (t) => {
  const { socketPath, ends, states } = await testProcess(t);
  const socket = createConnection(socketPath);
  t.teardown(() => socket.destroy());
  socket.write('{"protocol":999,"options":{}}\n');
  await until('the process to end', () => ends.length === 1);
  t.regex(ends[0]!.message, /protocol 999/);
  t.deepEqual(states, []);
});

test('dns > what is no line of a daemon ends its connection only', async (t) => {
  const { socketPath, ends } = await testProcess(t);
  const socket = createConnection(socketPath);
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  socket.on('error', () => undefined);
  socket.write('hello\n');
  await closed;
  t.deepEqual(ends, []);
  const sandbox = await testSandbox(t);
  const { server, states } = await testDaemon(t, socketPath);
  await server.serve({ path: sandbox.path, networks: [WEB] }, WAIT_MS);
  t.is(states.get(sandbox.path), 'serving');
});
