import test from 'ava';
import { labelsOf } from '../../../src/daemon/container-labels.js';

test('labels > what people and policies say of a container is kept, what tools say of themselves is not', (t) => {
  const labels = {
    'com.docker.compose.project': 'shop',
    'com.docker.compose.service': 'db',
    'com.docker.compose.config-hash': '4f',
    'org.opencontainers.image.source': 'https://example.org',
    app: 'db',
    'weft.port.sql': '5432/tcp',
  };
  t.deepEqual(labelsOf({ labels }), {
    app: 'db',
    'com.docker.compose.project': 'shop',
    'com.docker.compose.service': 'db',
    'weft.port.sql': '5432/tcp',
  });
});

test('labels > too many or too long are none: a part could be taken for all', (t) => {
  const many = (count: number, value = '') =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [`l${i}`, value]));
  t.is(Object.keys(labelsOf({ labels: many(64) })!).length, 64);
  t.is(labelsOf({ labels: many(65) }), undefined);
  t.is(labelsOf({ labels: many(1, 'x'.repeat(5000)) }), undefined);
});
