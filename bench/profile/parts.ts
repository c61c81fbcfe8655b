/** What each function of the kernel is part of, by its name; the first pattern that fits. */
const parts: readonly (readonly [part: string, pattern: RegExp])[] = [
  ['connection tracking', /conntrack|^nf_ct_|^nf_confirm|^nf_nat|^get_l4proto|_get_timeouts$/],
  ['bridge netfilter', /^br_nf_|^nf_bridge|^brnf_|^ip_sabotage|^setup_pre_routing/],
  ['nftables', /^nft_|rhash|^jhash/],
  ['other netfilter', /^nf_|^ipt_|^ip6t_|^iptable|^xt_|^addrtype|^comment_mt|_mt$|_tg$/],
  ['bridge', /^br_|^__br_|^fdb_|^nbp_|^maybe_deliver|^should_deliver|^deliver_clone/],
  ['tunnel', /vxlan|udp_tunnel|iptunnel|^gro_cell/],
  ['veth', /^veth_/],
  [
    'IP and UDP',
    /^_*ip4?_|^_*udp|^inet|^_*fib_|^dst_|neigh|^arp_|^sk_filter|^ipv4|^_*tcp|^icmp|^l3mdev|csum/,
  ],
  [
    'buffers',
    /skb|kmem|kfree|kmalloc|slab|slub|page|^sock_[rw]|^sock_def|^sock_alloc|memset|mem_cgroup/,
  ],
  [
    'device core',
    /netif|^_*dev_|^net_rx|^net_tx|backlog|softirq|napi|^eth_|^validate_xmit|gro_|qdisc/,
  ],
  [
    'scheduler',
    /sched|^pick_|queue_task|queue_entity|^try_to_wake|ttwu|wake|update_curr|update_load|^finish_task|switch|^reweight|_entity|vruntime|vlag|^ep_|epoll|^do_idle|rq_|^set_next|^update_se|cfs_rq|^resched|preempt|avg$/,
  ],
  [
    'system calls',
    /sys|^entry_|^sock|^security|fget|fput|fdget|^copy_|^_copy|iov|import_|^move_addr|clear_bhb|srso|return_thunk|_thunk|^rep_movs|audit|exit_to_user|^memcpy/,
  ],
  ['locks and timers', /lock|rcu|timer|clock|tsc|ktime|irq|tick/],
];

export function partOf(symbol: string, isKernel: boolean): string {
  if (!isKernel) return 'user space';
  return parts.find(([, pattern]) => pattern.test(symbol))?.[0] ?? 'other';
}
