#ifndef PST
#define PST
struct ek_choice { __u32 server; __u32 flags; __u32 control_mark; __u16 control_port_be; __u8 control_bits; __u8 pad; };
static __always_inline void ek_schedule(const struct ek_service *service, const struct ek_packet *packet, const __u32 scheduler, struct ek_choice *choice)
{
	__u32 first = service->list_first, number = service->number; choice->server = EK_NO_SERVER;
	struct ek_list_chunk *l = bpf_map_lookup_elem(&lists, &first); struct ek_service_state *st = bpf_map_lookup_elem(&service_states, &number);
	if (!l || !st || !service->list_count) return;
	choice->server = l->slot[(__sync_fetch_and_add(&st->cursor, 1) % service->list_count) & 63];
}
static __attribute__((noinline)) int ek_template_let_go(const union ek_connection_key *key, const struct ek_connection *connection, __u32 family) { return 0; }
static __always_inline int ek_template_stays(struct ek_connection *template) { return 0; }
static __attribute__((noinline)) int ek_template_assure(const union ek_connection_key *key, const struct ek_connection *connection, __u32 family) { return 0; }
#endif
