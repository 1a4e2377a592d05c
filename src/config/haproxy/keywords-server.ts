/** Parameters of `server` and `default-server` (HAProxy 2.6 configuration.txt §5.2). */

import type { KeywordGroup } from "./keywords.ts";

const TLS = "TLS is not implemented";
const DOWN = "checks would see another service than meant";

export const SERVER_KEYWORDS: readonly KeywordGroup[] = [
  {
    support: "supported",
    takes: 1,
    names: "addr, cookie, downinter, fall, fastinter, id, inter, maxconn, on-marked-down, port, rise, weight",
  },
  {
    support: "supported",
    names: `backup, no-backup, check, no-check, disabled, enabled, send-proxy, no-send-proxy, send-proxy-v2,
      no-send-proxy-v2`,
  },
  { support: "without-effect", remark: "the engine has no such knob", names: "tfo, no-tfo, non-stick, stick" },
  {
    support: "without-effect",
    takes: 1,
    remark: "the engine has no such knob",
    names: "pool-low-conn, pool-max-conn, pool-purge-delay, log-proto, ws",
  },
  {
    support: "without-effect",
    takes: 1,
    remark: "host names are not looked up",
    names: "init-addr, resolve-net, resolve-opts, resolve-prefer, resolvers",
  },
  {
    support: "without-effect",
    remark: "says what is the case anyway",
    names: `no-agent-check, no-check-send-proxy, no-check-ssl, no-send-proxy-v2-ssl, no-send-proxy-v2-ssl-cn, no-ssl,
      no-ssl-reuse, ssl-reuse, no-sslv3, no-tls-tickets, tls-tickets, no-tlsv10, no-tlsv11, no-tlsv12, no-tlsv13`,
  },
  {
    support: "warned",
    takes: 1,
    names: "max-reuse, maxqueue, minconn, on-marked-up, proxy-v2-options, slowstart, tcp-ut, guid",
  },
  { support: "warned", takes: 1, family: "observe", names: "observe, on-error, error-limit" },
  {
    support: "refused",
    remark: "TLS is not implemented, and the server would be spoken to in the clear",
    family: "tls",
    names: "ssl",
  },
  {
    support: "refused",
    remark: TLS,
    family: "tls",
    names: "allow-0rtt, force-sslv3, force-tlsv10, force-tlsv11, force-tlsv12, force-tlsv13",
  },
  {
    support: "refused",
    takes: 1,
    remark: TLS,
    family: "tls",
    names:
      "alpn, ca-file, ciphers, ciphersuites, crl-file, crt, npn, sni, ssl-max-ver, ssl-min-ver, verify, verifyhost",
  },
  { support: "refused", remark: TLS, names: "send-proxy-v2-ssl, send-proxy-v2-ssl-cn" },
  { support: "refused", remark: DOWN, family: "check", names: "check-send-proxy, check-ssl, check-via-socks4" },
  { support: "refused", takes: 1, remark: DOWN, family: "check", names: "check-alpn, check-proto, check-sni" },
  { support: "refused", remark: "the agent could not take the server out", family: "agent", names: "agent-check" },
  {
    support: "refused",
    takes: 1,
    remark: "the agent could not take the server out",
    family: "agent",
    names: "agent-addr, agent-inter, agent-port, agent-send",
  },
  { support: "refused", takes: 1, remark: "the server would not follow the other one", names: "track" },
  { support: "refused", takes: 1, remark: "requests would reach the server instead of a redirect", names: "redir" },
  { support: "refused", takes: -1, remark: "connections would leave from another address", names: "source, usesrc" },
  { support: "refused", takes: 1, remark: "connections would leave another way", names: "namespace, socks4" },
  { support: "refused", takes: 1, remark: "only HTTP/1 is spoken", names: "proto" },
];
