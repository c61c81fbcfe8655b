import type dgram from 'node:dgram';
import { EventEmitter } from 'node:events';
import test from 'ava';
import dnsPacket from 'dns-packet';
import { Forwarder, type OpenSocket } from '../../../../src/dns/server/forwarder.js';
import { RCODE } from '../../../../src/dns/wire/index.js';
import { decode, queryOf, rcodeOf } from '../query-of.js';

/** A socket that keeps what is sent on it. */
class FakeSocket extends EventEmitter {
  readonly sent: Uint8Array[] = [];
  isClosed = false;

  send(message: Uint8Array): void {
    this.sent.push(message);
  }
  close(): void {
    this.isClosed = true;
  }
  /** Answers the question of this place among those that came. */
  answer(place = -1, rcode: number = RCODE.NOERROR): void {
    const { id = 0, questions = [] } = dnsPacket.decode(Buffer.from(this.sent.at(place)!));
    const reply = { type: 'response', id, flags: rcode, questions } as const;
    this.emit('message', dnsPacket.encode(reply));
  }
}

class FakeServer {
  readonly sockets: FakeSocket[] = [];
  isReachable = true;
  readonly open: OpenSocket = () => {
    if (!this.isReachable) throw new Error('ENETUNREACH');
    const socket = new FakeSocket();
    this.sockets.push(socket);
    return socket as unknown as dgram.Socket;
  };
  get last(): FakeSocket {
    return this.sockets.at(-1)!;
  }
  get asked(): number {
    return this.sockets.reduce((sum, { sent }) => sum + sent.length, 0);
  }
}

function setUp(count: number) {
  const clock = { nowMs: 0 };
  const servers = Array.from({ length: count }, () => new FakeServer());
  const open = servers.map((server) => server.open);
  const forwarder = new Forwarder(open, () => clock.nowMs);
  const ask = (name = 'a.example', id = 7): (Uint8Array | undefined)[] => {
    const replies: (Uint8Array | undefined)[] = [];
    forwarder.ask(queryOf(name, 'A', { id }), (reply) => replies.push(reply));
    return replies;
  };
  /** As its owner does it, each second. */
  const wait = (ms: number): void => {
    for (const end = clock.nowMs + ms; clock.nowMs < end;) {
      clock.nowMs += 1000;
      forwarder.sweep();
    }
  };
  return { servers, forwarder, ask, wait };
}

test('forwarder > asks under an id of its own, and answers under the asker’s', (t) => {
  const { servers, ask } = setUp(1);
  const replies = Array.from({ length: 20 }, (_, id) => ask('a.example', id));
  const { sent } = servers[0]!.last;
  const ids = sent.map((message) => decode(message).id);
  t.true(ids.some((id, i) => id !== i));
  t.is(new Set(ids).size, 20);
  for (let i = 0; i < 20; i += 1) servers[0]!.last.answer(i);
  t.deepEqual(
    replies.map(([reply]) => decode(reply!).id),
    Array.from({ length: 20 }, (_, id) => id),
  );
});

test('forwarder > takes no answer to another question, or under another id', (t) => {
  const { servers, ask } = setUp(1);
  const replies = ask();
  const socket = servers[0]!.last;
  const { id = 0 } = decode(socket.sent[0]!);
  for (const [other, name] of [
    [id, 'b.example'],
    [id, 'A.example'],
    [(id + 1) & 0xffff, 'a.example'],
  ] as const) {
    const questions = [{ name, type: 'A', class: 'IN' } as const];
    socket.emit('message', dnsPacket.encode({ type: 'response', id: other, questions }));
  }
  socket.emit('message', Buffer.alloc(3));
  t.deepEqual(replies, []);
  socket.answer();
  t.is(replies.length, 1);
});

test('forwarder > an error that repeats no question is taken by its id, and told with the question', (t) => {
  const { servers, ask } = setUp(1);
  for (const rcode of [RCODE.FORMERR, RCODE.SERVFAIL, RCODE.NOTIMP, RCODE.REFUSED]) {
    const replies = ask();
    const socket = servers[0]!.last;
    const { id = 0 } = decode(socket.sent.at(-1)!);
    for (const flags of [RCODE.NOERROR, RCODE.NXDOMAIN]) {
      socket.emit('message', dnsPacket.encode({ type: 'response', id, flags }));
    }
    t.deepEqual(replies, [], 'these need a question');
    socket.emit('message', dnsPacket.encode({ type: 'response', id, flags: rcode }));
    t.like(decode(replies[0]!), { id: 7, questions: [{ name: 'a.example' }] });
    t.is(replies[0]![3]! & 15, rcode);
  }
});

