import { readFileSync } from 'node:fs';
import { messageOf } from '../util/index.js';
import { checkConfig, invalid } from './check-config.js';
import { type Config, defaultConfig } from './config.js';
import { didYouMean, nearest } from './did-you-mean.js';
import { reasonOf } from './files.js';

/** Where weft looks for a configuration file when no flag and no variable names one. */
const DEFAULT_CONFIG_FILE = '/etc/weft/weft.json';

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

/** Variables of weft's own that stand for no setting: the file's name, the commands' socket, another build of the addon. */
const OTHER_VARIABLES = ['WEFT_CONFIG', 'WEFT_CONTROL_SOCKET', 'WEFT_NATIVE'];

type Tree = { [key: string]: unknown };

const ENVIRONMENT_SOURCE = 'the environment';

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

/** An empty variable counts as not set. Of those that begin with WEFT_, one that is not known is a typing error. */
function fromEnvironment(environment: NodeJS.ProcessEnv): Tree {
  const known = [...Object.keys(ENVIRONMENT), ...OTHER_VARIABLES];
  const unknown = Object.keys(environment)
    .filter((name) => name.startsWith('WEFT_') && !known.includes(name) && environment[name])
    .map((name) => `there is no variable ${name}${didYouMean(nearest(name, known))}`);
  if (unknown.length > 0) throw invalid(ENVIRONMENT_SOURCE, unknown.join('; '));
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
    throw invalid(file, `can't be read: ${reasonOf(cause)}`);
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(content);
  } catch (cause) {
    throw invalid(file, `is not JSON: ${jsonComplaint(content, cause)}`);
  }
  if (!isTree(parsed)) throw invalid(file, 'must hold one JSON object');
  return parsed;
}

/** Where the text stops being JSON. Not in V8's own words: they quote from the file, which may hold a password. */
function jsonComplaint(content: string, cause: unknown): string {
  const message = messageOf(cause);
  const position = /^(.*) in JSON at position (\d+)/.exec(message);
  if (!position) return message.split(/, (?:\.\.\.)?"/, 1)[0]!;
  const before = content.slice(0, Number(position[2])).split('\n');
  return `${position[1]} at line ${before.length}, column ${before.at(-1)!.length + 1}`;
}

export interface ConfigSources {
  readonly hostName: string;
  /** A file that must exist; without it {@link DEFAULT_CONFIG_FILE} is read if it is there. */
  readonly file?: string;
  readonly environment: NodeJS.ProcessEnv;
  /** Settings from the command line, in the shape of the file. */
  readonly flags: Tree;
}

/** Defaults, below the file, below the environment, below the flags. Throws INVALID_CONFIG naming the source and all that is wrong there. */
export function loadConfig({ hostName, file, environment, flags }: ConfigSources): Config {
  const path = file ?? environment['WEFT_CONFIG'];
  const layers: readonly (readonly [string, Tree])[] = [
    [path ?? DEFAULT_CONFIG_FILE, readFile(path ?? DEFAULT_CONFIG_FILE, path !== undefined)],
    [ENVIRONMENT_SOURCE, fromEnvironment(environment)],
    ['the command line', flags],
  ];
  let tree: Tree = defaultConfig(hostName);
  for (const [source, layer] of layers) {
    tree = merge(tree, layer);
    checkConfig(tree, source);
  }
  return tree as Config;
}
