/** Parameters of `bind` (HAProxy 2.6 configuration.txt §5.1). */

import type { KeywordGroup } from "./keywords.ts";

const TLS = "TLS is not implemented";

export const BIND_KEYWORDS: readonly KeywordGroup[] = [
  { support: "supported", takes: 1, names: "name, backlog, interface" },
  { support: "supported", names: "v6only, v4v6, transparent" },
  {
    support: "without-effect",
    takes: 1,
    remark: "the engine has no such knob",
    names: "nice, process, thread, shards",
  },
  { support: "without-effect", remark: "the engine has no such knob", names: "defer-accept, tfo" },
  { support: "without-effect", takes: 1, remark: "numbers of listeners are not used", names: "id" },
  {
    support: "without-effect",
    takes: 1,
    remark: "belongs to Unix sockets",
    names: "mode, user, group, uid, gid, level, severity-output, expose-fd",
  },
  { support: "warned", takes: 1, names: "maxconn, mss, tcp-ut" },
  {
    support: "refused",
    remark: "TLS is not implemented, and clients would be served in the clear",
    family: "tls",
    names: "ssl",
  },
  {
    support: "refused",
    remark: TLS,
    family: "tls",
    names: `allow-0rtt, force-sslv3, force-tlsv10, force-tlsv11, force-tlsv12, force-tlsv13, generate-certificates,
      no-ca-names, no-sslv3, no-tls-tickets, no-tlsv10, no-tlsv11, no-tlsv12, no-tlsv13, prefer-client-ciphers,
      strict-sni`,
  },
  {
    support: "refused",
    takes: 1,
    remark: TLS,
    family: "tls",
    names: `alpn, ca-file, ca-ignore-err, ca-sign-file, ca-sign-pass, ca-verify-file, ciphers, ciphersuites, crl-file,
      crt, crt-ignore-err, crt-list, curves, ecdhe, npn, ssl-max-ver, ssl-min-ver, tls-ticket-keys, verify`,
  },
  { support: "refused", remark: "clients' addresses would be the wrong ones", names: "accept-proxy" },
  { support: "refused", takes: 1, remark: "clients' addresses would be the wrong ones", names: "accept-netscaler-cip" },
  { support: "refused", takes: 1, remark: "only HTTP/1 is spoken", names: "proto" },
  { support: "refused", takes: 1, remark: "it would listen in another network namespace", names: "namespace" },
  { support: "refused", remark: "QUIC is not implemented", names: "quic-force-retry" },
  { support: "refused", takes: 1, remark: "QUIC is not implemented", names: "quic-cc-algo" },
];
