/**
 * weft's name server as the daemon has it, a thread of its own, and nothing else of the daemon: answers in the namespaces whose files it is
 * told, with so many names. `node weft-server.js NAMES FILE...`; says "ready" and ends with its input.
 */
import { NameServer } from '../../src/dns/index.js';
import { NETWORK, addressesOf, nameOf } from './names.js';

const READY_MS = 60_000;

const [count = '', ...paths] = process.argv.slice(2);
const server = await NameServer.open({
  ttlSec: 5,
  localFirst: false,
  onSandbox: (path, state, reason) => {
    if (state === 'failed') fail(new Error(`${path}: ${reason}`));
  },
  onCrash: fail,
  onReplaced: () => undefined,
});
const network = { id: '000000000001', name: NETWORK };
const endpoints = Array.from({ length: Number(count) }, (_, i) => ({
  id: i.toString(16).padStart(12, '0'),
  names: [nameOf(i)],
  addresses: Object.values(addressesOf(i)),
  services: [],
  isHealthy: true,
}));
server.setShare({ network, host: 'bench', isLocal: false, isAlive: true, endpoints });
for (const path of paths) await server.serve({ path, networks: [network.id] }, READY_MS);
console.log('ready');
process.stdin.on('end', () => process.exit(0)).resume();

function fail(error: unknown): void {
  console.error(error);
  process.exit(1);
}
