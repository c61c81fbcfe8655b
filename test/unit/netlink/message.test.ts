import test from 'ava';
import { encodeBatch, readAck, splitDatagram } from '../../../src/netlink/message.js';
import { setLink } from '../../../src/netlink/index.js';

const unhex = (text: string) => Buffer.from(text.replaceAll(/\s/g, ''), 'hex');
const one = (text: string) => splitDatagram(unhex(text))[0]!;

/** Header: length, type, flags, sequence 1, port 0. */
const header = (length: string, type: string, flags = '0000') =>
  `${length}000000 ${type}00 ${flags} 01000000 00000000`;
const request = header('20', '10', '0500');

test('message > a datagram holds several, each padded', (t) => {
  const datagram = unhex(`${header('12', '03')} aabb0000 ${header('10', '01')}`);
  const [first, second, ...more] = splitDatagram(datagram);
  t.like(first, { type: 3, sequence: 1, at: 16, length: 2 });
  t.like(second, { type: 1, at: 36, length: 0 });
  t.deepEqual(more, []);
});

test('message > the last one may lack its padding', (t) => {
  t.like(one(`${header('12', '03')} aabb`), { length: 2 });
});

for (const [what, text] of [
  ['that is shorter than a header', '10000000 0300'],
  ['whose length is zero', header('00', '03')],
  ['whose length passes the end', header('11', '03')],
] as const) {
  test(`message > one ${what} is malformed`, (t) => {
    t.throws(() => splitDatagram(unhex(text)), { code: 'MALFORMED' });
  });
}

test('ack > zero is a yes', (t) => {
  t.deepEqual(readAck(one(`${header('24', '02', '0001')} 00000000 ${request}`)), { errno: 0 });
});

test('ack > words follow the request header when the request was left out', (t) => {
  const text = `${header('2c', '02', '0003')} eaffffff ${request} 06000100 6e6f0000`;
  t.like(readAck(one(text)), { errno: 22, extack: 'no' });
});

test('ack > words follow the whole request when it was not left out', (t) => {
  const payload = '00'.repeat(16);
  const text = `${header('3c', '02', '0002')} eaffffff ${request} ${payload} 08000200 10000000`;
  t.like(readAck(one(text)), { errno: 22, offset: 16, extack: undefined });
});

test('ack > the end of a dump may carry an error, words, or nothing', (t) => {
  t.like(readAck(one(`${header('14', '03')} a6ffffff`)), { errno: 90 });
  t.like(readAck(one(`${header('1c', '03', '0202')} ebffffff 06000100 6e6f0000`)), {
    errno: 21,
    extack: 'no',
  });
  t.deepEqual(readAck(one(header('10', '03'))), { errno: 0 });
});

test('ack > one without room for what it must hold is malformed', (t) => {
  t.throws(() => readAck(one(`${header('14', '02')} 00000000`)), { code: 'MALFORMED' });
  const lying = `${header('24', '02', '0002')} eaffffff ff000000 10000500 01000000 00000000`;
  t.throws(() => readAck(one(lying)), { code: 'MALFORMED' });
});

test('batch > messages stand behind one another, numbered and asking for an ack', (t) => {
  const { octets, starts } = encodeBatch([setLink('v0', {}), setLink(7, {})], 0xffffffff);
  t.deepEqual(starts, [0, 40]);
  const messages = splitDatagram(octets);
  t.deepEqual(
    messages.map((m) => m.sequence),
    [0xffffffff, 0],
  );
  t.true(messages.every((m) => m.flags === 5));
});
