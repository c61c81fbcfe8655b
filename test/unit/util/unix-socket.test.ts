import { link, lstat, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { type Server, connect, createServer } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { VERSION, claimUnixSocket, hasCode } from '../../../src/util/index.js';

async function directoryFor(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), 'weft-sock-'));
  t.teardown(async () => rm(directory, { recursive: true, force: true }));
  return directory;
}

function serverFor(t: ExecutionContext): Server {
  const server = createServer((socket) => {
    // Who only looks whether somebody listens is gone before the greeting.
    socket.on('error', () => undefined);
    socket.end('hello');
  });
  t.teardown(() => server.close());
  return server;
}

async function listenOn(server: Server, at: string): Promise<void> {
  server.listen(at);
  await once(server, 'listening');
}

async function claim(server: Server, target: string): Promise<AsyncDisposable> {
  return claimUnixSocket({
    path: target,
    mode: 0o600,
    directoryMode: 0o700,
    listen: async (at) => listenOn(server, at),
  });
}

async function ask(target: string): Promise<string> {
  const socket = connect(target);
  let text = '';
  for await (const chunk of socket) text += String(chunk);
  return text;
}

test('unix socket > makes its directory, answers at its path with the mode asked for', async (t) => {
  const directory = path.join(await directoryFor(t), 'run', 'weft');
  const target = path.join(directory, 'x.sock');
  await claim(serverFor(t), target);
  t.is((await lstat(target)).mode & 0o777, 0o600);
  t.is((await lstat(directory)).mode & 0o777, 0o700);
  t.is(await ask(target), 'hello');
  t.deepEqual(await readdir(directory), ['x.sock'], 'nothing else is left');
});

test('unix socket > has its final mode at the moment it appears', async (t) => {
  const target = path.join(await directoryFor(t), 'x.sock');
  const modes: number[] = [];
  await claimUnixSocket({
    path: target,
    mode: 0o600,
    directoryMode: 0o700,
    listen: async (at) => {
      t.is(path.dirname(path.dirname(at)), path.dirname(target));
      modes.push((await lstat(path.dirname(at))).mode & 0o777);
      await t.throwsAsync(lstat(target), { code: 'ENOENT' });
      await listenOn(serverFor(t), at);
    },
  });
  t.deepEqual(modes, [0o700], 'what it is bound in is private');
});

/** A socket file with nobody behind it, as a killed process leaves it. */
async function leaveStale(target: string): Promise<void> {
  const server = createServer();
  await listenOn(server, `${target}.0`);
  await link(`${target}.0`, target);
  server.close();
  await once(server, 'close');
}

test('unix socket > replaces the socket of a dead process', async (t) => {
  const directory = await directoryFor(t);
  const target = path.join(directory, 'x.sock');
  await leaveStale(target);
  await t.throwsAsync(ask(target), { code: 'ECONNREFUSED' });
  await claim(serverFor(t), target);
  t.is(await ask(target), 'hello');
  t.deepEqual(await readdir(directory), ['x.sock']);
});

test('unix socket > refuses the path of a live process and leaves that alone', async (t) => {
  const directory = await directoryFor(t);
  const target = path.join(directory, 'x.sock');
  await claim(serverFor(t), target);
  const error = await t.throwsAsync(claim(serverFor(t), target));
  t.true(hasCode(error, 'SOCKET_IN_USE'));
  t.is(error.message, `another process listens on ${target}; stop it first`);
  t.is(await ask(target), 'hello');
  t.deepEqual(await readdir(directory), ['x.sock']);
});

test('unix socket > of two that claim the path of a dead one at once exactly one gets it', async (t) => {
  for (let round = 0; round < 20; round += 1) {
    const directory = await directoryFor(t);
    const target = path.join(directory, 'x.sock');
    await leaveStale(target);
    const results = await Promise.allSettled([
      claim(serverFor(t), target),
      claim(serverFor(t), target),
    ]);
    const lost = results.filter((r) => r.status === 'rejected');
    t.is(lost.length, 1, `round ${round}`);
    t.true(hasCode(lost[0]?.reason, 'SOCKET_IN_USE'), `round ${round}: ${lost[0]?.reason}`);
    t.is(await ask(target), 'hello', `round ${round}`);
    t.deepEqual(await readdir(directory), ['x.sock'], `round ${round}`);
  }
});

test('unix socket > refuses to remove what is not a socket', async (t) => {
  const target = path.join(await directoryFor(t), 'x.sock');
  await writeFile(target, 'precious');
  const error = await t.throwsAsync(claim(serverFor(t), target));
  t.true(hasCode(error, 'INVALID_SOCKET_PATH'));
  t.is(await readFile(target, 'utf8'), 'precious');
});

test('unix socket > refuses a path that the kernel would cut', async (t) => {
  const error = await t.throwsAsync(claim(serverFor(t), `/tmp/${'x'.repeat(110)}`));
  t.regex(error.message, /is longer than 107 octets$/);
});

test('unix socket > removes its path when disposed, but not that of a successor', async (t) => {
  const target = path.join(await directoryFor(t), 'x.sock');
  const server = serverFor(t);
  const first = await claim(server, target);
  await first[Symbol.asyncDispose]();
  await t.throwsAsync(lstat(target), { code: 'ENOENT' });
  const second = await claim(serverFor(t), target);
  await first[Symbol.asyncDispose]();
  t.is(await ask(target), 'hello');
  await second[Symbol.asyncDispose]();
  await t.throwsAsync(lstat(target), { code: 'ENOENT' });
});

test('version > is that of package.json', async (t) => {
  const file = path.resolve(import.meta.dirname, '../../../../package.json');
  const { version } = JSON.parse(await readFile(file, 'utf8')) as { version: string };
  t.is(VERSION, version);
});
