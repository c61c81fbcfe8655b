/** What people call a flow: `tcp/80`, `icmp/8`, or the number of a protocol. */
import type { FlowProtocol } from './model.js';

/** Undefined for what is none. */
export function parseFlowProtocol(text: string): FlowProtocol | undefined {
  const [, name, digits] = /^(tcp|udp|sctp|icmp|icmpv6)\/(\d{1,5})$/.exec(text.toLowerCase()) ?? [];
  const value = Number(digits);
  if (name === 'tcp' || name === 'udp' || name === 'sctp') {
    return value <= 65_535 ? { protocol: name, port: value } : undefined;
  }
  if (name === 'icmp' || name === 'icmpv6') {
    return value <= 255 ? { protocol: name, type: value } : undefined;
  }
  return /^\d{1,3}$/.test(text) && Number(text) <= 255 ? { protocol: Number(text) } : undefined;
}

export function flowText(flow: FlowProtocol): string {
  if ('port' in flow) return `${flow.protocol}/${flow.port}`;
  return 'type' in flow ? `${flow.protocol}/${flow.type}` : `protocol ${flow.protocol}`;
}
