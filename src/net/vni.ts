import { NetError } from './errors.js';

declare const vniBrand: unique symbol;
/** VXLAN network identifier, 24 bits, 1 to 16777215 (RFC 7348). */
export type Vni = number & { readonly [vniBrand]: true };

export function parseVni(value: number): Vni {
  if (!Number.isInteger(value) || value < 1 || value > 0xff_ff_ff) {
    throw new NetError({ code: 'INVALID_VNI', text: String(value) }, `${value} is not a VNI`);
  }
  return value as Vni;
}
