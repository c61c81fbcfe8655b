import { once } from 'node:events';
import { lstat, mkdtemp, rm } from 'node:fs/promises';
import { type Socket, connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import {
  type NetworkDriver,
  type PluginServerOptions,
  openPluginServer,
} from '../../../src/plugin-api/index.js';
import { hasCode } from '../../../src/util/index.js';
import { fakeDrivers } from './fakes.js';
import { vectors } from './vectors.js';

async function serve(
  t: ExecutionContext,
  over: Partial<NetworkDriver> = {},
  options: Partial<PluginServerOptions> = {},
) {
  const directory = await mkdtemp(path.join(tmpdir(), 'weft-plugin-'));
  t.teardown(async () => rm(directory, { recursive: true, force: true }));
  const socketPath = path.join(directory, 'plugins', 'weft.sock');
  const drivers = fakeDrivers();
  const network = { ...drivers.network, ...over };
  const open = async () => openPluginServer({ ...drivers, network, socketPath, ...options });
  const server = await open();
  let closing: Promise<void> | undefined;
  const close = async () => (closing ??= Promise.resolve(server[Symbol.asyncDispose]()));
  t.teardown(close);
  return { socketPath, heard: drivers.heard, open, close };
}

/** A keep-alive connection that speaks as Go's client of dockerd does. */
class GoClient {
  readonly #socket: Socket;
  readonly #host: string;
  #text = '';
  /** Wakes whoever waits for a reply. */
  #news: () => void = () => undefined;
  ended = false;

  constructor(socketPath: string, host: string) {
    this.#host = host;
    this.#socket = connect(socketPath);
    this.#socket.setEncoding('utf8');
    this.#socket.on('data', (text: string) => {
      this.#text += text;
      this.#news();
    });
    this.#socket.on('close', () => {
      this.ended = true;
      this.#news();
    });
    this.#socket.on('error', () => undefined);
  }

  send(method: string, body: string): void {
    this.#socket.write(
      `POST /${method} HTTP/1.1\r\nHost: ${this.#host}\r\nUser-Agent: Go-http-client/1.1\r\n` +
        `Content-Length: ${Buffer.byteLength(body)}\r\n` +
        `Accept: application/vnd.docker.plugins.v1.2+json\r\nAccept-Encoding: gzip\r\n\r\n${body}`,
    );
  }

  async reply(): Promise<{ status: number; head: string; json: unknown }> {
    for (;;) {
      const end = this.#text.indexOf('\r\n\r\n');
      const length = Number(/content-length: (\d+)/i.exec(this.#text)?.[1]);
      if (end >= 0 && this.#text.length >= end + 4 + length) {
        const head = this.#text.slice(0, end);
        const json: unknown = JSON.parse(this.#text.slice(end + 4, end + 4 + length));
        this.#text = this.#text.slice(end + 4 + length);
        return { status: Number(head.split(' ')[1]), head, json };
      }
      if (this.ended) throw new Error(`connection ended after "${this.#text}"`);
      await new Promise<void>((resolve) => (this.#news = resolve));
    }
  }

  async call(method: string, body = '') {
    this.send(method, body);
    return this.reply();
  }

  async closed(): Promise<void> {
    if (!this.ended) await once(this.#socket, 'close');
  }

  destroy(): void {
    this.#socket.destroy();
  }
}

for (const [engine, host] of [
  ['20.10', ''],
  ['28', 'plugin.moby.localhost'],
] as const) {
  test(`plugin server > answers every vector to ${engine}'s client on one connection`, async (t) => {
    const { socketPath } = await serve(t);
    const client = new GoClient(socketPath, host);
    t.teardown(() => client.destroy());
    for (const { name, method, body, reply } of vectors) {
      const text = typeof body === 'object' ? `${JSON.stringify(body)}\n` : (body ?? '');
      const { status, json, head } = await client.call(method, text);
      t.is(status, 200, name);
      t.deepEqual(json, reply, name);
      t.notRegex(head, /^(connection: close|keep-alive: timeout)/im, name);
    }
  });
}

test('plugin server > its socket is only for root', async (t) => {
  const { socketPath } = await serve(t);
  t.is((await lstat(socketPath)).mode & 0o777, 0o600);
});

test('plugin server > refuses to start where another one answers', async (t) => {
  const { socketPath, open } = await serve(t);
  const error = await t.throwsAsync(open);
  t.true(hasCode(error, 'SOCKET_IN_USE'));
  const client = new GoClient(socketPath, '');
  t.teardown(() => client.destroy());
  t.is((await client.call('Plugin.Activate')).status, 200);
});

test('plugin server > a retry with an empty body reaches no driver', async (t) => {
  const { socketPath, heard } = await serve(t);
  const client = new GoClient(socketPath, '');
  t.teardown(() => client.destroy());
  const { status, json } = await client.call('NetworkDriver.CreateEndpoint');
  t.is(status, 400);
  t.regex((json as { Err: string }).Err, /^EMPTY_BODY: /);
  t.deepEqual(heard, []);
});

test('plugin server > stopping answers the call that runs, and ends idle connections', async (t) => {
  let entered!: () => void;
  let finish!: () => void;
  const inside = new Promise<void>((resolve) => (entered = resolve));
  const work = new Promise<void>((resolve) => (finish = resolve));
  const { socketPath, close } = await serve(t, {
    deleteNetwork: async () => {
      entered();
      return work;
    },
  });
  const [busy, idle, silent] = [0, 1, 2].map(() => new GoClient(socketPath, ''));
  t.teardown(() => [busy, idle, silent].forEach((client) => client?.destroy()));
  await idle!.call('Plugin.Activate');
  busy!.send('NetworkDriver.DeleteNetwork', '{"NetworkID":"n"}');
  await inside;
  const closing = close();
  finish();
  const { status, head } = await busy!.reply();
  t.is(status, 200);
  t.regex(head, /^connection: close/im);
  await closing;
  await Promise.all([busy, idle, silent].map(async (client) => client?.closed()));
  await t.throwsAsync(lstat(socketPath), { code: 'ENOENT' });
});

test('plugin server > stopping waits no longer for a driver that hangs than its call may take', async (t) => {
  let entered!: () => void;
  const inside = new Promise<void>((resolve) => (entered = resolve));
  const { socketPath, close } = await serve(
    t,
    {
      deleteNetwork: async () => {
        entered();
        return new Promise(() => undefined);
      },
    },
    { callTimeoutMs: 50 },
  );
  const client = new GoClient(socketPath, '');
  t.teardown(() => client.destroy());
  client.send('NetworkDriver.DeleteNetwork', '{"NetworkID":"n"}');
  await inside;
  await close();
  const { status, json } = await client.reply();
  t.is(status, 503);
  t.regex((json as { Err: string }).Err, /^TIMED_OUT: /);
});

test('plugin server > a new one takes over the path and answers', async (t) => {
  const { socketPath, open, close } = await serve(t);
  await close();
  const next = await open();
  t.teardown(async () => next[Symbol.asyncDispose]());
  const client = new GoClient(socketPath, '');
  t.teardown(() => client.destroy());
  t.is((await client.call('NetworkDriver.GetCapabilities')).status, 200);
});
