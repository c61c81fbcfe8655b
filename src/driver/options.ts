import { ADDRESS_SPACE, type CreateNetworkRequest } from '../plugin-api/index.js';
import { DriverError } from './errors.js';

/** Docker's own name for it, so that Compose files carry over from bridge and overlay networks. */
export const MTU_OPTION = 'com.docker.network.driver.mtu';

/** Whether what no policy decides may pass: `open`, the default, or `isolated`. */
export const POLICY_OPTION = 'policy';

export interface NetworkOptions {
  /** MTU inside the network that the user asked for, octets. */
  readonly mtu?: number;
  readonly policy?: 'isolated';
}

/** IPv6 needs 1,280 (RFC 8200); IPv4 alone gets along with 576 (RFC 791). */
const MIN_MTU = { ipv4: 576, ipv6: 1280 } as const;

/** Reads the `-o` options of a network. Each one works or is refused by name: INVALID_OPTION. */
export function parseNetworkOptions({ options, ipv6 }: CreateNetworkRequest): NetworkOptions {
  const read: { mtu?: number; policy?: 'isolated' } = {};
  for (const [option, text] of Object.entries(options)) {
    if (option === MTU_OPTION) read.mtu = mtuOf(text, ipv6);
    else if (option === POLICY_OPTION) {
      if (text === 'isolated') read.policy = text;
      else if (text !== 'open')
        throw invalid(option, `${text} is not a policy: "isolated" or "open"`);
    } else {
      throw new DriverError(
        { code: 'INVALID_OPTION', option },
        `weft has no option "${option}"; it knows -o ${MTU_OPTION}=N and -o ${POLICY_OPTION}=isolated`,
      );
    }
  }
  return read;
}

function mtuOf(text: string, ipv6: boolean): number {
  const least = ipv6 ? MIN_MTU.ipv6 : MIN_MTU.ipv4;
  const mtu = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (mtu >= least && mtu <= 65_535) return mtu;
  throw invalid(MTU_OPTION, `${text} is not an MTU: give octets from ${least} to 65535`);
}

function invalid(option: string, words: string): DriverError {
  return new DriverError({ code: 'INVALID_OPTION', option }, `-o ${option}=${words}`);
}

/** Refuses a network whose addresses come from elsewhere: FOREIGN_IPAM, saying what to type. */
export function assertOurPools(request: CreateNetworkRequest): void {
  const foreign = request.pools.find((pool) => pool.addressSpace !== ADDRESS_SPACE);
  if (!foreign && request.pools.length > 0) return;
  throw new DriverError(
    { code: 'FOREIGN_IPAM', addressSpace: foreign?.addressSpace ?? '' },
    "a weft network needs weft's addresses: other IPAM drivers know one host only and would give one address " +
      'twice; create it with: docker network create -d weft --ipam-driver weft NAME',
  );
}

/** Refuses two `--aux-address` of one value: one of the names would be of no use. */
export function assertAuxDiffer({ pools }: CreateNetworkRequest): void {
  for (const { auxAddresses } of pools) {
    const all = auxAddresses.map(({ address }) => address);
    const twice = all.find((address, i) => all.indexOf(address) !== i);
    if (twice === undefined) continue;
    throw new DriverError(
      { code: 'INVALID_OPTION', option: 'aux-address' },
      `--aux-address ${twice} is given twice; give each address once`,
    );
  }
}

/** Endpoint driver options: there are none, and a misspelt one must not pass in silence. */
export function assertNoEndpointOptions(options: Readonly<Record<string, string>>): void {
  const option = Object.keys(options)[0];
  if (option === undefined) return;
  throw new DriverError(
    { code: 'INVALID_OPTION', option },
    `weft has no endpoint option "${option}"; leave out --driver-opt ${option}`,
  );
}

/** `most`: what this host's underlay leaves. */
export function assertMtuFits(mtu: number | undefined, most: number): void {
  if (mtu === undefined || mtu <= most) return;
  throw new DriverError(
    { code: 'INVALID_OPTION', option: 'com.docker.network.driver.mtu' },
    `an MTU of ${mtu} does not fit: this host's underlay leaves ${most} octets inside a tunnel`,
  );
}
