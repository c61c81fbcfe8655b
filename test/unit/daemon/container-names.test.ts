import test from 'ava';
import { namesOf, upstreamsOf } from '../../../src/daemon/container-names.js';
import type { DockerContainer } from '../../../src/docker/index.js';
import { container, containerId } from './docker-container.js';

const named = (more: Partial<DockerContainer>, aliases: readonly string[] = []) => {
  const attachment = { networkId: 'net1', endpointId: 'ep1', aliases };
  return namesOf(container(1, more), attachment);
};

test('container names > its own comes first, and ids are not said twice', (t) => {
  const short = containerId(1).slice(0, 12);
  t.deepEqual(named({ name: 'api' }, ['web', short, 'api', 'web']), {
    container: short,
    names: ['api', 'web'],
  });
});

test('container names > a name that the id happens to begin with is one all the same', (t) => {
  const id = containerId(1);
  const aliases = [id.slice(0, 1), id.slice(0, 3), id];
  t.deepEqual(named({ name: 'api' }, aliases).names, ['api', id.slice(0, 1), id.slice(0, 3)]);
});

test('container names > a hostname and labels add to them', (t) => {
  const labels = { 'weft.name': 'x, y,', other: 'z' };
  t.deepEqual(named({ name: 'api', hostname: 'inside', labels }).names, [
    'api',
    'inside',
    'x',
    'y',
  ]);
});

test('container names > services are exposed ports and ports that labels name', (t) => {
  const labels = {
    'weft.srv.Metrics': '9100',
    'weft.srv.dns': '53/UDP',
    'weft.srv.bad': 'http',
    'weft.srv.none': '0',
    'weft.srv.': '1',
  };
  t.deepEqual(named({ exposedPorts: ['80/tcp', '70000/tcp', 'x'], labels }).services, [
    { label: 'metrics', protocol: 'tcp', port: 9100 },
    { label: 'dns', protocol: 'udp', port: 53 },
    { label: '80', protocol: 'tcp', port: 80 },
  ]);
});

test('container names > only a health check that says healthy is healthy', (t) => {
  t.is(named({}).unhealthy, undefined);
  t.is(named({ health: 'healthy' }).unhealthy, undefined);
  t.is(named({ health: 'starting' }).unhealthy, true);
  t.is(named({ health: 'unhealthy' }).unhealthy, true);
});

test('container names > what does not fit a document is cut', (t) => {
  const labels = { 'weft.name': Array.from({ length: 500 }, (_, i) => `n${i}`).join(',') };
  t.is(named({ labels }).names.length, 64);
  const exposedPorts = Array.from({ length: 300 }, (_, i) => `${10_000 + i}/udp`);
  const { services = [] } = named({ exposedPorts, labels: { 'weft.srv.http': '80' } });
  t.is(services.length, 33, 'of ports that are exposed the first 32, and what labels say');
  t.is(services[0]?.label, 'http');
});

test('container names > a label says whom to ask, an empty one Docker, and a bad one is refused', (t) => {
  const of = (label: string) =>
    upstreamsOf(container(1, { labels: { 'weft.dns.upstream': label } }));
  t.is(upstreamsOf(container(1)), undefined);
  t.deepEqual(of(''), []);
  t.deepEqual(
    of('10.0.0.53, [fd00::53]:5353')?.map(({ port }) => port),
    [53, 5353],
  );
  t.throws(() => of('dns.example'), { code: 'INVALID_UPSTREAM' });
});
