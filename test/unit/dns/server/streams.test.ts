import { once } from 'node:events';
import net from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import { Frames, framed } from '../../../../src/dns/server/frames.js';
import { type Answer, StreamServer } from '../../../../src/dns/server/streams.js';
import { until } from '../../../helpers/cluster.js';

const question = (n: number): Uint8Array => Uint8Array.of(n >> 8, n & 255);
const numberOf = (message: Uint8Array): number => (message[0]! << 8) | message[1]!;
const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

class Asker implements Disposable {
  readonly socket: net.Socket;
  readonly answered: number[] = [];
  /** The server has no more to say. */
  isOver = false;

  constructor(port: number, { reads = true } = {}) {
    this.socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    for (const event of ['end', 'close']) this.socket.on(event, () => (this.isOver = true));
    this.socket.on('error', () => undefined);
    const frames = new Frames();
    if (reads) {
      this.socket.on('data', (piece) => this.answered.push(...frames.push(piece).map(numberOf)));
    }
  }

  ask(...questions: readonly number[]): void {
    this.socket.write(Buffer.concat(questions.map((n) => framed(question(n)))));
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}

async function serving(
  t: ExecutionContext,
  answer: Answer,
  options?: { readonly idleMs: number },
): Promise<{ readonly port: number; readonly server: net.Server }> {
  const streams = new StreamServer(answer, options);
  streams.server.listen(0, '127.0.0.1');
  await once(streams.server, 'listening');
  t.teardown(() => streams.closeAll());
  const { port } = streams.server.address() as net.AddressInfo;
  return { port, server: streams.server };
}

test('dns streams > of many questions at once a few are answered at a time, and none is refused', async (t) => {
  let open = 0;
  let most = 0;
  const { port } = await serving(t, (message, reply) => {
    const copy = Uint8Array.from(message);
    open += 1;
    most = Math.max(most, open);
    setTimeout(() => {
      open -= 1;
      reply(copy);
    }, 1);
  });
  using asker = new Asker(port);
  asker.ask(...numbers(200));
  await until(t, 'all answers', () => asker.answered.length === 200);
  t.deepEqual(
    asker.answered.toSorted((a, b) => a - b),
    numbers(200),
  );
  t.is(most, 16);
});

test('dns streams > one who asks and never reads is answered no more than he may owe, and is closed', async (t) => {
  let answered = 0;
  const large = new Uint8Array(60_000);
  const { port, server } = await serving(
    t,
    (_, reply) => {
      answered += 1;
      reply(large);
    },
    { idleMs: 300 },
  );
  using asker = new Asker(port, { reads: false });
  for (let i = 0; i < 20; i += 1) asker.ask(...numbers(1000));
  const connections = promisify(server.getConnections.bind(server));
  await until(t, 'a connection', async () => (await connections()) === 1);
  await until(t, 'its end', async () => (await connections()) === 0);
  // What both kernels hold, some megabytes, and 64 KiB here.
  t.true(answered < 500, `${answered} of 20000`);
});

test('dns streams > one with many questions does not keep another one waiting', async (t) => {
  let answered = 0;
  const { port } = await serving(t, (message, reply) => {
    answered += 1;
    reply(Uint8Array.from(message));
  });
  using greedy = new Asker(port);
  using modest = new Asker(port);
  await Promise.all([once(greedy.socket, 'connect'), once(modest.socket, 'connect')]);
  await delay(20);
  greedy.ask(...numbers(20_000));
  modest.ask(7);
  let before = 0;
  await until(t, 'its answer', () => {
    if (modest.answered.length === 0) before = answered;
    return modest.answered.length === 1;
  });
  t.true(before < 20_000, `${before} answers came first`);
  await until(t, 'all of the other', () => greedy.answered.length === 20_000);
});

test('dns streams > who says that he has no more questions still gets the answers', async (t) => {
  const { port } = await serving(t, (message, reply) => {
    const copy = Uint8Array.from(message);
    setTimeout(() => reply(copy), 50);
  });
  using asker = new Asker(port);
  asker.ask(1, 2);
  asker.socket.end();
  await until(t, 'both answers', () => asker.answered.length === 2);
  await until(t, 'the end', () => asker.isOver);
});

test('dns streams > what is no question closes the connection', async (t) => {
  const { port } = await serving(t, (_, reply) => reply(undefined));
  using asker = new Asker(port);
  asker.ask(1);
  await until(t, 'the end', () => asker.isOver);
  t.deepEqual(asker.answered, []);
});
