import test from 'ava';
import { parseAddress } from '../../../src/net/index.js';
import { type CandidateLink, chooseUnderlay } from '../../../src/daemon/underlay.js';

function link(
  index: number,
  name: string,
  addresses: string[],
  rest: Partial<CandidateLink> = {},
): CandidateLink {
  return { index, name, mtu: 1500, up: true, addresses: addresses.map(parseAddress), ...rest };
}

const nat = link(2, 'eth0', ['10.0.2.15']);
const lan = link(3, 'eth1', ['192.0.2.7', '2001:db8::7'], { mtu: 9000 });
const docker0 = link(4, 'docker0', ['172.17.0.1'], { kind: 'bridge' });
const down = link(5, 'eth9', ['198.51.100.1'], { up: false });
const viaNat = { family: 4, linkIndex: 2, metric: 100 } as const;
const links = [link(1, 'lo', ['127.0.0.1']), nat, lan, docker0, down];

test('underlay > takes the link of the default route with the lowest metric, and says so', (t) => {
  const routes = [viaNat, { family: 4, linkIndex: 3, metric: 50 } as const];
  const choice = chooseUnderlay({ links, defaultRoutes: routes });
  t.like(choice, { linkName: 'eth1', vtep: '192.0.2.7', mtu: 9000 });
  t.is(choice.reason, 'eth1 has the default route; MTU 9000 of the link');
});

for (const [select, name, vtep] of [
  ['eth1', 'eth1', '192.0.2.7'],
  ['2001:db8::7', 'eth1', '2001:db8::7'],
  ['192.0.2.0/24', 'eth1', '192.0.2.7'],
] as const) {
  test(`underlay > "${select}" beats the default route`, (t) => {
    const choice = chooseUnderlay({ links, defaultRoutes: [viaNat], select, mtu: 1400 });
    t.like(choice, { linkName: name, vtep, mtu: 1400 });
    t.is(choice.reason, `"${select}" was configured; MTU 1400 from the configuration`);
  });
}

test('underlay > without a default route the only link with an address serves, bridges aside', (t) => {
  t.is(chooseUnderlay({ links: [lan, docker0, down], defaultRoutes: [] }).linkName, 'eth1');
});

for (const [why, wanted] of [
  ['more than one link', { links, defaultRoutes: [] }],
  ['no link that is up', { links: [down], defaultRoutes: [] }],
  ['link eth9 is down', { links, defaultRoutes: [viaNat], select: 'eth9' }],
  ['is "203.0.113.1"', { links, defaultRoutes: [viaNat], select: '203.0.113.1' }],
  ['is "eth7"', { links, defaultRoutes: [viaNat], select: 'eth7' }],
] as const) {
  test(`underlay > refuses with the choices: ${why}`, (t) => {
    const error = t.throws(() => chooseUnderlay(wanted), { code: 'NO_UNDERLAY' });
    t.true(error.message.includes(why), error.message);
    t.regex(error.message, /--underlay LINK, ADDRESS or PREFIX; there are: /);
  });
}
