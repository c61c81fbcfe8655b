import { isDeepStrictEqual } from 'node:util';
import test from 'ava';
import fc from 'fast-check';
import { type Codec, decode, encode } from '../../../src/netlink/codec.js';
import { Connection, NetlinkError, setLink } from '../../../src/netlink/index.js';
import { encodeBatch, readAck, refusal, splitDatagram } from '../../../src/netlink/message.js';
import { readEvents } from '../../../src/netlink/monitor.js';
import { addressCodec } from '../../../src/netlink/route/address.js';
import { bridge, bridgePort } from '../../../src/netlink/route/bridge.js';
import { decodeRouteEvent } from '../../../src/netlink/route/events.js';
import { bridgePortCodec, linkAttrs, linkCodec } from '../../../src/netlink/route/link-table.js';
import { neighborCodec } from '../../../src/netlink/route/neighbor-table.js';
import { routeCodec } from '../../../src/netlink/route/route-table.js';
import { vxlan } from '../../../src/netlink/route/vxlan.js';
import { fakeSocket } from './fake-socket.js';
import { fixture, fixtureNames } from './fixtures.js';

/** Set WEFT_FUZZ to fuzz that many times as long. */
const effort = Number(process.env['WEFT_FUZZ'] ?? 1);

/** Every table, and the octets of the struct before its attributes. */
const tables: readonly {
  readonly title: string;
  readonly codec: Codec<unknown>;
  readonly head: number;
}[] = [
  { title: 'vxlan', codec: vxlan, head: 0 },
  { title: 'bridge', codec: bridge, head: 0 },
  { title: 'bridgePort', codec: bridgePort, head: 0 },
  { title: 'link attributes', codec: linkAttrs, head: 0 },
  { title: 'link message', codec: linkCodec, head: 16 },
  { title: 'bridgePort message', codec: bridgePortCodec, head: 16 },
  { title: 'address message', codec: addressCodec, head: 8 },
  { title: 'neighbor message', codec: neighborCodec, head: 12 },
  { title: 'route message', codec: routeCodec, head: 12 },
];

/** Runs it; true when it did not throw. Fails on anything but a NetlinkError. */
function survives(fn: () => unknown): boolean {
  try {
    fn();
    return true;
  } catch (error) {
    if (error instanceof NetlinkError) return false;
    throw error;
  }
}

function readAll(datagram: Uint8Array): void {
  survives(() => {
    for (const m of splitDatagram(datagram)) {
      survives(() => decodeRouteEvent(m));
      survives(() => readAck(m));
    }
  });
  readEvents(datagram, decodeRouteEvent);
}

const octets = fc.uint8Array({ maxLength: 400 });

test('fuzz > random octets are read, or are a NetlinkError', (t) => {
  fc.assert(
    fc.property(octets, (data) => {
      readAll(data);
      for (const { codec } of tables) survives(() => decode(codec, data));
    }),
    { numRuns: 300 * effort },
  );
  t.pass();
});

const mutation = fc.record({
  at: fc.nat(),
  value: fc.oneof(fc.constantFrom(0, 1, 3, 4, 255), fc.nat(255)),
});

for (const kind of ['request', 'reply']) {
  test(`fuzz > a real ${kind} is read, however damaged, or is a NetlinkError`, (t) => {
    for (const name of fixtureNames().filter((n) => n.startsWith('reply') === (kind === 'reply'))) {
      const real = fixture(name);
      t.true(
        survives(() => splitDatagram(real)),
        `${name} undamaged`,
      );
      const cut = fc.option(fc.nat(real.length), { nil: real.length });
      fc.assert(
        fc.property(fc.array(mutation, { maxLength: 8 }), cut, (mutations, length) => {
          const data = Uint8Array.from(real.subarray(0, length));
          for (const m of mutations) data[m.at % real.length] = m.value;
          readAll(data);
        }),
        { numRuns: 50 * effort },
      );
    }
  });
}

test('fuzz > a connection that is told nonsense answers, or throws a NetlinkError', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(octets, { maxLength: 4 }), fc.boolean(), async (data, isReply) => {
      const socket = fakeSocket(() => data);
      if (isReply)
        for (const d of data) d.set([16, 0, 0, 0, 2, 0, 0, 1, 1, 0, 0, 0].slice(0, d.length));
      const conn = new Connection(socket);
      const outcome = await conn.request([setLink(1, { mtu: 1 })]).catch((error: unknown) => error);
      t.true(Array.isArray(outcome) || outcome instanceof NetlinkError);
    }),
  );
});

test('fuzz > an ack may point anywhere', (t) => {
  const m = setLink('v0', { mtu: 1400, addrGenMode: 'none' });
  const sent = encodeBatch([m, m], 1);
  const anywhere = fc.option(fc.nat(400), { nil: undefined });
  fc.assert(
    fc.property(anywhere, anywhere, anywhere, (offset, missingType, missingNest) => {
      const error = refusal({ errno: 22, offset, missingType, missingNest }, m, sent, 1);
      t.is(error.code, 'EINVAL');
    }),
  );
});

/** One attribute behind a struct of zeroes. */
function withAttribute(head: number, type: number, payload: Uint8Array): Buffer {
  const out = Buffer.alloc(head + 4 + ((payload.length + 3) & ~3));
  out.writeUInt16LE(4 + payload.length, head);
  out.writeUInt16LE(type, head + 2);
  out.set(payload, head + 4);
  return out;
}

/** Any payload, of any length that some attribute has. */
const payload = fc
  .integer({ min: 0, max: 88 })
  .chain((length) => fc.uint8Array({ minLength: length, maxLength: length }));

for (const { title, codec, head } of tables) {
  test(`round trip > every field of ${title} is read, written and read the same`, (t) => {
    for (let type = 1; type < 80; type += 1) {
      const name = codec.nameOf?.(type);
      if (name === undefined) continue;
      let read = 0;
      const check = (data: Uint8Array) => {
        const wire = withAttribute(head, type, data);
        if (!survives(() => decode(codec, wire))) return;
        read += 1;
        const value = decode(codec, wire);
        const again = decode(codec, encode(codec, value));
        if (!isDeepStrictEqual(again, value)) t.deepEqual(again, value, wire.toString('hex'));
      };
      // Every length once, so that the right one is among them; then whatever comes.
      for (let length = 0; length <= 88; length += 1) check(new Uint8Array(length).fill(length));
      fc.assert(fc.property(payload, check), { numRuns: 20 * effort });
      t.true(read > 0, `${name}: no length was right`);
    }
  });
}

test('round trip > a struct keeps every field', (t) => {
  for (const { codec, head } of tables.filter((c) => c.head > 0)) {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: head, maxLength: head }), (data) => {
        const value = decode(codec, data);
        t.deepEqual(decode(codec, encode(codec, value)), value, codec.name);
      }),
    );
  }
});
