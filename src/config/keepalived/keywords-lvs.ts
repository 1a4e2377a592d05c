/** Keywords inside `virtual_server`: services, real servers and their checkers. None is implemented yet. */

import type { Table } from "./keyword-notation.ts";

const INHERITED = `virtualhost/1 alpha retry/1 delay_before_retry/1 warmup/1 connect_timeout/1 delay_loop/1 snmp_name/1
  smtp_alert weight/1 inhibit_on_failure lvs_method/1-`;
const CHECKER = `connect_ip/1 connect_port/1 bindto/1 bind_if/1 bind_port/1 fwmark/1 connect_timeout/1 retry/1
  delay_before_retry/1 warmup/1 delay_loop/1 alpha log_all_failures`;
const HTTP_GET = `${CHECKER} url{url} virtualhost/1 http_protocol/1 nb_get_retry/1 fast_recovery tls_compliant`;

export const CHECKER_CONTEXTS: Readonly<Record<string, Table>> = {
  virtual_server: {
    missing: `${INHERITED} lb_algo/1 lvs_sched/1 lb_kind/1- protocol/1 persistence_timeout persistence_granularity/1
      persistence_engine/1 sorry_server/1- sorry_server_inhibit sorry_server_lvs_method/1 quorum/1 hysteresis/1
      quorum_up/1- quorum_down/1- omega ha_suspend ip_family/1 ops hashed flag-1 flag-2 flag-3 sh-port sh-fallback mh-port
      mh-fallback real_server/1-{real_server}`,
  },
  real_server: {
    missing: `${INHERITED} uthreshold/1 lthreshold/1 notify_up/1- notify_down/1- TCP_CHECK{TCP_CHECK} HTTP_GET{HTTP_GET}
      SSL_GET{SSL_GET} SMTP_CHECK{SMTP_CHECK} DNS_CHECK{DNS_CHECK} MISC_CHECK{MISC_CHECK} UDP_CHECK{UDP_CHECK}
      PING_CHECK{PING_CHECK} FILE_CHECK{FILE_CHECK} BFD_CHECK{BFD_CHECK}`,
  },
  TCP_CHECK: { missing: CHECKER },
  PING_CHECK: { missing: CHECKER },
  HTTP_GET: { missing: HTTP_GET },
  SSL_GET: { missing: `${HTTP_GET} enable_sni sni_name/1` },
  url: {
    missing: `path/1 status_code/1- digest/1 virtualhost/1 regex/1 regex_no_match/0- regex_options/1- regex_stack/1-
      regex_min_offset/1 regex_max_offset/1 tls_compliant`,
  },
  SMTP_CHECK: { missing: `${CHECKER} helo_name/1 host{host}` },
  host: { missing: CHECKER },
  DNS_CHECK: { missing: `${CHECKER} type/1 name/1` },
  MISC_CHECK: {
    missing: `misc_path/1- misc_timeout/1 misc_dynamic user/1- warmup/1 delay_loop/1 delay_before_retry/1 retry/1 alpha
      log_all_failures`,
  },
  UDP_CHECK: { missing: `${CHECKER} payload/1 require_reply min_reply_length/1 max_reply_length/1` },
  FILE_CHECK: { missing: "track_file/1 weight/1- alpha" },
  BFD_CHECK: { missing: "name/1 alpha" },
};
