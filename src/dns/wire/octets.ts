/** Numbers in network order. Whoever reads has looked whether they are there. */

export const u16 = (from: Uint8Array, at: number): number => (from[at]! << 8) | from[at + 1]!;

export const u32 = (from: Uint8Array, at: number): number =>
  u16(from, at) * 0x1_0000 + u16(from, at + 2);
