import { Ipam } from '../../src/ipam/index.js';
import { Layout } from '../../src/ipam/layout.js';
import { choosePrefix } from '../../src/ipam/prefixes.js';
import { addressFromBigInt, parseAddress, parsePrefix, rangeOf } from '../../src/net/index.js';
import { EmbeddedStore } from '../../src/store/index.js';
import type { MicroCase } from './measure.js';

const poolsTaken = 500;

/** Pools and addresses, the store in memory: what the decisions cost, without disk and network. */
export async function allocatorCases(addressesTaken: number): Promise<MicroCase[]> {
  const base = 0x0ac0_0000n;
  const taken = Array.from({ length: poolsTaken }, (_, i) =>
    rangeOf(parsePrefix(`${addressFromBigInt(4, base + BigInt(i) * 4096n)}/20`)),
  );
  const ranges = [parsePrefix('10.192.0.0/10')];
  const pool = { prefix: parsePrefix('10.192.0.0/16'), blockSize: 64 };
  const block = parseAddress('10.192.4.0');
  return [
    {
      name: `ipam/choose-pool-beside-${poolsTaken}`,
      op: () => choosePrefix({ ranges, family: 4, taken, start: 0 }),
    },
    { name: 'ipam/lay-out-block', op: () => new Layout(pool).members(block) },
    await addressCase(10),
    await addressCase(addressesTaken),
  ];
}

/** An address taken and given back, in a pool where so many are taken. */
async function addressCase(count: number): Promise<MicroCase> {
  const store = EmbeddedStore.memory();
  const ipam = await Ipam.open({
    host: 'host-1',
    store,
    local: EmbeddedStore.memory(),
    ranges: [],
    occupied: async () => [],
    restMs: 0,
  });
  const call = { requestId: 'bench', signal: AbortSignal.timeout(2 ** 30) };
  const options = {};
  const prefix = parsePrefix('10.192.0.0/16');
  const wish = { addressSpace: 'weft', prefix, ipv6: false, options };
  const { poolId } = await ipam.requestPool(wish, call);
  const [description] = await ipam.describe([prefix]);
  await ipam.networkCreated([description!.id]);
  const wanted = { poolId, gateway: false };
  for (let i = 0; i < count; i += 1) await ipam.requestAddress(wanted, call);
  return {
    name: `ipam/request-and-release-beside-${count}`,
    op: async () => {
      const { address } = await ipam.requestAddress(wanted, call);
      await ipam.releaseAddress(poolId, address, call);
    },
  };
}
