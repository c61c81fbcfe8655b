import {
  Connection,
  type ConnectionOptions,
  bindNetns,
  closeFd,
  createNetns,
  deleteNetns,
  nft,
  type Monitor,
  type RouteMonitorOptions,
  openNetns,
  openRouteMonitor,
  writeInNetns,
} from '../netlink/index.js';

/** All that changes the kernel. A test puts its own in between, to die between any two messages. */
export interface Kernel {
  readonly connect: (options: ConnectionOptions) => Promise<Connection>;
  readonly createNetns: (path: string) => Promise<void>;
  readonly bindNetns: (netnsFd: number, path: string) => Promise<void>;
  readonly deleteNetns: (path: string) => Promise<void>;
  readonly openNetns: (path: string) => number;
  readonly closeFd: (fd: number) => void;
  readonly writeInNetns: (netnsFd: number, path: string, data: string) => Promise<void>;
  readonly monitor: (options: RouteMonitorOptions) => Promise<Monitor>;
  readonly monitorTables: (options: TableMonitorOptions) => Promise<Monitor>;
}
export type TableMonitorOptions = Parameters<typeof nft.openTableMonitor>[0];

export const realKernel: Kernel = {
  connect: async (options) => Connection.open(options),
  createNetns,
  bindNetns,
  deleteNetns,
  openNetns,
  closeFd,
  writeInNetns,
  monitor: openRouteMonitor,
  monitorTables: nft.openTableMonitor,
};
