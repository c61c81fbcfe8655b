/** What all networks of a host share: its namespace, its underlay, the folder of namespaces. */
import { type FSWatcher, watch } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Connection, type Link, currentNetnsFd, dumpLinks } from '../netlink/index.js';
import { Closer } from '../util/index.js';
import { hasErrno } from './errors.js';
import type { Kernel } from './kernel.js';
import { isContainerLink, netnsName, networkOfNetns, parseMark } from './names.js';
import type { Underlay } from './types.js';

export interface HostOptions {
  readonly kernel: Kernel;
  readonly underlay: Underlay;
  readonly netnsDir: string;
  /** File of the namespace that is the host; default: this process's. */
  readonly hostNetns?: string | undefined;
}

/** A link of ours in the host's namespace that a container should have taken along. */
export interface ContainerLink {
  readonly link: Link;
  /** From its mark; absent when it was made and not yet marked. */
  readonly networkId?: string | undefined;
  readonly endpointId?: string | undefined;
}

export class Host implements AsyncDisposable {
  readonly kernel: Kernel;
  /** As it is now; see setUnderlay of types.ts. */
  underlay: Underlay;
  readonly netnsDir: string;
  /** The host's namespace. */
  readonly netnsFd: number;
  /** rtnetlink there. */
  readonly conn: Connection;
  readonly #closer: Closer;
  #watcher: FSWatcher | undefined;

  private constructor(options: HostOptions, netnsFd: number, conn: Connection, closer: Closer) {
    this.kernel = options.kernel;
    this.underlay = options.underlay;
    this.netnsDir = options.netnsDir;
    this.netnsFd = netnsFd;
    this.conn = conn;
    this.#closer = closer;
  }

  static async open(options: HostOptions): Promise<Host> {
    const { kernel, hostNetns } = options;
    const closer = new Closer();
    try {
      const netnsFd = hostNetns === undefined ? currentNetnsFd() : kernel.openNetns(hostNetns);
      closer.defer(() => {
        kernel.closeFd(netnsFd);
      });
      const conn = closer.use(await kernel.connect({ netns: netnsFd }));
      return new Host(options, netnsFd, conn, closer);
    } catch (error) {
      await closer.close();
      throw error;
    }
  }

  netnsPath(networkId: string): string {
    return join(this.netnsDir, netnsName(networkId));
  }

  /** Networks that have a namespace here, whoever wants them. */
  async networksOnDisk(): Promise<string[]> {
    const names = await readdir(this.netnsDir).catch((error: unknown) => {
      if (!hasErrno(error, 'ENOENT')) throw error;
      return [];
    });
    return names.flatMap((name) => networkOfNetns(name) ?? []);
  }

  /** From then on hears of networks whose namespace's file came or went. Without a folder there is nothing to hear of. */
  watchNetns(onChange: (networkId: string) => void): void {
    if (this.#watcher !== undefined) return;
    const watcher = watch(this.netnsDir, { persistent: false }, (_event, name) => {
      const networkId = networkOfNetns(name ?? '');
      if (networkId !== undefined) onChange(networkId);
    });
    // The folder is gone; a later call begins again.
    watcher.on('error', () => {
      watcher.close();
      this.#watcher = undefined;
    });
    this.#watcher = watcher;
  }

  /** Container ends of veths that are in the host's namespace. */
  async containerLinks(): Promise<ContainerLink[]> {
    const links = (await dumpLinks(this.conn)).filter(
      ({ name, kind }) => kind?.type === 'veth' && isContainerLink(name),
    );
    return links.flatMap((link) => {
      const mark = parseMark(link.alias);
      if (mark === undefined && link.alias !== undefined) return [];
      return [{ link, ...mark }];
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#watcher?.close();
    await this.#closer.close();
  }
}
