/** A process that serves names in one namespace until it is killed. */
import { NameServer } from '../../src/dns/index.js';
import { parseAddress } from '../../src/net/index.js';

const server = await NameServer.open({
  ttlSec: 5,
  localFirst: false,
  onSandbox: () => undefined,
  onCrash: () => process.exit(1),
  onReplaced: () => undefined,
});
const addresses = [parseAddress('10.0.0.1')];
server.setShare({
  network: { id: '000000000001', name: 'web' },
  host: 'h1',
  isLocal: true,
  isAlive: true,
  endpoints: [{ id: '1', names: ['api'], addresses, services: [], isHealthy: true }],
});
await server.serve({ path: process.argv[2]!, networks: ['000000000001'] }, 10_000);
process.send!('serving');
