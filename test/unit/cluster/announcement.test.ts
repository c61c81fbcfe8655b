import test from 'ava';
import { Announcement } from '../../../src/cluster/index.js';
import { formatEndpoints } from '../../../src/cluster/documents.js';
import { ENDPOINT } from '../../helpers/networks.js';

const document = { network: '0123456789ab', host: 'host-a', endpoints: [ENDPOINT] };

test('announcement > says the same after it was settled, parsed anew', (t) => {
  const announcement = Announcement.parse(formatEndpoints(document))!;
  const before = announcement.endpoints;
  t.is(announcement.endpoints, before);
  announcement.settle();
  t.not(announcement.endpoints, before);
  t.deepEqual(announcement.endpoints, before);
  t.deepEqual(
    [announcement.network, announcement.host, announcement.count],
    [document.network, 'host-a', 1],
  );
});

test('announcement > what will be read is known before it is written', (t) => {
  const written = Announcement.of(document);
  t.is(written.text, formatEndpoints(document));
  t.deepEqual(written.endpoints, Announcement.parse(written.text)!.endpoints);
});

test('announcement > what is no document is none', (t) => {
  t.is(Announcement.parse('{}'), undefined);
});
