import { once } from 'node:events';
import net from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import type { OnReply } from '../../../../src/dns/server/forwarder.js';
import { Frames, framed } from '../../../../src/dns/server/frames.js';
import { type Answer, StreamServer } from '../../../../src/dns/server/streams.js';

const WAIT_MS = 60_000;

interface Asker {
  readonly socket: net.Socket;
  readonly replies: string[];
  readonly state: { hasEnded: boolean };
}

async function serverOf(t: ExecutionContext, answer: Answer, idleMs?: number) {
  const streams = new StreamServer(answer, idleMs);
  t.teardown(() => streams.closeAll());
  streams.server.listen(0, '127.0.0.1');
  await once(streams.server, 'listening');
  const { port } = streams.server.address() as net.AddressInfo;
  return async (): Promise<Asker> => {
    const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    t.teardown(() => socket.destroy());
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    const frames = new Frames();
    const asker: Asker = { socket, replies: [], state: { hasEnded: false } };
    socket.on('end', () => (asker.state.hasEnded = true));
    socket.on('data', (piece) => {
      frames.push(piece);
      for (let one = frames.next(); one !== undefined; one = frames.next()) {
        asker.replies.push(Buffer.from(one).toString());
      }
    });
    return asker;
  };
}

async function until(isSo: () => boolean): Promise<void> {
  const end = performance.now() + WAIT_MS;
  while (!isSo()) {
    if (performance.now() > end) throw new Error('waited for too long');
    await delay(5);
  }
}

const questions = (count: number): Buffer =>
  Buffer.concat(Array.from({ length: count }, (_, i) => framed(Buffer.from(`${i}`))));

/** 1000 octets, at once. */
const atOnce: Answer = (message, reply) => reply(Buffer.concat([message], 1000));

test('streams > who asks on and on and takes no answer is not read any more, closed in the end, and others are answered', async (t) => {
  let answered = 0;
  const connect = await serverOf(
    t,
    (message, reply) => {
      if (message.length > 1) answered += 1;
      atOnce(message, reply);
    },
    2000,
  );
  const greedy = await connect();
  greedy.socket.pause();
  const many = questions(20_000);
  const started = performance.now();
  const closed = new Promise((resolve) => greedy.socket.once('close', resolve));
  let sent = 0;
  const send = (): void => {
    while (!greedy.socket.destroyed && greedy.socket.writableLength < 1 << 20 && sent < 200) {
      greedy.socket.write(many);
      sent += 1;
    }
    if (!greedy.socket.destroyed) setTimeout(send, 50);
  };
  send();
  const other = await connect();
  other.socket.write(framed(Buffer.from('x')));
  await until(() => other.replies.length === 1);
  await Promise.race([closed, delay(WAIT_MS)]);
  t.true(greedy.socket.destroyed);
  t.true(performance.now() - started >= 1500);
  // What the kernel's buffers hold, which is some megabytes.
  t.true(answered < 20_000, `${answered}`);
});

test('streams > many questions in one piece keep no other asker waiting', async (t) => {
  const connect = await serverOf(t, atOnce);
  const [busy, other] = [await connect(), await connect()];
  busy.socket.write(questions(20_000));
  other.socket.write(framed(Buffer.from('x')));
  await until(() => other.replies.length === 1);
  t.true(busy.replies.length < 20_000);
  await until(() => busy.replies.length === 20_000);
});

test('streams > sixteen questions of one asker are open at once, the others wait for these', async (t) => {
  const open: OnReply[] = [];
  const connect = await serverOf(t, (_message, reply) => open.push(reply));
  const asker = await connect();
  asker.socket.write(questions(40));
  let most = 0;
  for (let done = 0; done < 40; done += 1) {
    await until(() => open.length >= Math.min(16, 40 - done));
    most = Math.max(most, open.length);
    open.shift()?.(Buffer.from('yes'));
  }
  await until(() => asker.replies.length === 40);
  t.is(most, 16);
});

test('streams > who has said that it asks no more gets what it asked for', async (t) => {
  const open: OnReply[] = [];
  const connect = await serverOf(t, (_message, reply) => open.push(reply));
  const asker = await connect();
  asker.socket.end(questions(20));
  for (let done = 0; done < 20; done += 1) {
    await until(() => open.length > 0);
    await delay(1);
    t.false(asker.state.hasEnded);
    open.shift()?.(Buffer.from('yes'));
  }
  await until(() => asker.state.hasEnded);
  t.is(asker.replies.length, 20);
});

test('streams > who waits for an answer is not idle, who asks nothing is', async (t) => {
  const open: OnReply[] = [];
  const connect = await serverOf(t, (_message, reply) => open.push(reply), 2000);
  const waiting = await connect();
  waiting.socket.write(questions(1));
  const silent = await connect();
  await until(() => silent.state.hasEnded || silent.socket.destroyed);
  await delay(3000);
  open.shift()?.(Buffer.from('yes'));
  await until(() => waiting.replies.length === 1);
  t.pass();
});
