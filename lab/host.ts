import { mkdir, readdir, symlink } from 'node:fs/promises';
import { request } from 'node:http';
import { createConnection } from 'node:net';
import { dirname, join } from 'node:path';
import { Machine, projectDirectory, type MachineState } from './machine.js';
import { type Engine, ensureCompose } from './packages.js';
import { runOk, type RunOptions, type RunResult } from './run.js';
import { Service } from './service.js';

export const weftMain = join(projectDirectory, 'dist/src/cli/main.js');
const configPath = '/etc/weft/weft.json';
const dockerSocket = '/run/docker.sock';
const namesSocket = '/run/weft/names.sock';
const pluginSocket = '/run/docker/plugins/weft.sock';

/** A machine with a Docker engine and a weft daemon. */
export class Host extends Machine {
  readonly engine: Service;
  readonly daemon: Service;
  /** Answers names while the daemon restarts; not started with the lab. */
  readonly names: Service;

  constructor(state: MachineState) {
    super(state);
    this.engine = new Service(this, {
      name: 'dockerd',
      argv: ['dockerd'],
      isReady: async () => answers(this.path(dockerSocket), 'GET', '/_ping'),
      // While weft is away it asks for it, 15 s for each network, before it answers anybody.
      readyTimeoutMs: 120_000,
    });
    this.daemon = new Service(this, {
      name: 'weftd',
      argv: [process.execPath, weftMain, 'up', '--config', configPath],
      // Not that the socket is there: a daemon that was killed leaves it.
      isReady: async () => answers(this.path(pluginSocket), 'POST', '/Plugin.Activate'),
    });
    this.names = new Service(this, {
      name: 'weft-names',
      argv: [process.execPath, weftMain, 'names', '--config', configPath],
      isReady: async () => listens(this.path(namesSocket)),
    });
  }

  /** Runs `docker` with these arguments; it must succeed. Its output without the last line end. */
  async docker(...args: readonly string[]): Promise<string> {
    return (await this.execOk(['docker', ...args])).trimEnd();
  }

  /** Runs `docker` with these arguments, however it ends. */
  async tryDocker(...args: readonly string[]): Promise<RunResult> {
    return this.exec(['docker', ...args]);
  }

  /** Runs `weft` with these arguments; it must succeed. Its output without the last line end. */
  async weft(...args: readonly string[]): Promise<string> {
    return (await this.execOk(['weft', ...args])).trimEnd();
  }

  /** Runs a command in one of this host's containers; it must succeed. */
  async inContainer(
    container: string,
    argv: readonly string[],
    options: RunOptions = {},
  ): Promise<string> {
    return (await this.execOk(['docker', 'exec', container, ...argv], options)).trimEnd();
  }

  /** Puts the engine's commands, its configuration and `weft` in place; starts nothing. */
  async install(engine: Engine, daemonJson: Readonly<Record<string, unknown>> = {}): Promise<void> {
    for (const directory of engine.path) {
      for (const file of await readdir(directory)) {
        const link = this.path(join('/usr/local/bin', file));
        await runOk(['rm', '-f', link]);
        await symlink(join(directory, file), link);
      }
    }
    const plugin = this.path('/usr/local/lib/docker/cli-plugins/docker-compose');
    await mkdir(dirname(plugin), { recursive: true });
    await runOk(['rm', '-f', plugin]);
    await symlink(await ensureCompose(), plugin);
    const script = `#!/bin/sh\nexec ${process.execPath} ${weftMain} "$@"\n`;
    await this.writeFile('/usr/local/bin/weft', script, 0o755);
    const config = {
      'exec-opts': ['native.cgroupdriver=cgroupfs'],
      'cgroup-parent': this.state.cgroup,
      'storage-driver': 'overlay2',
      ...daemonJson,
    };
    await this.writeFile('/etc/docker/daemon.json', JSON.stringify(config, undefined, 2));
  }

  /** Writes the file that weftd reads when it starts. */
  async configureWeft(config: Readonly<Record<string, unknown>>): Promise<void> {
    await this.writeFile(configPath, JSON.stringify(config, undefined, 2));
  }

  /** Loads an image archive into the engine. */
  async loadImage(archive: string): Promise<void> {
    await this.execOk(['docker', 'load', '--quiet'], { inputFile: archive });
  }
}

/** True when somebody listens on the socket. */
async function listens(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(socketPath, () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

/** True when somebody answers well on the socket. */
async function answers(socketPath: string, method: string, path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const options = { socketPath, method, path, timeout: 2000, agent: false };
    const asked = request(options, (reply) => {
      reply.resume();
      resolve(reply.statusCode === 200);
    });
    asked.on('timeout', () => asked.destroy());
    asked.on('error', () => resolve(false));
    asked.end();
  });
}
