import { createHash } from 'node:crypto';
import {
  chmod,
  copyFile,
  mkdir,
  mkdtemp,
  readFile,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { exists } from './files.js';
import { jailDirectory } from './jail.js';
import { run, runOk } from './run.js';

/** The one image of the lab: BusyBox with every applet, iproute2's `ip`, and glibc's `getent`. */
export const imageName = 'busybox';

/** Programs of this machine that go into the image along with the libraries they need. */
const programs = ['/bin/busybox', '/usr/sbin/ip', '/usr/bin/getent'];

/** Makes the image, once per jail, and returns the path of an archive for `docker load`. */
export async function ensureImage(): Promise<string> {
  const archive = join(jailDirectory, 'image.tar');
  if (await exists(archive)) return archive;
  const work = await mkdtemp(join(jailDirectory, 'image-'));
  const tree = join(work, 'tree');
  await fillTree(tree);
  await mkdir(join(work, 'image'));
  const layer = join(work, 'image', 'layer.tar');
  await runOk(['tar', '-C', tree, '-cf', layer, '.']);
  const digest = createHash('sha256')
    .update(await readFile(layer))
    .digest('hex');
  const config = {
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    config: {
      Env: ['PATH=/usr/sbin:/usr/bin:/sbin:/bin'],
      Cmd: ['sh'],
      // Nothing in the image heeds SIGTERM as PID 1, and "docker stop" would wait ten seconds each time.
      StopSignal: 'SIGKILL',
    },
    rootfs: { type: 'layers', diff_ids: [`sha256:${digest}`] },
  };
  const manifest = [
    { Config: 'config.json', RepoTags: [`${imageName}:latest`], Layers: ['layer.tar'] },
  ];
  await writeFile(join(work, 'image', 'config.json'), JSON.stringify(config));
  await writeFile(join(work, 'image', 'manifest.json'), JSON.stringify(manifest));
  await runOk(['tar', '-C', join(work, 'image'), '-cf', join(work, 'image.tar'), '.']);
  await rename(join(work, 'image.tar'), archive);
  await rm(work, { recursive: true });
  return archive;
}

async function fillTree(tree: string): Promise<void> {
  for (const directory of ['bin', 'sbin', 'etc', 'tmp', 'root', 'var', 'usr/bin', 'usr/sbin']) {
    await mkdir(join(tree, directory), { recursive: true });
  }
  await chmod(join(tree, 'tmp'), 0o1777);
  for (const program of programs) await copyWithLibraries(program, tree);
  for (const applet of (await runOk(['/bin/busybox', '--list'])).trim().split('\n')) {
    if (applet !== 'busybox') await symlink('busybox', join(tree, 'bin', applet));
  }
  await writeFile(join(tree, 'etc/nsswitch.conf'), 'hosts: files dns\n');
  await writeFile(join(tree, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
  await writeFile(join(tree, 'etc/group'), 'root:x:0:\n');
}

async function copyWithLibraries(program: string, tree: string): Promise<void> {
  // Of a static program ldd says so and fails.
  const { stdout } = await run(['ldd', program]);
  const libraries = [...stdout.matchAll(/(\/\S+) \(0x/g)];
  for (const path of [program, ...libraries.map(([, library = '']) => library)]) {
    const to = join(tree, path);
    await mkdir(dirname(to), { recursive: true });
    await copyFile(path, to);
  }
}
