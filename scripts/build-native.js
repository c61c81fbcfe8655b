// Builds native/ with node-gyp: `node scripts/build-native.js [--sanitize=address,undefined]`.
//
// Needs no download: the headers are those of the running node. Skips what is up to date. A build with sanitizers goes
// to native/build-asan and never touches the ordinary one.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const source = fileURLToPath(new URL('../native', import.meta.url));
const require = createRequire(import.meta.url);

function fail(message) {
  console.error(`build-native: ${message}`);
  process.exit(1);
}

function sourceFiles() {
  return readdirSync(source)
    .filter((name) => /\.(cc|h|gyp)$/.test(name))
    .toSorted();
}

/** Changes when a rebuild could give something else. Not with Node: the addon uses the stable Node-API. */
function fingerprint(sanitize) {
  const hash = createHash('sha256');
  hash.update(JSON.stringify([process.arch, sanitize]));
  hash.update(require('node-addon-api/package.json').version);
  for (const name of sourceFiles()) hash.update(name).update(readFileSync(join(source, name)));
  return hash.digest('hex');
}

function requireTools() {
  const packages = { 'g++': 'g++', make: 'make', python3: 'python3' };
  const missing = Object.keys(packages).filter(
    (tool) => spawnSync(tool, ['--version'], { stdio: 'ignore' }).status !== 0,
  );
  if (missing.length === 0) return;
  const names = missing.map((tool) => packages[tool]).join(' ');
  fail(`${missing.join(', ')} not found; on Debian: apt-get install ${names}`);
}

/** The folder that holds include/node/node_api.h, or undefined: node-gyp then downloads the headers. */
function nodeDir() {
  const given = process.env.npm_config_nodedir;
  if (given) return given;
  const prefix = dirname(dirname(process.execPath));
  return existsSync(join(prefix, 'include/node/node_api.h')) ? prefix : undefined;
}

/** Where node-gyp runs; it always builds in the folder of binding.gyp. */
function workFolder(sanitize) {
  if (!sanitize) return source;
  const folder = join(source, 'build-asan');
  mkdirSync(folder, { recursive: true });
  for (const name of sourceFiles()) cpSync(join(source, name), join(folder, name));
  return folder;
}

const { values } = parseArgs({ options: { sanitize: { type: 'string', default: '' } } });
const sanitize = values.sanitize;
if (!/^([a-z]+(,[a-z]+)*)?$/.test(sanitize))
  fail('--sanitize wants names such as address,undefined');

const folder = workFolder(sanitize);
const stamp = join(folder, 'build/fingerprint');
const wanted = fingerprint(sanitize);
const built = join(folder, 'build/Release/weft.node');
if (existsSync(built) && existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted)
  process.exit(0);

requireTools();
const args = [require.resolve('node-gyp/bin/node-gyp.js'), 'rebuild', '--release', '-C', folder];
const headers = nodeDir();
if (headers) args.push(`--nodedir=${headers}`);
args.push('--', `-Dsanitize=${sanitize}`);
const run = spawnSync(process.execPath, args, { encoding: 'utf8' });
if (run.status !== 0) {
  process.stderr.write(`${run.stdout}${run.stderr}`);
  fail(`node-gyp failed with status ${run.status}; its output is above`);
}
writeFileSync(stamp, wanted);
