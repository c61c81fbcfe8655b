import { parseAddress, parseMac, parsePrefix } from '../../../src/net/index.js';
import type { IpamDriver, NetworkDriver } from '../../../src/plugin-api/index.js';

/** One call that a driver heard: its name and its arguments without the context. */
export type Heard = readonly [string, ...unknown[]];

/** Drivers that write down what they hear and answer as moby's own mock plugins do. */
export function fakeDrivers() {
  const heard: Heard[] = [];
  const network: NetworkDriver = {
    createNetwork: async (request) => void heard.push(['createNetwork', request]),
    deleteNetwork: async (id) => void heard.push(['deleteNetwork', id]),
    createEndpoint: async (request) => {
      heard.push(['createEndpoint', request]);
      return request.mac === undefined ? { mac: parseMac('7a:12:34:56:78:90') } : {};
    },
    deleteEndpoint: async (...ids) => void heard.push(['deleteEndpoint', ids[0], ids[1]]),
    join: async (request) => {
      heard.push(['join', request]);
      return { linkName: 'vethsrc', linkPrefix: 'vethdst' };
    },
    leave: async (...ids) => void heard.push(['leave', ids[0], ids[1]]),
  };
  const ipam: IpamDriver = {
    requestPool: async (request) => {
      heard.push(['requestPool', request]);
      const prefix = request.prefix ?? parsePrefix('172.18.0.0/16');
      const poolId = [request.addressSpace, prefix, request.subPrefix].filter(Boolean).join('/');
      return { poolId, prefix };
    },
    releasePool: async (poolId) => void heard.push(['releasePool', poolId]),
    requestAddress: async (request) => {
      heard.push(['requestAddress', request]);
      return { address: request.address ?? parseAddress('172.20.0.34'), prefixLength: 16 };
    },
    releaseAddress: async (...args) => void heard.push(['releaseAddress', args[0], args[1]]),
  };
  return { heard, network, ipam };
}
