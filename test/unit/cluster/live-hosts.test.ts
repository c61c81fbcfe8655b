import test from 'ava';
import type { HostDocument } from '../../../src/cluster/index.js';
import { LiveHosts } from '../../../src/cluster/live-hosts.js';
import { parseAddress } from '../../../src/net/index.js';

function host(id: string): HostDocument {
  return { id, name: id, vtep: parseAddress('192.0.2.1'), mtu: 1500, version: '0', startedAt: 't' };
}

const names = (live: LiveHosts): string =>
  live
    .all()
    .map((h) => h.id)
    .toSorted()
    .join(' ');

test('live hosts > a host whose document goes while ours is there is gone at once', (t) => {
  const live = new LiveHosts('me', () => 0);
  live.update([host('me'), host('a'), host('b')]);
  t.is(live.update([host('me'), host('b')]), undefined);
  t.is(names(live), 'b me');
});

test('live hosts > when the store has lost our own document too, the others are held until they had time to come back', (t) => {
  let now = 0;
  const live = new LiveHosts('me', () => now);
  live.update([host('me'), host('a'), host('b')]);
  t.is(live.update([]), 15_000);
  t.is(names(live), 'a b me');
  now = 5000;
  t.is(live.update([host('me'), host('a')]), 10_000);
  t.is(names(live), 'a b me');
  now = 15_000;
  t.is(live.update([host('me'), host('a')]), undefined);
  t.is(names(live), 'a me');
});

test('live hosts > before we were announced nothing is held', (t) => {
  const live = new LiveHosts('me', () => 0);
  live.update([host('a'), host('b')]);
  live.update([host('a')]);
  t.is(names(live), 'a');
});