test('forwarder > the one server there is has fifteen seconds, and no more', (t) => {
  const { servers, ask, wait } = setUp(1);
  const replies = ask();
  wait(14_000);
  t.deepEqual([replies.length, servers[0]!.asked], [0, 1]);
  wait(1000);
  t.deepEqual(replies, [undefined]);
});

test('forwarder > one of several has two seconds, then the next is asked, each twice at most', (t) => {
  const { servers, ask, wait } = setUp(3);
  const replies = ask();
  wait(2000);
  t.deepEqual(
    servers.map(({ asked }) => asked),
    [1, 1, 0],
  );
  wait(60_000);
  t.deepEqual(
    servers.map(({ asked }) => asked),
    [2, 2, 2],
  );
  t.deepEqual(replies, [undefined]);
});

test('forwarder > the server that answered last is asked first', (t) => {
  const { servers, forwarder, ask, wait } = setUp(2);
  const replies = ask();
  wait(2000);
  servers[1]!.last.answer();
  t.is(replies.length, 1);
  t.is(forwarder.preferred, 1);
  ask();
  t.deepEqual(
    servers.map(({ asked }) => asked),
    [1, 2],
  );
});

test('forwarder > a refusal is followed by the next server, and the last one’s is passed on', (t) => {
  const { servers, ask } = setUp(2);
  const replies = ask();
  servers[0]!.last.answer(-1, RCODE.SERVFAIL);
  t.deepEqual(replies, []);
  servers[1]!.last.answer(-1, RCODE.REFUSED);
  t.is(rcodeOf(decode(replies[0]!)), 'REFUSED');
});

test('forwarder > what can not be reached is left out', (t) => {
  const { servers, ask } = setUp(2);
  servers[0]!.isReachable = false;
  const replies = ask();
  servers[1]!.last.answer();
  t.is(replies.length, 1);
  servers[1]!.isReachable = false;
  const { servers: none, ask: askNobody } = setUp(1);
  none[0]!.isReachable = false;
  t.deepEqual(askNobody(), [undefined]);
});

test('forwarder > what waited on a socket that failed is asked once more from another one', (t) => {
  const { servers, ask } = setUp(1);
  const replies = ask();
  servers[0]!.last.emit('error', new Error('ECONNREFUSED'));
  t.is(servers[0]!.sockets.length, 2);
  t.true(servers[0]!.sockets[0]!.isClosed);
  servers[0]!.last.emit('error', new Error('ECONNREFUSED'));
  t.deepEqual(replies, [undefined]);
});

test('forwarder > no more than 512 are under way, and room is made by answers', (t) => {
  const { servers, ask } = setUp(1);
  const replies = Array.from({ length: 512 }, () => ask());
  t.true(replies.every(({ length }) => length === 0));
  t.deepEqual(ask(), [undefined]);
  servers[0]!.last.answer();
  t.deepEqual(ask(), []);
});

test('forwarder > a port is used for two seconds or 256 questions, and closed when nobody waits', (t) => {
  const { servers, ask, wait } = setUp(1);
  for (let i = 0; i < 257; i += 1) ask();
  const [first, second] = servers[0]!.sockets;
  t.is(servers[0]!.sockets.length, 2);
  t.false(first!.isClosed);
  for (let i = 0; i < 256; i += 1) first!.answer(i);
  t.true(first!.isClosed);
  second!.answer();
  wait(3000);
  t.true(second!.isClosed);
});

test('forwarder > other servers are asked from now on, and what the old ones were asked they may answer', (t) => {
  const { servers, forwarder, ask } = setUp(1);
  const replies = ask();
  const other = new FakeServer();
  forwarder.servers = [other.open];
  t.is(ask().length, 0);
  t.deepEqual([servers[0]!.asked, other.asked], [1, 1]);
  servers[0]!.last.answer();
  t.is(replies.length, 1);
  t.true(servers[0]!.last.isClosed);
});
