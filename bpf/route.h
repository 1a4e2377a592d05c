/*
 * Where packets go next. The kernel's routing table is asked at most once a second for a server or the client of a reply,
 * policy rules included, as for traffic of the machine itself: with lo as the interface of arrival, which needs
 * net.ipv4.conf.lo.forwarding and net.ipv6.conf.lo.forwarding to be 1 (bpf_fib_lookup answers FWD_DISABLED otherwise).
 */
#ifndef EVENKEEL_ROUTE_H
#define EVENKEEL_ROUTE_H

#include "count.h"

enum ek_route_kind { EK_ROUTE_UNKNOWN, EK_ROUTE_FORWARD, EK_ROUTE_LOCAL, EK_ROUTE_UNREACHABLE };

#define EK_AF_INET 2
#define EK_AF_INET6 10
#define EK_FIB_SOURCE 16 /* BPF_FIB_LOOKUP_SRC of kernel 6.7 */
#define EK_ROUTE_MTU_MAX 65535

static __always_inline void ek_ask_route(struct bpf_fib_lookup *ask, const struct ek_address *to, __u32 family)
{
	__builtin_memset(ask, 0, sizeof(*ask));
	ask->ifindex = EK_LOOPBACK;
	if (family == EK_IPV4) {
		ask->family = EK_AF_INET;
		ask->ipv4_dst = to->word_be[0];
	} else {
		ask->family = EK_AF_INET6;
		__builtin_memcpy(ask->ipv6_dst, to, 16);
	}
}

/* The address that the kernel would send from, for tunnels. */
static __always_inline void ek_route_source(struct __sk_buff *skb, struct ek_route *route, const struct ek_address *to,
					    __u32 family)
{
	struct ek_interface *interface;
	struct bpf_fib_lookup ask;

	if (have_route_source) {
		ek_ask_route(&ask, to, family);
		bpf_fib_lookup(skb, &ask, sizeof(ask), EK_FIB_SOURCE);
		if (family == EK_IPV4)
			route->source.word_be[0] = ask.ipv4_src;
		else
			__builtin_memcpy(&route->source, ask.ipv6_src, 16);
		return;
	}
	interface = bpf_map_lookup_elem(&interfaces, &route->interface);
	if (interface)
		route->source = family == EK_IPV4 ? interface->source4 : interface->source6;
}

static __always_inline void ek_find_route(struct __sk_buff *skb, struct ek_route *route, const struct ek_address *to,
					  __u32 family, __u32 local)
{
	struct bpf_fib_lookup ask;
	long answer;

	ek_ask_route(&ask, to, family);
	ask.tot_len = 1; /* not 0: the answer then has the path's MTU, exceptions of the route included */
	answer = bpf_fib_lookup(skb, &ask, sizeof(ask), 0);
	if (answer != BPF_FIB_LKUP_RET_SUCCESS && answer != BPF_FIB_LKUP_RET_NO_NEIGH) {
		/* Local and without a route are one answer, NOT_FWDED. */
		route->kind = answer == BPF_FIB_LKUP_RET_NOT_FWDED && local ? EK_ROUTE_LOCAL : EK_ROUTE_UNREACHABLE;
		route->mtu = EK_ROUTE_MTU_MAX;
		return;
	}
	route->interface = ask.ifindex;
	/* An IPv4 route may have an IPv6 next hop (RFC 5549). */
	if (ask.family == EK_AF_INET) {
		route->family = EK_AF_INET;
		route->next_hop.word_be[0] = ask.ipv4_dst;
	} else {
		route->family = EK_AF_INET6;
		__builtin_memcpy(&route->next_hop, ask.ipv6_dst, 16);
	}
	__builtin_memcpy(route->hardware, ask.dmac, 6);
	__builtin_memcpy(route->hardware + 6, ask.smac, 6);
	route->ask = answer == BPF_FIB_LKUP_RET_NO_NEIGH ? 2 : 1;
	if (answer == BPF_FIB_LKUP_RET_NO_NEIGH) {
		/* Without a neighbour entry the MTU is only told when it is exceeded. */
		ek_ask_route(&ask, to, family);
		ask.tot_len = EK_ROUTE_MTU_MAX;
		bpf_fib_lookup(skb, &ask, sizeof(ask), 0);
	}
	route->mtu = ask.mtu_result;
	route->kind = EK_ROUTE_FORWARD;
}

/* To the client of a reply. */
static __attribute__((noinline)) int ek_renew_route(struct __sk_buff *skb, struct ek_route *route,
						     const struct ek_address *to, __u32 family)
{
	ek_find_route(skb, route, to, family, 1);
	return 0;
}

/* True for the one that is to renew; the others go on with what is there. */
static __always_inline int ek_route_is_old(struct ek_route *route, __u64 now)
{
	__u64 until = route->until_ns;

	if (until > now)
		return 0;
	return __sync_val_compare_and_swap(&route->until_ns, until, now + EK_SECOND) == until ||
	       route->kind == EK_ROUTE_UNKNOWN;
}

static __attribute__((noinline)) int ek_renew_server_route(struct __sk_buff *skb, struct ek_route *route,
							    const struct ek_server *server, __u32 number)
{
	ek_find_route(skb, route, &server->address, server->family, server->flags & EK_SERVER_LOCAL);
	if (route->kind == EK_ROUTE_FORWARD) {
		struct ek_address address = server->address;
		struct ek_learned_mtu *learned = bpf_map_lookup_elem(&learned_mtus, &address);

		ek_route_source(skb, route, &server->address, server->family);
		if (learned && learned->mtu < route->mtu && learned->until_ns > route->until_ns)
			route->mtu = learned->mtu;
	}
	ek_sample_later(number);
	return 0;
}

static __always_inline struct ek_route *ek_server_route(struct __sk_buff *skb, __u32 number, const struct ek_server *server,
							 __u64 now)
{
	struct ek_route *route = bpf_map_lookup_elem(&routes, &number);

	if (route && ek_route_is_old(route, now))
		ek_renew_server_route(skb, route, server, number);
	return route;
}

/*
 * The hardware addresses are written here, which is cheaper. Once a second the kernel does it, so that it goes on seeing to
 * it that the neighbour is there (RFC 4861 §7.3); a change of the neighbour's is followed within that second.
 */
static __always_inline int ek_send(struct __sk_buff *skb, struct ek_route *route)
{
	struct bpf_redir_neigh hop = {};
	void *frame = ek_data(skb);

	if (!route->ask && frame + 12 <= ek_data_end(skb)) {
		__builtin_memcpy(frame, route->hardware, 12);
		return bpf_redirect(route->interface, 0);
	}
	if (route->ask == 1)
		route->ask = 0;
	hop.nh_family = route->family;
	__builtin_memcpy(hop.ipv6_nh, &route->next_hop, 16);
	return bpf_redirect_neigh(route->interface, &hop, sizeof(hop), 0);
}

#endif
