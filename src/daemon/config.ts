import { readFileSync } from 'node:fs';
import Type, { type Static } from 'typebox';
import type { TLocalizedValidationError } from 'typebox/error';
import Value from 'typebox/value';
import { messageOf } from '../util/index.js';
import { DaemonError } from './errors.js';

/** Where weft looks for a configuration file when no flag and no variable names one. */
export const DEFAULT_CONFIG_FILE = '/etc/weft/weft.json';

const text = (description: string, rest: object = {}) =>
  Type.String({ minLength: 1, maxLength: 4096, description, ...rest });

/** Everything that can be configured; docs/configuration.md is held against it by a test. */
export const ConfigSchema = Type.Object(
  {
    hostName: text('name of this host; default: the system host name', {
      pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$',
    }),
    store: Type.Object(
      {
        kind: Type.Enum(['embedded', 'consul'], {
          description: 'embedded: one host, a file on its disk; consul: a cluster',
        }),
        address: text('Consul: http or https URL of an agent', { pattern: '^https?://' }),
        prefix: text('Consul: what every key starts with', { pattern: '/$' }),
        datacenter: Type.Optional(text('Consul: datacenter; default: the agent’s own')),
        tokenFile: Type.Optional(text('Consul: file that holds the ACL token')),
        caFile: Type.Optional(text('Consul: CA that signed the agent’s certificate')),
        certFile: Type.Optional(text('Consul: client certificate')),
        keyFile: Type.Optional(text('Consul: key of the client certificate')),
        timeoutMs: Type.Integer({
          minimum: 100,
          maximum: 30_000,
          description: 'longest wait for one answer of the store',
        }),
      },
      { additionalProperties: false },
    ),
    underlay: Type.Object(
      {
        select: Type.Optional(
          text('link name, address or prefix that carries the tunnels; default: the default route'),
        ),
        mtu: Type.Optional(
          Type.Integer({
            minimum: 1280,
            maximum: 65_535,
            description: 'MTU of the underlay path, octets; default: the link’s own',
          }),
        ),
        port: Type.Integer({ minimum: 1, maximum: 65_535, description: 'UDP port of VXLAN' }),
      },
      { additionalProperties: false },
    ),
    ipam: Type.Object(
      {
        ranges: Type.Array(text('prefix'), {
          minItems: 1,
          maxItems: 16,
          description: 'prefixes that networks without --subnet are cut from',
        }),
        restSec: Type.Integer({
          minimum: 0,
          maximum: 86_400,
          description: 'how long a freed address rests before it is chosen again',
        }),
      },
      { additionalProperties: false },
    ),
    stateDir: text('what must survive a restart'),
    runDir: text('control socket'),
    netnsDir: text('where the networks’ namespaces are mounted'),
    pluginSocket: text('where Docker looks for the plugin'),
    dockerSocket: text('the engine’s API'),
    log: Type.Object(
      {
        level: Type.Enum(['error', 'warn', 'info', 'debug', 'trace'], {
          description: 'error, warn, info, debug or trace',
        }),
        format: Type.Enum(['json', 'text'], {
          description: 'json for machines, text for people',
        }),
      },
      { additionalProperties: false },
    ),
  },
  { additionalProperties: false },
);

export type Config = Static<typeof ConfigSchema>;

/** Every default with its reason. */
export function defaultConfig(hostName: string): Config {
  return {
    hostName,
    store: {
      kind: 'embedded', // works with no other program
      address: 'http://127.0.0.1:8500', // Consul's usual local agent
      prefix: 'weft/v1/',
      timeoutMs: 2000, // several times a leader election's usual answer, well inside one plugin call
    },
    underlay: { port: 4789 }, // RFC 7348
    ipam: {
      // Away from Docker's own 172.16/12 and 192.168/16, and from the low 10/8 that most companies route.
      ranges: ['10.192.0.0/10', 'fd77:6566:7400::/48'],
      restSec: 60, // longer than any neighbor or connection cache should trust a dead address
    },
    stateDir: '/var/lib/weft',
    runDir: '/run/weft',
    netnsDir: '/run/netns', // where `ip netns` looks, so that people can enter them
    pluginSocket: '/run/docker/plugins/weft.sock', // fixed by Docker
    dockerSocket: '/var/run/docker.sock',
    log: { level: 'info', format: 'text' },
  };
}

