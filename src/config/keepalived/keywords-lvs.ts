/** Keywords inside `virtual_server`: services, real servers and their checkers. */

import type { Table } from "./keyword-notation.ts";

/** evenkeel's own; keepalived reports them as unknown and goes on. */
export const OWN_KEYWORDS: Readonly<Record<string, readonly string[]>> = {
  global_defs: ["connection_table_size", "notify_parallel"],
  vrrp_instance: ["on_vip_loss", "track_proxy", "track_service"],
  vrrp_sync_group: ["track_proxy", "track_service"],
  virtual_server: ["check_path", "on_server_down"],
  real_server: ["check_path"],
  checkers: ["check_path"],
};

const SCHEDULE = "retry/1 delay_before_retry/1 warmup/1 delay_loop/1 alpha/0-1 log_all_failures/0-1";
const INHERITED =
  "virtualhost/0-1 retry/1 delay_before_retry/1 warmup/1 connect_timeout/1 delay_loop/1 weight/1 check_path/1";
const CHECKER = `${SCHEDULE} connect_ip/1 connect_port/1 bindto/1 bind_if/1 bind_port/1 fwmark/1 connect_timeout/1
  check_path/1`;
const HTTP_GET = `${CHECKER} url/0{url} virtualhost/1 http_protocol/0-1 nb_get_retry/1 fast_recovery/0-1`;

export const CHECKER_CONTEXTS: Readonly<Record<string, Table>> = {
  virtual_server: {
    supported: `${INHERITED} alpha omega lb_algo/1 lvs_sched/1 lb_kind/1- lvs_method/1- protocol/1
      persistence_timeout/0-1 persistence_granularity/1 sorry_server/1-2 sorry_server_inhibit sorry_server_lvs_method/1-
      quorum/1 hysteresis/1 quorum_up/1- quorum_down/1- ha_suspend smtp_alert/0-1 inhibit_on_failure ip_family/1 ops flag-1 flag-2 flag-3
      sh-port sh-fallback mh-port mh-fallback on_server_down/1 real_server/1-2{real_server}`,
    accepted: "hashed snmp_name/1",
    missing: "persistence_engine/1",
  },
  real_server: {
    supported: `${INHERITED} alpha/0-1 lvs_method/1- inhibit_on_failure/0-1 uthreshold/1 lthreshold/1 notify_up/1-
      notify_down/1- smtp_alert/0-1 TCP_CHECK/0{TCP_CHECK} HTTP_GET/0{HTTP_GET} SSL_GET/0{SSL_GET} SMTP_CHECK/0{SMTP_CHECK}
      DNS_CHECK/0{DNS_CHECK} MISC_CHECK/0{MISC_CHECK} UDP_CHECK/0{UDP_CHECK} PING_CHECK/0{PING_CHECK}
      FILE_CHECK/0{FILE_CHECK}`,
    accepted: "snmp_name/1",
    missing: "BFD_CHECK{BFD_CHECK}",
  },
  TCP_CHECK: { supported: CHECKER },
  PING_CHECK: { supported: CHECKER },
  HTTP_GET: { supported: HTTP_GET, accepted: "enable_sni tls_compliant" },
  SSL_GET: { supported: `${HTTP_GET} enable_sni sni_name/1`, accepted: "tls_compliant" },
  url: {
    supported: `path/1 status_code/1- digest/1 virtualhost/1 regex/1 regex_no_match/0-1 regex_options/1-
      regex_min_offset/1 regex_max_offset/1`,
    accepted: "regex_stack/1- tls_compliant",
  },
  SMTP_CHECK: { supported: `${CHECKER} helo_name/0-1 host{host}` },
  host: { supported: CHECKER },
  DNS_CHECK: { supported: `${CHECKER} type/1 name/1` },
  MISC_CHECK: { supported: `${SCHEDULE} misc_path/1- misc_timeout/1 misc_dynamic user/1-2` },
  UDP_CHECK: {
    supported: `${CHECKER} payload/1- require_reply min_reply_length/1 max_reply_length/1`,
  },
  FILE_CHECK: { supported: "track_file/1 weight/0-2" },
  BFD_CHECK: { missing: "name/1 alpha" },
};
