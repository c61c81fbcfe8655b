import test from 'ava';
import type { EndpointRecord } from '../../../src/cluster/index.js';
import { fitNames } from '../../../src/driver/fit-names.js';
import { parseMac } from '../../../src/net/index.js';

function endpoint(id: string, services: number, names = 1): EndpointRecord {
  return {
    id,
    name: `c-${id}`,
    mac: parseMac('02:00:00:00:00:01'),
    addresses: [],
    dns: {
      container: id,
      names: Array.from({ length: names }, (_, i) => `name-${id}-${i}`),
      ...(services > 0 && {
        services: Array.from({ length: services }, (_, i) => ({
          label: `${i}`,
          protocol: 'tcp',
          port: i + 1,
        })),
      }),
    },
  };
}

const size = (endpoints: readonly EndpointRecord[]): number => JSON.stringify(endpoints).length;

test('fit names > what fits is told as it is', (t) => {
  const endpoints = [endpoint('a', 3), endpoint('b', 0)];
  t.deepEqual(fitNames(endpoints), { endpoints, leftOut: [] });
});

test('fit names > who has most to say loses his services first, then names, and forwarding stays', (t) => {
  const endpoints = [endpoint('a', 1), endpoint('b', 40), endpoint('c', 0, 60)];
  const services = fitNames(endpoints, size(endpoints) - 100);
  t.deepEqual(services.leftOut, ['c-b']);
  t.is(services.endpoints[1]!.dns?.services, undefined);
  t.deepEqual(services.endpoints[0], endpoints[0]);
  const names = fitNames(endpoints, 700);
  t.true(size(names.endpoints) <= 702);
  t.is(names.endpoints[2]!.dns, undefined);
  const nothing = fitNames(endpoints, 0);
  t.deepEqual(
    nothing.endpoints.map(({ id, dns }) => [id, dns]),
    [
      ['a', undefined],
      ['b', undefined],
      ['c', undefined],
    ],
  );
});
