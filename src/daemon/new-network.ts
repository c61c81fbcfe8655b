import { isNetworkName } from '../cluster/index.js';
import type { NewNetwork } from '../control-api/index.js';
import type { DockerNetworkSettings, DockerPool } from '../docker/index.js';
import {
  type Address,
  type Prefix,
  parseAddress,
  parsePrefix,
  prefixContains,
  prefixesOverlap,
} from '../net/index.js';
import { messageOf } from '../util/index.js';
import { DaemonError } from './errors.js';

/**
 * What Docker has to be told to make this network. As with `docker network create`, a range, a gateway and a set-aside address belong
 * to the subnet that they lie in. Throws INVALID_NETWORK.
 */
export function settingsOf(wanted: NewNetwork): DockerNetworkSettings {
  const { name, labels = {}, options = {}, internal = false, ipv6 = false } = wanted;
  if (!isNetworkName(name)) {
    throw invalid(
      name,
      `"${name}" can't name a network: use letters, digits, '_', '.' and '-', beginning with a letter or digit`,
    );
  }
  const pools = poolsOf(wanted);
  const hasV6 = pools.some(({ subnet }) => subnet.includes(':'));
  return {
    name,
    labels,
    options,
    ipamOptions: {},
    pools,
    internal,
    attachable: false,
    ipv4: true,
    ipv6: ipv6 || hasV6,
  };
}

function poolsOf(wanted: NewNetwork): DockerPool[] {
  const { name, subnets = [], ranges = [], gateways = [], auxAddresses = {} } = wanted;
  const read = <T>(flag: string, text: string, parse: (text: string) => T): T => {
    try {
      return parse(text);
    } catch (cause) {
      throw invalid(name, `${flag} ${text}: ${messageOf(cause)}`, cause);
    }
  };
  const prefixes = subnets.map((text) => read('--subnet', text, parsePrefix));
  const pools = prefixes.map((prefix) => ({ prefix, subnet: prefix as string, aux: {} }) as Draft);
  const poolAround = (flag: string, text: string, isIn: (prefix: Prefix) => boolean): Draft => {
    const found = pools.find(({ prefix }) => isIn(prefix));
    if (found) return found;
    const where =
      subnets.length === 0
        ? 'needs a --subnet that it lies in'
        : `lies in no --subnet: ${subnets.join(', ')}`;
    throw invalid(name, `${flag} ${text} ${where}`);
  };
  for (const text of ranges) {
    const range = read('--ip-range', text, parsePrefix);
    const pool = poolAround('--ip-range', text, (prefix) => prefixesOverlap(prefix, range));
    pool.range = once(name, '--ip-range', pool, pool.range, range);
  }
  const around = (flag: string, text: string): readonly [Draft, Address] => {
    const address = read(flag, text, parseAddress);
    return [poolAround(flag, text, (prefix) => prefixContains(prefix, address)), address];
  };
  for (const text of gateways) {
    const [pool, address] = around('--gateway', text);
    pool.gateway = once(name, '--gateway', pool, pool.gateway, address);
  }
  for (const [label, text] of Object.entries(auxAddresses)) {
    const [pool, address] = around('--aux-address', text);
    pool.aux[label] = address;
  }
  return pools.map(({ prefix: _, aux, ...pool }) =>
    Object.keys(aux).length > 0 ? { ...pool, aux } : pool,
  );
}

interface Draft {
  readonly prefix: Prefix;
  readonly subnet: string;
  readonly aux: Record<string, string>;
  range?: string;
  gateway?: string;
}

function once(
  name: string,
  flag: string,
  { subnet }: Draft,
  before: string | undefined,
  now: string,
): string {
  if (before === undefined) return now;
  throw invalid(name, `${flag} is given twice for ${subnet}: ${before} and ${now}`);
}

function invalid(network: string, message: string, cause?: unknown): DaemonError {
  return new DaemonError({ code: 'INVALID_NETWORK', network }, message, { cause });
}