/** Environment variables and the setting that each stands for. */
export const ENVIRONMENT: Readonly<Record<string, readonly string[]>> = {
  WEFT_HOST_NAME: ['hostName'],
  WEFT_STORE: ['store', 'kind'],
  WEFT_CONSUL_ADDRESS: ['store', 'address'],
  WEFT_CONSUL_PREFIX: ['store', 'prefix'],
  WEFT_CONSUL_DATACENTER: ['store', 'datacenter'],
  WEFT_CONSUL_TOKEN_FILE: ['store', 'tokenFile'],
  WEFT_UNDERLAY: ['underlay', 'select'],
  WEFT_UNDERLAY_MTU: ['underlay', 'mtu'],
  WEFT_UNDERLAY_PORT: ['underlay', 'port'],
  WEFT_STATE_DIR: ['stateDir'],
  WEFT_RUN_DIR: ['runDir'],
  WEFT_DOCKER_SOCKET: ['dockerSocket'],
  WEFT_LOG_LEVEL: ['log', 'level'],
  WEFT_LOG_FORMAT: ['log', 'format'],
};

type Tree = { [key: string]: unknown };

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function merge(below: Tree, above: Tree): Tree {
  const result: Tree = { ...below };
  for (const [key, value] of Object.entries(above)) {
    if (value === undefined) continue;
    const under = result[key];
    result[key] = isTree(under) && isTree(value) ? merge(under, value) : value;
  }
  return result;
}

/** Sets one setting out of text; numbers where the text is one, so that the schema can judge it. */
function assign(tree: Tree, path: readonly string[], value: string): void {
  let at = tree;
  for (const key of path.slice(0, -1)) {
    const next = at[key];
    at = isTree(next) ? next : (at[key] = {} as Tree);
  }
  at[path.at(-1)!] = /^\d+$/.test(value) ? Number(value) : value;
}

function fromEnvironment(environment: NodeJS.ProcessEnv): Tree {
  const tree: Tree = {};
  for (const [name, path] of Object.entries(ENVIRONMENT)) {
    const value = environment[name];
    if (value !== undefined && value !== '') assign(tree, path, value);
  }
  return tree;
}

function readFile(file: string, required: boolean): Tree {
  let content: string;
  try {
    content = readFileSync(file, 'utf8');
  } catch (cause) {
    if (!required && (cause as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw invalid(file, `${file} can't be read: ${messageOf(cause)}`, cause);
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(content);
  } catch (cause) {
    throw invalid(file, `${file} is not JSON: ${messageOf(cause)}`, cause);
  }
  if (!isTree(parsed)) throw invalid(file, `${file} must hold one JSON object`);
  return parsed;
}

function invalid(source: string, message: string, cause?: unknown): DaemonError {
  return new DaemonError({ code: 'INVALID_CONFIG', source }, message, { cause });
}

/** Checks one layer before it is merged, so that an error can say where the setting came from. */
function check(tree: unknown, source: string): asserts tree is Config {
  for (const error of Value.Errors(ConfigSchema, tree)) {
    const setting = error.instancePath.slice(1).replaceAll('/', '.');
    throw invalid(source, `${source}: ${complaint(setting, error)}`);
  }
}

function complaint(setting: string, error: TLocalizedValidationError): string {
  // TypeBox reports a property that the schema has not as a schema that is false.
  if (error.keyword === 'boolean') return `there is no setting ${setting}`;
  if (error.keyword === 'enum') {
    return `${setting} must be one of ${error.params.allowedValues.join(', ')}`;
  }
  return `${setting} ${error.message}`;
}

export interface ConfigSources {
  readonly hostName: string;
  /** A file that must exist; without it {@link DEFAULT_CONFIG_FILE} is read if it is there. */
  readonly file?: string;
  readonly environment: NodeJS.ProcessEnv;
  /** Settings from the command line, in the shape of the file. */
  readonly flags: Tree;
}

/** Defaults, below the file, below the environment, below the flags. Throws INVALID_CONFIG naming source and setting. */
export function loadConfig({ hostName, file, environment, flags }: ConfigSources): Config {
  const path = file ?? environment['WEFT_CONFIG'];
  const layers: readonly (readonly [string, Tree])[] = [
    [path ?? DEFAULT_CONFIG_FILE, readFile(path ?? DEFAULT_CONFIG_FILE, path !== undefined)],
    ['the environment', fromEnvironment(environment)],
    ['the command line', flags],
  ];
  let tree: Tree = defaultConfig(hostName);
  for (const [source, layer] of layers) {
    tree = merge(tree, layer);
    check(tree, source);
  }
  return tree as Config;
}
