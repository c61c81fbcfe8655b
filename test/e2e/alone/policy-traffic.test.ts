import test from 'ava';
import { loseNothing } from '../../helpers/traffic.js';

const head = 'networks: [web]\nendpoints: {}\n';

test('policy > what is allowed loses no packet while policies are replaced and weftd is restarted and killed', async (t) => {
  t.timeout(600_000);
  await loseNothing(t, 4, [
    `name: web\n${head}ingress: [{ action: allow, from: [{ names: [from] }], ports: [tcp, udp, icmp/8] }]\n`,
    `name: web\n${head}ingress:\n  - { action: allow, from: [{ names: [f*] }] }\negress:\n  - { action: allow, to: [{ names: [to] }] }\n`,
  ]);
});
