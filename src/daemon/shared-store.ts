import { readFileSync } from 'node:fs';
import path from 'node:path';
import { ConsulStore, EmbeddedStore, type Store, type StoreError } from '../store/index.js';
import { hasCode } from '../util/index.js';
import type { Config } from './config.js';
import { DaemonError } from './errors.js';
import { reasonOf } from './files.js';
import type { Log } from './log.js';

/** Opens what the hosts share. Consul is not called yet: a daemon starts while it is away. */
export async function openSharedStore({ store, stateDir }: Config, log: Log): Promise<Store> {
  if (store.kind === 'embedded') return openEmbedded(stateDir, 'store', log);
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

/** A store on this host's disk; damage is set aside and said. Throws ALREADY_RUNNING while another daemon has it. */
export async function openEmbedded(
  stateDir: string,
  name: string,
  log: Log,
): Promise<EmbeddedStore> {
  const dir = path.join(stateDir, name);
  try {
    return await EmbeddedStore.open({
      dir,
      onDamage: (damage) => log.error({ dir, ...damage }, 'state on disk was damaged; set aside'),
    });
  } catch (cause) {
    if (!hasCode(cause, 'STORE_IN_USE')) throw cause;
    throw alreadyRunning(stateDir, (cause as StoreError).detail, cause);
  }
}

function alreadyRunning(
  stateDir: string,
  detail: StoreError['detail'],
  cause: unknown,
): DaemonError {
  const pid = 'pid' in detail ? detail.pid : undefined;
  const who = pid === undefined ? '' : `, as process ${pid}`;
  return new DaemonError(
    { code: 'ALREADY_RUNNING', stateDir, ...(pid === undefined ? {} : { pid }) },
    `a weft daemon with the state directory ${stateDir} runs already${who}; stop it first, or give this one another --state-dir`,
    { cause },
  );
}

function read(setting: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new DaemonError(
      { code: 'INVALID_CONFIG', source: `store.${setting}` },
      `store.${setting}: ${file} can't be read: ${reasonOf(cause)}`,
    );
  }
}
