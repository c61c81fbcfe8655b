import { readFileSync } from 'node:fs';
import path from 'node:path';
import { ConsulStore, EmbeddedStore, type Store } from '../store/index.js';
import { messageOf } from '../util/index.js';
import type { Config } from './config.js';
import { DaemonError } from './errors.js';
import type { Log } from './log.js';

/** Opens what the hosts share. Consul is not called yet: a daemon starts while it is away. */
export async function openSharedStore({ store, stateDir }: Config, log: Log): Promise<Store> {
  if (store.kind === 'embedded') return openEmbedded(path.join(stateDir, 'store'), log);
  const { address, prefix, datacenter, tokenFile, caFile, certFile, keyFile, timeoutMs } = store;
  return new ConsulStore({
    address,
    prefix,
    timeoutMs,
    ...(datacenter === undefined ? {} : { datacenter }),
    ...(tokenFile === undefined ? {} : { token: read('tokenFile', tokenFile).trim() }),
    tls: {
      ...(caFile === undefined ? {} : { ca: read('caFile', caFile) }),
      ...(certFile === undefined ? {} : { cert: read('certFile', certFile) }),
      ...(keyFile === undefined ? {} : { key: read('keyFile', keyFile) }),
    },
  });
}

/** A store on this host's disk; damage is set aside and said. */
export async function openEmbedded(dir: string, log: Log): Promise<EmbeddedStore> {
  return EmbeddedStore.open({
    dir,
    onDamage: (damage) => log.error({ dir, ...damage }, 'state on disk was damaged; set aside'),
  });
}

function read(setting: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new DaemonError(
      { code: 'INVALID_CONFIG', source: `store.${setting}` },
      `store.${setting}: ${file} can't be read: ${messageOf(cause)}`,
      { cause },
    );
  }
}
