import {
  Connection,
  type ConnectionOptions,
  closeFd,
  createNetns,
  deleteNetns,
  type Monitor,
  type RouteMonitorOptions,
  openNetns,
  openRouteMonitor,
  writeInNetns,
} from '../netlink/index.js';

/** All that changes the kernel. A test puts its own in between, to die between any two messages. */
export interface Kernel {
  connect(options: ConnectionOptions): Promise<Connection>;
  createNetns(path: string): Promise<void>;
  deleteNetns(path: string): Promise<void>;
  openNetns(path: string): number;
  closeFd(fd: number): void;
  writeInNetns(netnsFd: number, path: string, data: string): Promise<void>;
  monitor(options: RouteMonitorOptions): Promise<Monitor>;
}

export const realKernel: Kernel = {
  connect: async (options) => Connection.open(options),
  createNetns,
  deleteNetns,
  openNetns,
  closeFd,
  writeInNetns,
  monitor: openRouteMonitor,
};
