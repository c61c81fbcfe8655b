/** `npm run lab`: a lab to look at and play with, until Ctrl-C. */
import { parseArgs } from 'node:util';
import { messageOf } from '../src/util/index.js';
import { isJailed, runInJail } from './jail.js';
import { Lab, storeKinds, type LabOptions } from './lab.js';
import { oneOf, wholeNumber } from './options.js';
import { describeLab, forever } from './describe.js';
import { engineReleases, ensureLabPackages } from './packages.js';

const usage = `usage: npm run lab -- [options]

  --hosts N          hosts, each with a Docker engine and weft (3)
  --engine RELEASE   ${engineReleases.join(', ')} (28.5)
  --store KIND       consul or embedded; embedded serves one host (consul)
  --consul N         Consul servers, 1 or 3 (1)
  --mtu OCTETS       of the network between the hosts (1500)
  --no-weft          leave weft installed but not started
`;

const { values } = parseArgs({
  options: {
    hosts: { type: 'string', default: '3' },
    engine: { type: 'string', default: '28.5' },
    store: { type: 'string', default: 'consul' },
    consul: { type: 'string', default: '1' },
    mtu: { type: 'string', default: '1500' },
    'no-weft': { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

try {
  process.exitCode = await main();
} catch (error) {
  console.error(`lab: ${messageOf(error)}`);
  process.exitCode = 1;
}

async function main(): Promise<number> {
  if (values.help) {
    process.stdout.write(usage);
    return 0;
  }
  const options = labOptions();
  if (!isJailed()) {
    console.log(
      `getting engine ${options.engine} ready; the first time this downloads about 100 MB`,
    );
    await ensureLabPackages(options.engine);
    return runInJail([process.execPath, ...process.argv.slice(1)]);
  }
  const started = performance.now();
  const lab = await Lab.create(options);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`\n${lab.hosts.length} host(s), store ${lab.store}, up in ${seconds} s\n`);
  console.log(await describeLab(lab));
  return forever();
}

function labOptions(): LabOptions {
  return {
    hosts: wholeNumber('hosts', values.hosts),
    engine: oneOf('engine', values.engine, engineReleases),
    store: oneOf('store', values.store, storeKinds),
    consulServers: oneOf('consul', values.consul, ['1', '3']) === '1' ? 1 : 3,
    mtu: wholeNumber('mtu', values.mtu),
    startWeft: !values['no-weft'],
  };
}
