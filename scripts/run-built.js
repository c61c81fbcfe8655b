// Runs one of the project's own programs from a clean clone: `node scripts/run-built.js lab/main [arguments]`.
//
// Installs what is missing (npm packages; as root a compiler from Debian), builds what is not up to date, then becomes
// the program. Plain JavaScript, because it is what makes the rest runnable.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const [program = '', ...args] = process.argv.slice(2);
const root = fileURLToPath(new URL('..', import.meta.url));
const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
const wantsNative = !args.includes('--help');

function succeeds(file, ...rest) {
  return spawnSync(file, rest, { cwd: root, env, stdio: 'ignore' }).status === 0;
}

function must(why, file, ...rest) {
  const { status, error } = spawnSync(file, rest, { cwd: root, env, stdio: [0, 2, 2] });
  if (status === 0) return;
  console.error(`run-built: could not ${why}: ${error?.message ?? `${file} ended with ${status}`}`);
  if (program.startsWith('test/')) console.log('0 passed, 1 failed');
  process.exit(1);
}

function installCompiler() {
  const missing = ['g++', 'make', 'python3'].filter((tool) => !succeeds(tool, '--version'));
  if (missing.length === 0 || process.getuid() !== 0) return;
  console.error(`installing ${missing.join(', ')}`);
  const install = ['-qq', '-y', '--no-install-recommends', 'install', ...missing];
  if (succeeds('apt-get', ...install)) return;
  must('read the package lists', 'apt-get', '-qq', 'update');
  must(`install ${missing.join(', ')}`, 'apt-get', ...install);
}

if (!existsSync(new URL('../node_modules', import.meta.url))) {
  console.error('installing npm packages');
  must('install npm packages', 'npm', 'ci', '--no-audit', '--no-fund');
}
if (wantsNative) {
  installCompiler();
  must('build the native addon', process.execPath, 'scripts/build-native.js');
}
must('compile', 'node_modules/.bin/tsc', '-b');

const file = fileURLToPath(new URL(`../dist/${program}.js`, import.meta.url));
process.argv = [process.execPath, file, ...args];
await import(file);
