import test from 'ava';
import type { NewNetwork } from '../../../src/control-api/index.js';
import { settingsOf } from '../../../src/daemon/new-network.js';

test('new network > what is asked for is what Docker is told', (t) => {
  t.deepEqual(settingsOf({ name: 'web' }), {
    name: 'web',
    labels: {},
    options: {},
    ipamOptions: {},
    pools: [],
    internal: false,
    attachable: false,
    ipv4: true,
    ipv6: false,
  });
  const settings = settingsOf({
    name: 'web',
    internal: true,
    labels: { tier: 'front' },
    options: { 'com.docker.network.driver.mtu': '1400' },
  });
  t.like(settings, { internal: true, labels: { tier: 'front' } });
  t.deepEqual(settings.options, { 'com.docker.network.driver.mtu': '1400' });
});

test('new network > a range, a gateway and an address set aside belong to the subnet that they lie in', (t) => {
  const { pools, ipv6 } = settingsOf({
    name: 'web',
    subnets: ['10.1.0.0/24', 'fd01::/64'],
    ranges: ['10.1.0.128/25'],
    gateways: ['fd01::1', '10.1.0.1'],
    auxAddresses: { printer: '10.1.0.9' },
  });
  t.deepEqual(pools, [
    {
      subnet: '10.1.0.0/24',
      range: '10.1.0.128/25',
      gateway: '10.1.0.1',
      aux: { printer: '10.1.0.9' },
    },
    { subnet: 'fd01::/64', gateway: 'fd01::1' },
  ]);
  t.true(ipv6, 'an IPv6 subnet says so');
});

const refused: readonly (readonly [string, Partial<NewNetwork>, RegExp])[] = [
  ['a name with a space', { name: 'a b' }, /"a b" can't name a network/],
  ['a subnet that is none', { subnets: ['10.1.0.0'] }, /--subnet 10\.1\.0\.0: /],
  ['a range without a subnet', { ranges: ['10.1.0.0/25'] }, /--ip-range .* needs a --subnet/],
  [
    'a gateway elsewhere',
    { subnets: ['10.1.0.0/24'], gateways: ['10.2.0.1'] },
    /--gateway 10\.2\.0\.1 lies in no --subnet: 10\.1\.0\.0\/24/,
  ],
  [
    'two gateways',
    { subnets: ['10.1.0.0/24'], gateways: ['10.1.0.1', '10.1.0.2'] },
    /--gateway is given twice for 10\.1\.0\.0\/24: 10\.1\.0\.1 and 10\.1\.0\.2/,
  ],
];
for (const [what, wanted, message] of refused) {
  test(`new network > ${what} is refused`, (t) => {
    t.throws(() => settingsOf({ name: 'web', ...wanted }), { code: 'INVALID_NETWORK', message });
  });
}
