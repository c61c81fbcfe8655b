/** A process that answers the host on an address until it is killed; it runs in the namespace that is the host's. */
import { NameServer, parseUpstream } from '../../src/dns/index.js';
import { parseAddress } from '../../src/net/index.js';

const server = await NameServer.open({
  ttlSec: 5,
  localFirst: false,
  listen: parseUpstream(process.argv[2]!),
  onSandbox: () => undefined,
  onHost: (state, reason) => console.log(`${state} ${reason ?? ''}`),
  onCrash: () => process.exit(1),
  onReplaced: () => undefined,
});
server.setShare({
  network: { id: '000000000001', name: 'web' },
  host: 'h1',
  isLocal: true,
  isAlive: true,
  endpoints: [{ id: '1', names: ['api'], addresses: [parseAddress('10.0.0.1')], isHealthy: true }],
});
