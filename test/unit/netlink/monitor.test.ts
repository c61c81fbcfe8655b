import test from 'ava';
import { encode } from '../../../src/netlink/codec.js';
import { readEvents } from '../../../src/netlink/monitor.js';
import { decodeRouteEvent } from '../../../src/netlink/route/events.js';
import { ifinfomsg, linkCodec } from '../../../src/netlink/route/link-table.js';
import { datagram } from './fake-socket.js';

const RTM_NEWLINK = 16;
const link = (family: number) =>
  encode(linkCodec, { head: ifinfomsg.of({ family, ifindex: 2 }), attrs: { name: 'v0' } });
const notification = (payload: Uint8Array, type = RTM_NEWLINK) => datagram(type, 0, 0, payload);

test('events > all that a datagram holds, in order', (t) => {
  const both = Buffer.concat([notification(link(0)), notification(link(0), 17)]);
  const events = readEvents(both, decodeRouteEvent);
  t.deepEqual(
    events.map((e) => e.type === 'link' && e.isGone),
    [false, true],
  );
});

test('events > lost ones are an overrun', (t) => {
  t.deepEqual(readEvents(undefined, decodeRouteEvent), [{ type: 'overrun' }]);
});

test('events > what cannot be read is an overrun, after what could', (t) => {
  const broken = notification(Buffer.from(link(0)).fill(0xff, 16));
  const events = readEvents(Buffer.concat([notification(link(0)), broken]), decodeRouteEvent);
  t.like(events, [{ type: 'link' }, { type: 'overrun', cause: { code: 'MALFORMED' } }]);
});

test('events > a bug in the decoder is not hidden as an overrun', (t) => {
  const decode = () => {
    throw new TypeError('bug');
  };
  t.throws(() => readEvents(notification(link(0)), decode), { instanceOf: TypeError });
});

test('events > messages of families and types that are not ours are none', (t) => {
  t.deepEqual(readEvents(notification(link(10)), decodeRouteEvent), []);
  t.deepEqual(readEvents(notification(Buffer.alloc(0)), decodeRouteEvent), []);
  t.deepEqual(readEvents(notification(link(0), 999), decodeRouteEvent), []);
});

test('events > a message of AF_BRIDGE is about a port, not about the link', (t) => {
  const [event] = readEvents(notification(link(7), 17), decodeRouteEvent);
  t.like(event, { type: 'port', isGone: true, port: { ifindex: 2, name: 'v0' } });
});
