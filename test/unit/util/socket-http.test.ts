import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { type RequestListener, createServer } from 'node:http';
import { type Socket, createServer as createRawServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { SocketError, getOverSocket, openOverSocket } from '../../../src/util/index.js';

async function socketPathFor(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), 'weft-http-'));
  t.teardown(async () => rm(directory, { recursive: true, force: true }));
  return path.join(directory, 's');
}

async function serve(t: ExecutionContext, listener: RequestListener): Promise<string> {
  const socketPath = await socketPathFor(t);
  const server = createServer(listener);
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  server.listen(socketPath);
  await once(server, 'listening');
  return socketPath;
}

/** A server that says exactly `text` and then does what `after` says. */
async function serveRaw(
  t: ExecutionContext,
  text: string,
  after: (socket: Socket) => void,
): Promise<string> {
  const socketPath = await socketPathFor(t);
  const server = createRawServer((socket) => {
    t.teardown(() => socket.destroy());
    socket.on('error', () => undefined);
    socket.once('data', () => socket.write(text, () => after(socket)));
  });
  t.teardown(() => server.close());
  server.listen(socketPath);
  await once(server, 'listening');
  return socketPath;
}

const bounds = { path: '/x', timeoutMs: 5000, maxBytes: 1000 };

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return 'none';
  } catch (error) {
    return error instanceof SocketError ? error.code : String(error);
  }
}

test('socket http > answers status and body, whatever the status', async (t) => {
  const socketPath = await serve(t, (request, response) => {
    response.statusCode = 404;
    response.end(`no ${request.url}`);
  });
  t.deepEqual(await getOverSocket({ ...bounds, socketPath, path: '/a?b=c' }), {
    status: 404,
    body: 'no /a?b=c',
  });
});

test('socket http > says in words when nobody is there', async (t) => {
  const socketPath = await socketPathFor(t);
  const error = await t.throwsAsync(getOverSocket({ ...bounds, socketPath }));
  t.is(error.message, `${socketPath} does not exist`);
  t.is(await codeOf(getOverSocket({ ...bounds, socketPath })), 'SOCKET_UNREACHABLE');
});

test('socket http > ends by its own clock on a server that accepts and says nothing', async (t) => {
  const socketPath = await serve(t, () => undefined);
  t.is(await codeOf(getOverSocket({ ...bounds, socketPath, timeoutMs: 30 })), 'REPLY_TIMED_OUT');
});

test('socket http > ends by its own clock in the middle of a body', async (t) => {
  const socketPath = await serve(t, (_request, response) => void response.write('half'));
  t.is(await codeOf(getOverSocket({ ...bounds, socketPath, timeoutMs: 30 })), 'REPLY_TIMED_OUT');
});

test('socket http > stops reading a reply that is too large', async (t) => {
  const socketPath = await serve(t, (_request, response) => void response.end('x'.repeat(1001)));
  t.is(await codeOf(getOverSocket({ ...bounds, socketPath })), 'REPLY_TOO_LARGE');
});

const head = 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n';
for (const [name, text] of [
  ['cut in its body', `${head}half`],
  ['cut in its head', 'HTTP/1.1 200'],
  ['no HTTP', 'SSH-2.0-OpenSSH\r\n\r\n'],
] as const) {
  test(`socket http > tells a reply that is ${name} from a whole one`, async (t) => {
    const socketPath = await serveRaw(t, text, (socket) => socket.destroy());
    t.is(await codeOf(getOverSocket({ ...bounds, socketPath })), 'REPLY_BROKEN');
  });
}

test("socket http > throws the caller's own reason when the caller ends the call", async (t) => {
  const controller = new AbortController();
  const socketPath = await serve(t, () => controller.abort(new Error('enough')));
  const call = getOverSocket({ ...bounds, socketPath, signal: controller.signal });
  await t.throwsAsync(call, { message: 'enough' });
  const late = getOverSocket({ ...bounds, socketPath, signal: controller.signal });
  await t.throwsAsync(late, { message: 'enough' });
});

test('socket http > an open stream is not bound by the clock, and ends with the signal', async (t) => {
  const controller = new AbortController();
  const socketPath = await serve(t, (_request, response) => {
    response.write('one');
    setTimeout(() => response.write('two'), 1100);
  });
  const stream = await openOverSocket({
    socketPath,
    path: '/',
    timeoutMs: 1000,
    signal: controller.signal,
  });
  let text = '';
  const error = await t.throwsAsync(async () => {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      text += String(chunk);
      if (text === 'onetwo') controller.abort(new Error('enough'));
    }
  });
  t.is(error.message, 'enough');
  t.is(text, 'onetwo');
});
