/* Kernel numbers by name: they differ between architectures, so they come from the headers. src/sys/addon.ts types them. */
#include "addon.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>

#define NAMED(constant) {#constant, constant}

napi_value make_constants(napi_env env) {
  static const struct {
    const char *name;
    int value;
  } constants[] = {
      NAMED(AF_UNIX),
      NAMED(AF_INET),
      NAMED(AF_INET6),
      NAMED(AF_NETLINK),
      NAMED(AF_PACKET),
      NAMED(SOCK_STREAM),
      NAMED(SOCK_DGRAM),
      NAMED(SOCK_SEQPACKET),
      NAMED(SOCK_RAW),
      NAMED(NETLINK_ROUTE),
      NAMED(SOL_SOCKET),
      NAMED(SO_BINDTODEVICE),
      NAMED(SO_NETNS_COOKIE),
      NAMED(SO_MARK),
      NAMED(SO_PRIORITY),
      NAMED(SO_RCVBUF),
      NAMED(SO_RCVBUFFORCE),
      NAMED(SO_REUSEADDR),
      NAMED(SO_REUSEPORT),
      NAMED(SO_TIMESTAMPNS),
      NAMED(IPPROTO_IP),
      NAMED(IPPROTO_IPV6),
      NAMED(IP_ADD_MEMBERSHIP),
      NAMED(IP_DROP_MEMBERSHIP),
      NAMED(IP_FREEBIND),
      NAMED(IP_HDRINCL),
      NAMED(IP_MULTICAST_ALL),
      NAMED(IP_MULTICAST_IF),
      NAMED(IP_MULTICAST_LOOP),
      NAMED(IP_MULTICAST_TTL),
      NAMED(IP_PKTINFO),
      NAMED(IP_RECVTTL),
      NAMED(IP_TOS),
      NAMED(IP_TRANSPARENT),
      NAMED(IPV6_FREEBIND),
      NAMED(IPV6_HDRINCL),
      NAMED(IPV6_JOIN_GROUP),
      NAMED(IPV6_MULTICAST_ALL),
      NAMED(IPV6_MULTICAST_IF),
      NAMED(IPV6_MULTICAST_LOOP),
      NAMED(IPV6_RECVHOPLIMIT),
      NAMED(IPV6_RECVPKTINFO),
      NAMED(IPV6_TRANSPARENT),
      NAMED(IPV6_V6ONLY),
      NAMED(SOL_NETLINK),
      NAMED(NETLINK_ADD_MEMBERSHIP),
      NAMED(NETLINK_EXT_ACK),
      NAMED(NETLINK_CAP_ACK),
      NAMED(NETLINK_GET_STRICT_CHK),
      NAMED(SOL_PACKET),
      NAMED(PACKET_ADD_MEMBERSHIP),
      NAMED(PACKET_MR_PROMISC),
      NAMED(CLONE_FS),
      NAMED(CLONE_NEWNET),
      NAMED(CLONE_NEWNS),
      NAMED(CLONE_NEWUTS),
      NAMED(EAGAIN),
      NAMED(ENODEV),
      NAMED(EADDRNOTAVAIL),
      NAMED(ENOBUFS),
      NAMED(EINTR),
  };
  napi_value result;
  if (napi_create_object(env, &result) != napi_ok) return NULL;
  for (size_t i = 0; i < sizeof constants / sizeof *constants; i++) {
    napi_value value = make_int(env, constants[i].value);
    if (value == NULL || napi_set_named_property(env, result, constants[i].name, value) != napi_ok) return NULL;
  }
  return result;
}
