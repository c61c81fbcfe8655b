import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../src/util/index.js';
import { LabError } from './errors.js';
import { exists } from './files.js';
import { commandFailed, run, runOk, type RunOptions } from './run.js';

/** Debian releases the lab takes files from, by the names its mirrors give them. */
export type Suite = 'bullseye' | 'bookworm' | 'trixie' | 'sid';

export interface AptPackage {
  readonly name: string;
  readonly version: string;
}

const updateTimeoutMs = 180_000;
const downloadTimeoutMs = 600_000;
const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';

/**
 * Downloads packages of any Debian suite with apt's own checks (signature, sha256) and unpacks them into
 * `dir`/root, without touching what is installed or the machine's own apt state. Everything else that apt
 * needs lies in `dir` too, so two downloads never wait for each other's locks.
 */
export async function unpackFrom(
  suite: Suite,
  names: readonly string[],
  dir: string,
): Promise<AptPackage[]> {
  const options = await suiteOptions(suite, dir);
  const debs = join(dir, 'debs');
  const root = join(dir, 'root');
  await mkdir(debs);
  await mkdir(root);
  try {
    // Without the flag a mirror that cannot be reached is only a warning.
    await aptGet([...options, 'update', '--error-on=any'], { timeoutMs: updateTimeoutMs });
    await aptGet([...options, 'download', ...names], { cwd: debs, timeoutMs: downloadTimeoutMs });
  } catch (cause) {
    throw unavailable(` from Debian ${suite}`, names, cause);
  }
  const packages: AptPackage[] = [];
  for (const deb of await readdir(debs)) {
    const path = join(debs, deb);
    await runOk(['dpkg', '-x', path, root]);
    const shown = await runOk([
      'dpkg-deb',
      '--show',
      '--showformat',
      '${Package} ${Version}',
      path,
    ]);
    const [name = '', version = ''] = shown.split(' ');
    packages.push({ name, version });
  }
  return packages;
}

/** Installs Debian packages on this machine; needs root. */
export async function install(names: readonly string[]): Promise<void> {
  if (process.getuid?.() !== 0) {
    throw new LabError(
      { code: 'MACHINE_UNFIT', lacks: names.join(' ') },
      `missing Debian packages; as root: apt-get install ${names.join(' ')}`,
    );
  }
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const lock = ['-o', 'DPkg::Lock::Timeout=300'];
  const argv = [...lock, '-y', '--no-install-recommends', 'install', ...names];
  try {
    // A machine that has never seen "apt-get update" has no lists to install from.
    await aptGet(argv, { env, timeoutMs: downloadTimeoutMs }).catch(async () => {
      await aptGet([...lock, 'update'], { env, timeoutMs: updateTimeoutMs });
      await aptGet(argv, { env, timeoutMs: downloadTimeoutMs });
    });
  } catch (cause) {
    throw unavailable('', names, cause);
  }
}

async function aptGet(args: readonly string[], options: RunOptions): Promise<void> {
  const result = await run(['apt-get', '-qq', ...args], options);
  if (result.code === 0) return;
  const argv = ['apt-get', ...args.filter((arg) => !arg.includes('::') && arg !== '-o')];
  throw commandFailed({ ...result, argv });
}

/** Options that make apt see one suite of the machine's own Debian mirror and nothing else. */
async function suiteOptions(suite: Suite, dir: string): Promise<string[]> {
  const sources = join(dir, 'sources.list');
  const signedBy = (await exists(keyring)) ? `[signed-by=${keyring}] ` : '';
  await mkdir(join(dir, 'lists', 'partial'), { recursive: true });
  await mkdir(join(dir, 'cache', 'archives', 'partial'), { recursive: true });
  await writeFile(sources, `deb ${signedBy}${await mirror()} ${suite} main\n`);
  const settings = {
    'Dir::Etc::SourceList': sources,
    'Dir::Etc::SourceParts': '/dev/null',
    'Dir::State::Lists': join(dir, 'lists'),
    'Dir::Cache': join(dir, 'cache'),
    'APT::Sandbox::User': 'root',
    'Acquire::Languages': 'none',
    'Acquire::Retries': '3',
  };
  return Object.entries(settings).flatMap(([key, value]) => ['-o', `${key}=${value}`]);
}

/**
 * The Debian mirror this machine uses, taken from apt's own reading of its sources in whatever form they
 * are written: `apt-get update --print-uris` names the index files it would fetch.
 */
async function mirror(): Promise<string> {
  const release = /^VERSION_CODENAME=(.+)$/m.exec(await readFile('/etc/os-release', 'utf8'))?.[1];
  const uris = await runOk(['apt-get', 'update', '--print-uris']).catch(() => '');
  const found = [...uris.matchAll(/^'(.+)\/dists\/([^/']+)\/InRelease'/gm)];
  const own = found.find(([, , suite]) => suite === release || suite === 'stable');
  if (own?.[1] !== undefined) return own[1];
  throw new LabError(
    { code: 'MACHINE_UNFIT', lacks: 'a Debian mirror' },
    'the apt sources of this machine name no Debian mirror; the lab takes its engines from one',
  );
}

function unavailable(where: string, names: readonly string[], cause: unknown): LabError {
  return new LabError(
    { code: 'PACKAGE_UNAVAILABLE', packages: names },
    `cannot get ${names.join(', ')}${where}: ${messageOf(cause)}`,
    { cause },
  );
}
