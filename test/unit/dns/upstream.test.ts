import test from 'ava';
import { parseUpstream, parseUpstreams } from '../../../src/dns/index.js';

for (const [text, address, port] of [
  ['10.0.0.53', '10.0.0.53', 53],
  ['10.0.0.53:5353', '10.0.0.53', 5353],
  ['fd00::53', 'fd00::53', 53],
  ['[fd00::53]', 'fd00::53', 53],
  ['[FD00:0::53]:5353', 'fd00::53', 5353],
  ['127.0.0.1:8600', '127.0.0.1', 8600],
] as const) {
  test(`upstream > ${text} is ${address} port ${port}`, (t) => {
    t.deepEqual({ ...parseUpstream(text) } as unknown, { address, port });
  });
}

for (const text of [
  '',
  ' ',
  'dns.example',
  '10.0.0.53:',
  '10.0.0.53:0',
  '10.0.0.53:65536',
  '10.0.0.53:5x',
  '10.0.0.53/24',
  '[10.0.0.53',
  'fd00::53]:53',
  '[]:53',
  ':53',
  'fe80::1%eth0',
]) {
  test(`upstream > "${text}" is none`, (t) => {
    const { message } = t.throws(() => parseUpstream(text), { code: 'INVALID_UPSTREAM' });
    t.true(message.startsWith(`"${text}" is no server`), message);
  });
}

test('upstream > several have commas between, and there are three at most', (t) => {
  t.deepEqual(parseUpstreams(''), []);
  t.is(parseUpstreams('10.0.0.1, 10.0.0.2,,').length, 2);
  t.throws(() => parseUpstreams('10.0.0.1,10.0.0.2,10.0.0.3,10.0.0.4'), {
    code: 'INVALID_UPSTREAM',
    message: /more than 3/,
  });
});
