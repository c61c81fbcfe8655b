/** The kernel with somebody in between: who counts what changes it, and dies or refuses at a given change. */
import { Connection, type ConnectionOptions } from '../../src/netlink/index.js';
import { closeSocket, execute } from '../../src/netlink/native.js';
import { openSocketIn } from '../../src/netlink/connection.js';
import { type Kernel, realKernel } from '../../src/vxlan/kernel.js';

/** linux/rtnetlink.h: NEW, DEL, GET, SET for each sort; nf_tables.h: NEW, GET, DEL. A batch of nftables is one change. */
function isChange(type: number): boolean {
  const subsystem = type >> 8;
  if (subsystem === 0) return type >= 16 && type % 4 !== 2;
  return type === 0x10;
}

/** The messages of a datagram: where each starts, and its type. */
function messagesOf(datagram: Uint8Array): { readonly at: number; readonly type: number }[] {
  const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.byteLength);
  const messages = [];
  for (let at = 0; at < view.byteLength; at += (view.getUint32(at, true) + 3) & ~3) {
    messages.push({ at, type: view.getUint16(at + 4, true) });
  }
  return messages;
}

export class Fault extends Error {}

export class FaultyKernel implements Kernel {
  /** Changes so far. */
  changes = 0;
  isDead = false;
  readonly monitor = realKernel.monitor;
  readonly monitorTables = realKernel.monitorTables;
  readonly openNetns = realKernel.openNetns;
  readonly closeFd = realKernel.closeFd;
  readonly #failAt: number;
  readonly #mode: 'die' | 'refuse';

  /** Change number `failAt`, counted from 0, does not come to pass: as if killed there, or refused there and only there. */
  constructor(failAt = Infinity, mode: 'die' | 'refuse' = 'die') {
    this.#failAt = failAt;
    this.#mode = mode;
  }

  /** Whether one more change may be made. */
  #next(): boolean {
    if (this.isDead) throw new Fault('dead');
    const isDue = this.changes === this.#failAt;
    this.changes += 1;
    if (isDue && this.#mode === 'die') this.isDead = true;
    return !isDue;
  }

  async #change(change: () => Promise<void>): Promise<void> {
    if (!this.#next()) throw new Fault('failed here');
    await change();
  }

  async createNetns(path: string): Promise<void> {
    await this.#change(async () => realKernel.createNetns(path));
  }

  async bindNetns(netnsFd: number, path: string): Promise<void> {
    await this.#change(async () => realKernel.bindNetns(netnsFd, path));
  }

  async deleteNetns(path: string): Promise<void> {
    await this.#change(async () => realKernel.deleteNetns(path));
  }

  async writeInNetns(netnsFd: number, path: string, data: string): Promise<void> {
    if (this.isDead) throw new Fault('dead');
    await realKernel.writeInNetns(netnsFd, path, data);
  }

  async connect(options: ConnectionOptions): Promise<Connection> {
    if (this.isDead) throw new Fault('dead');
    const socket = await openSocketIn(options);
    return new Connection({
      execute: async (request) => {
        if (this.isDead) throw new Fault('dead');
        for (const { at, type } of messagesOf(request)) {
          if (!isChange(type) || this.#next()) continue;
          // What stood before it in the datagram was done.
          if (at > 0) await execute(socket, request.subarray(0, at));
          throw new Fault('failed here');
        }
        return execute(socket, request);
      },
      close: () => {
        closeSocket(socket);
      },
    });
  }
}
