import Value from 'typebox/value';
import { parseUpstream } from '../dns/index.js';
import { parseAddressWithLength, prefixOf, prefixesOverlap, type Prefix } from '../net/index.js';
import { messageOf } from '../util/index.js';
import { type Config, ConfigSchema } from './config.js';
import { didYouMean, nearest } from './did-you-mean.js';
import { DaemonError } from './errors.js';

/** Complaints never quote a value: it may be, or hold, a secret. Prefixes are none. */
export function invalid(source: string, message: string): DaemonError {
  return new DaemonError({ code: 'INVALID_CONFIG', source }, `${source}: ${message}`);
}

/** Throws INVALID_CONFIG that names all that is wrong; `source` is where the last settings came from. */
export function checkConfig(tree: unknown, source: string): asserts tree is Config {
  const complaints = [...unknownSettings(tree), ...misfits(tree)];
  if (complaints.length === 0) complaints.push(...badValues(tree as Config));
  if (complaints.length > 0) throw invalid(source, complaints.join('; '));
}

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
}

/** Every setting and every group of them, by its full name. */
const NAMES = namesOf(ConfigSchema as Schema);

function namesOf({ properties = {} }: Schema, at = ''): string[] {
  return Object.entries(properties).flatMap(([key, child]) => [
    at + key,
    ...namesOf(child, `${at}${key}.`),
  ]);
}

function unknownSettings(
  tree: unknown,
  schema: Schema = ConfigSchema as Schema,
  at = '',
): string[] {
  const { properties } = schema;
  if (!properties || typeof tree !== 'object' || tree === null) return [];
  return Object.entries(tree).flatMap(([key, value]) => {
    const setting = at + key;
    if (Object.hasOwn(properties, key))
      return unknownSettings(value, properties[key], `${setting}.`);
    return [`there is no setting ${setting}${didYouMean(meant(setting))}`];
  });
}

/** The setting of almost this name; or of this name, but in another place. */
function meant(setting: string): string | undefined {
  const name = setting.slice(setting.lastIndexOf('.') + 1);
  const elsewhere = NAMES.filter((other) => other.endsWith(`.${name}`));
  return nearest(setting, NAMES) ?? (elsewhere.length === 1 ? elsewhere[0] : undefined);
}

function misfits(tree: unknown): string[] {
  const complaints = new Set<string>();
  for (const error of Value.Errors(ConfigSchema, tree)) {
    // Both are about settings that there are not.
    if (error.keyword === 'boolean' || error.keyword === 'additionalProperties') continue;
    const setting = error.instancePath.slice(1).replaceAll('/', '.');
    const words =
      error.keyword === 'enum'
        ? `must be one of ${error.params.allowedValues.join(', ')}`
        : error.message;
    complaints.add(`${setting} ${words}`);
  }
  return [...complaints];
}

/** What a schema can't say. */
function badValues({ store, ipam, dns }: Config): string[] {
  return [
    ...badAddress(store.address),
    ...badRanges(ipam.ranges),
    ...badServers('dns.upstream', dns.upstream),
    ...badServers('dns.listen', dns.listen === undefined ? [] : [dns.listen]),
  ];
}

function badServers(setting: string, servers: readonly string[]): string[] {
  return servers.flatMap((server) => {
    try {
      parseUpstream(server);
      return [];
    } catch (error) {
      return [`${setting}: ${messageOf(error)}`];
    }
  });
}

function badAddress(address: string): string[] {
  if (!URL.canParse(address)) return ['store.address is not a URL'];
  const { search, hash } = new URL(address);
  if (search === '' && hash === '') return [];
  return ['store.address must end with the path; a token belongs into store.tokenFile'];
}

function badRanges(ranges: readonly string[]): string[] {
  const complaints: string[] = [];
  const good: Prefix[] = [];
  for (const range of ranges) {
    try {
      const { address, prefixLength } = parseAddressWithLength(range);
      const prefix = prefixOf(address, prefixLength);
      const other = good.find((before) => prefixesOverlap(before, prefix));
      if (prefix !== `${address}/${prefixLength}`) {
        complaints.push(`ipam.ranges: ${range} has host bits set, did you mean ${prefix}?`);
      } else if (other !== undefined) {
        complaints.push(`ipam.ranges: ${range} overlaps ${other}`);
      } else good.push(prefix);
    } catch (error) {
      complaints.push(`ipam.ranges: ${messageOf(error)}`);
    }
  }
  return complaints;
}
