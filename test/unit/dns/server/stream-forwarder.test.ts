import { once } from 'node:events';
import net from 'node:net';
import test, { type ExecutionContext } from 'ava';
import dnsPacket from 'dns-packet';
import { Frames, framed } from '../../../../src/dns/server/frames.js';
import { type OpenStream, StreamForwarder } from '../../../../src/dns/server/stream-forwarder.js';
import { RCODE } from '../../../../src/dns/wire/index.js';
import { decode, queryOf } from '../query-of.js';

interface Upstream {
  readonly open: OpenStream;
  readonly state: { asked: number; most: number };
}

/** Answers with this code; 'closes' hangs up instead, 'refuses' lets nobody in. */
async function upstream(
  t: ExecutionContext,
  how: number | 'closes' | 'refuses',
): Promise<Upstream> {
  const state = { asked: 0, most: 0 };
  const server = net.createServer((socket) => {
    socket.on('error', () => undefined);
    const frames = new Frames();
    socket.on('data', (piece) => {
      frames.push(piece);
      const message = frames.next();
      if (message === undefined) return;
      state.asked += 1;
      if (typeof how !== 'number') {
        socket.destroy();
        return;
      }
      const { id = 0, questions = [] } = decode(message);
      const reply = dnsPacket.encode({ type: 'response', id, questions, flags: how });
      setTimeout(() => socket.write(framed(reply)), 20);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  if (how === 'refuses') server.close();
  t.teardown(() => void server.close());
  let count = 0;
  const open = (): net.Socket => {
    count += 1;
    state.most = Math.max(state.most, count);
    return net.connect({ port, host: '127.0.0.1' }).once('close', () => (count -= 1));
  };
  return { open, state };
}

const asks = async (forwarder: StreamForwarder): Promise<Uint8Array | undefined> =>
  new Promise((resolve) => forwarder.ask(queryOf('a.example', 'A', { id: 7 }), resolve));

const rcodeOf = (reply: Uint8Array | undefined): number | undefined => reply && reply[3]! & 15;

for (const how of ['closes', 'refuses', RCODE.SERVFAIL, RCODE.REFUSED] as const) {
  test(`stream forwarder > the next server is asked when one answers with ${how}`, async (t) => {
    const [bad, good] = [await upstream(t, how), await upstream(t, RCODE.NOERROR)];
    const forwarder = new StreamForwarder([bad.open, good.open], () => 0);
    t.is(rcodeOf(await asks(forwarder)), RCODE.NOERROR);
    t.is(good.state.asked, 1);
  });
}

test('stream forwarder > begins with the server that answered last by UDP', async (t) => {
  const both = [await upstream(t, RCODE.NOERROR), await upstream(t, RCODE.NOERROR)];
  const open = both.map((each) => each.open);
  await asks(new StreamForwarder(open, () => 1));
  t.deepEqual(
    both.map(({ state }) => state.asked),
    [0, 1],
  );
});

test('stream forwarder > when all refuse, the refusal is told, and nothing when none is there', async (t) => {
  const refusing = await upstream(t, RCODE.REFUSED);
  const gone = await upstream(t, 'refuses');
  t.is(
    rcodeOf(await asks(new StreamForwarder([refusing.open, gone.open], () => 0))),
    RCODE.REFUSED,
  );
  t.is(await asks(new StreamForwarder([gone.open], () => 0)), undefined);
});

test('stream forwarder > more questions than connections wait, and are answered', async (t) => {
  const server = await upstream(t, RCODE.NOERROR);
  const forwarder = new StreamForwarder([server.open], () => 0);
  const replies = await Promise.all(Array.from({ length: 200 }, async () => asks(forwarder)));
  t.true(replies.every((reply) => rcodeOf(reply) === RCODE.NOERROR));
  t.true(server.state.most <= 64, `${server.state.most}`);
});

test('stream forwarder > who waits when it is closed is told', async (t) => {
  const silent = net.createServer();
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  t.teardown(() => void silent.close());
  const { port } = silent.address() as net.AddressInfo;
  const open: OpenStream = () => net.connect({ port, host: '127.0.0.1' });
  const forwarder = new StreamForwarder([open], () => 0);
  const replies = Promise.all(Array.from({ length: 100 }, async () => asks(forwarder)));
  forwarder.close();
  t.true((await replies).every((reply) => reply === undefined));
});
