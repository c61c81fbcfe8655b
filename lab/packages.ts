import { createHash } from 'node:crypto';
import { copyFile, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { homedir } from 'node:os';
import { install, unpackFrom, type AptPackage, type Suite } from './apt.js';
import { LabError } from './errors.js';
import { exists } from './files.js';
import { run, systemPath } from './run.js';

/** The engines weft is tested with. `28.5` is Debian unstable's: the newest that runs here. */
export const engineReleases = ['20.10', '26.1', '28.5'] as const;
export type EngineRelease = (typeof engineReleases)[number];

export interface Engine {
  readonly release: EngineRelease;
  /** What dockerd calls itself, say `28.5.2+dfsg4`. */
  readonly version: string;
  /** Directories that hold dockerd, docker, containerd, runc and their helpers, for PATH. */
  readonly path: readonly string[];
}

/** Binaries out of Debian packages, kept together in the cache. */
interface Bundle {
  readonly suite: Suite;
  readonly packages: readonly string[];
  /** Paths inside the packages; symbolic links are followed. */
  readonly files: readonly string[];
}

const renamed: Readonly<Record<string, string>> = { 'tini-static': 'docker-init' };
/** Where Debian keeps libraries. */
const multiarch = `${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`;
const dockerFiles = ['usr/sbin/dockerd', 'usr/sbin/docker-proxy', 'usr/bin/docker'];

// Only the daemon and its direct helpers come from newer suites: their runc and containerd want a newer libc.
const bundles = {
  consul: { suite: 'bullseye', packages: ['consul'], files: ['usr/bin/consul'] },
  runtime: {
    suite: 'bookworm',
    packages: ['containerd', 'runc', 'tini'],
    files: [
      'usr/bin/containerd',
      'usr/bin/containerd-shim-runc-v2',
      'usr/bin/containerd-shim',
      'usr/sbin/runc',
      'usr/bin/tini-static',
    ],
  },
  compose: {
    suite: 'trixie',
    packages: ['docker-compose'],
    files: ['usr/libexec/docker/cli-plugins/docker-compose'],
  },
  // Unpacked, as the installed package would serve the machine; with what it needs that a small Debian lacks.
  unbound: {
    suite: 'bookworm',
    packages: ['unbound', 'libprotobuf-c1', 'libevent-2.1-7', 'libnghttp2-14', 'libpython3.11'],
    files: [
      'usr/sbin/unbound',
      ...['protobuf-c.so.1', 'event-2.1.so.7', 'nghttp2.so.14', 'python3.11.so.1.0'].map(
        (name) => `usr/lib/${multiarch}/lib${name}`,
      ),
    ],
  },
  'docker-20.10': { suite: 'bookworm', packages: ['docker.io'], files: dockerFiles },
  'docker-26.1': { suite: 'trixie', packages: ['docker.io', 'docker-cli'], files: dockerFiles },
  'docker-28.5': { suite: 'sid', packages: ['docker.io', 'docker-cli'], files: dockerFiles },
} as const satisfies Record<string, Bundle>;

/** What the lab needs from the machine itself: a command or library, and the package that has it. */
const tools: readonly (readonly [path: string, debianPackage: string])[] = [
  ['ip', 'iproute2'],
  ['iptables', 'iptables'],
  ['nft', 'nftables'],
  ['busybox', 'busybox-static'],
  ['nsenter', 'util-linux'],
  ['libdevmapper.so.1.02.1', 'libdevmapper1.02.1'],
  ['libseccomp.so.2', 'libseccomp2'],
];
/** What tests use besides: to see what a program sends, to send what no program would, whom people point at weft, and whom they ask with. */
const testTools: typeof tools = [
  ['strace', 'strace'],
  ['python3', 'python3'],
  ['openssl', 'openssl'],
  ['dnsmasq', 'dnsmasq-base'],
  ['dig', 'bind9-dnsutils'],
  ['curl', 'curl'],
];
/** What benchmarks send and measure packets with. */
const benchTools: typeof tools = [
  ['iperf3', 'iperf3'],
  ['sockperf', 'sockperf'],
  ['perf', 'linux-perf'],
  ['dnsperf', 'dnsperf'],
  ['dnsmasq', 'dnsmasq-base'],
];

/** The path of a consul binary: CONSUL_BIN, or Debian 11's 1.8.7 out of the cache, fetched when missing. */
export async function ensureConsul(): Promise<string> {
  const own = process.env['CONSUL_BIN'];
  if (own === undefined || own === '') return join(await ensureBundle('consul'), 'consul');
  if (await exists(own)) return own;
  throw new LabError(
    { code: 'MACHINE_UNFIT', lacks: own },
    `CONSUL_BIN names ${own}, which does not exist`,
  );
}

/** The binaries of one engine, fetched when missing. */
export async function ensureEngine(release: EngineRelease): Promise<Engine> {
  const docker = await ensureBundle(`docker-${release}`);
  const runtime = await ensureRuntime();
  const shown = await run([join(docker, 'dockerd'), '--version']);
  const version = /version ([^\s,]+)/.exec(shown.stdout)?.[1];
  if (version === undefined) {
    throw new LabError(
      { code: 'MACHINE_UNFIT', lacks: `engine ${release}` },
      `Debian's dockerd for ${release} does not run on this machine: ${shown.stderr.trim()}`,
    );
  }
  return { release, version, path: [docker, runtime] };
}

/** The directory of containerd, runc and docker-init, fetched when missing. */
export async function ensureRuntime(): Promise<string> {
  return ensureBundle('runtime');
}

/** The path of Docker Compose, a plugin of the command `docker`; fetched when missing. */
export async function ensureCompose(): Promise<string> {
  return join(await ensureBundle('compose'), 'docker-compose');
}

/** Installs what the lab needs from the machine and lacks; root when something does. */
export async function ensureTools(): Promise<void> {
  await installMissing(tools);
}

/** Installs what the tests of the kernel and on a lab need and lack. */
export async function ensureTestTools(): Promise<void> {
  await installMissing([...tools, ...testTools]);
}

/** Installs and fetches what benchmarks need beyond a lab, and lack. */
export async function ensureBenchTools(): Promise<void> {
  await installMissing(benchTools);
  await ensureUnbound();
}

/** The directory of the resolver unbound and of libraries that it needs; fetched when missing. */
export async function ensureUnbound(): Promise<string> {
  return ensureBundle('unbound');
}

/** Fetches and installs everything a lab with this engine needs; inside a jail there is no network to do so. */
export async function ensureLabPackages(engine: EngineRelease): Promise<void> {
  await ensureTools();
  await Promise.all([ensureRuntime(), ensureConsul(), ensureCompose()]);
  await ensureEngine(engine);
}

/** Where everything fetched is kept, outside the clone; safe to remove at any time no lab runs. */
export function cacheDirectory(): string {
  const base = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  return join(base, 'weft-lab');
}

/** The directory of one bundle's binaries. Whoever comes first fetches; the rename makes it whole or absent. */
async function ensureBundle(name: keyof typeof bundles): Promise<string> {
  const bundle: Bundle = bundles[name];
  const version = createHash('sha256').update(JSON.stringify(bundle)).digest('hex').slice(0, 8);
  const dir = join(cacheDirectory(), `${name}-${process.arch}-${version}`);
  if (await exists(dir)) return dir;
  await mkdir(cacheDirectory(), { recursive: true });
  console.error(`fetching ${bundle.packages.join(', ')} from Debian ${bundle.suite}`);
  const work = await mkdtemp(join(cacheDirectory(), '.fetch-'));
  try {
    const packages = await unpackFrom(bundle.suite, bundle.packages, work);
    const bin = join(work, 'bin');
    await mkdir(bin);
    for (const file of bundle.files) {
      const own = basename(file);
      // dockerd looks for its init by this name.
      await copyFile(join(work, 'root', file), join(bin, renamed[own] ?? own));
    }
    await writeFile(join(bin, 'packages'), packages.map(line).join(''));
    await rename(bin, dir).catch(async (error: unknown) => {
      if (!(await exists(dir))) throw error;
    });
    return dir;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

function line(entry: AptPackage): string {
  return `${entry.name} ${entry.version}\n`;
}

async function installMissing(wanted: typeof tools): Promise<void> {
  const missing: string[] = [];
  for (const [file, debianPackage] of wanted) {
    if (!(await isPresent(file))) missing.push(debianPackage);
  }
  if (missing.length > 0) await install(missing);
}

async function isPresent(file: string): Promise<boolean> {
  if (file.includes('.so.')) {
    return (await readFile('/etc/ld.so.cache', 'latin1')).includes(`${file}\0`);
  }
  for (const dir of systemPath().split(':')) if (await exists(join(dir, file))) return true;
  return false;
}
