/**
 * Every keyword of keepalived 2.4 by the block that it stands in, and what becomes of it here. docs/reference/keepalived.md
 * is this table for people; a test compares both ways.
 */

import { type Context, contextOf, type Table } from "./keyword-notation.ts";
import { CHECKER_CONTEXTS } from "./keywords-lvs.ts";

const NOTIFY = "notify_master/1-3 notify_backup/1-3 notify_fault/1-3 notify_stop/1-3 notify/1-3";
const TRACKERS = "track_interface{} track_script{} track_file{} track_process{} track_proxy{} track_service{}";

const TABLES: Readonly<Record<string, Table>> = {
  "": {
    supported: `global_defs/0{global_defs} vrrp_script/1{vrrp_script} vrrp_sync_group/1{vrrp_sync_group}
      vrrp_instance/1{vrrp_instance} virtual_server_group/1{} virtual_server/1-2{virtual_server} track_file/1{track_file}
      vrrp_track_file/1{track_file} SSL/0{SSL} vrrp_track_process/1{vrrp_track_process} static_ipaddress{}
      static_routes{} static_rules{} interface_up_down_delays{} garp_group{garp_group} instance/1 use_pid_dir
      child_wait_time/1`,
    accepted: "namespace_with_ipsets linkbeat_use_polling linkbeat_interfaces{}",
    missing: "net_namespace/1 net_namespace_ipvs/1 track_group/1{track_group} bfd_instance/1{bfd_instance}",
  },
  global_defs: {
    supported: `router_id/0-1 enable_script_security script_user/1-2 dynamic_interfaces/0-1 vrrp_mcast_group4/1
      vrrp_mcast_group6/1 vrrp_skip_check_adv_addr/0-1 log_unknown_vrids vrrp_startup_delay/1 vrrp_delay_after_boot/1
      vrrp_version/1 vrrp_strict vrrp_garp_interval/1 vrrp_gna_interval/1
      vrrp_garp_master_delay/1 vrrp_garp_master_repeat/1 vrrp_garp_master_refresh/1 vrrp_garp_master_refresh_repeat/1
      vrrp_garp_lower_prio_delay/1 vrrp_garp_lower_prio_repeat/1 vrrp_garp_extra_if/1-2 vrrp_vmac_garp_intvl/1-2
      vrrp_min_garp/0-1 vrrp_lower_prio_no_advert/0-1 vrrp_higher_prio_send_advert/0-1 vrrp_owner_ignore_adverts/0-1
      vrrp_down_timer_adverts/1 vrrp_check_unicast_src v3_checksum_as_v2/0-1 vrrp_notify_priority_changes/0-1
      checker_log_all_failures/0-1 notify_fifo/1-3 notify_fifo_script/1-3 vrrp_notify_fifo/1-3
      vrrp_notify_fifo_script/1-3 lvs_notify_fifo/1-3 lvs_notify_fifo_script/1-3 fifo_write_vrrp_states_on_reload
      notify_parallel/0-1 startup_script/1-3 startup_script_timeout/1 shutdown_script/1-3 shutdown_script_timeout/1
      lvs_flush lvs_flush_on_stop/0-1 lvs_flush_onstop/0-1 lvs_timeouts/0-6 rs_init_notifies connection_table_size/1
      notification_email{} notification_email_from/1 smtp_server/1-2 smtp_connect_timeout/1 smtp_helo_name/1
      smtp_alert/0-1 smtp_alert_checker/0-1 smtp_alert_vrrp/0-1 no_checker_emails/0 no_email_faults/0 nftables/0-1
      nftables_priority/1 default_interface/1 vmac_prefix/1 vrrp_priority/1 vrrp_rt_priority/1 vrrp_rlimit_rttime/1
      vrrp_rlimit_rtime/1 umask/1- data_use_instance json_version/1 state_dump_file/1 stats_dump_file/1
      json_dump_file/1 process_names process_name/1 vrrp_process_name/1 checker_process_name/1 bfd_process_name/1
      lvs_process_name/1`,
    accepted: `max_auto_priority min_auto_priority_delay/1 checker_priority/1 bfd_priority/1 vrrp_no_swap
      checker_no_swap bfd_no_swap checker_rt_priority/1 bfd_rt_priority/1 vrrp_cpu_affinity/1-
      checker_cpu_affinity/1- bfd_cpu_affinity/1- checker_rlimit_rttime/1 bfd_rlimit_rttime/1
      checker_rlimit_rtime/1 bfd_rlimit_rtime/1 nftables_counters nftables_ifindex vrrp_iptables vrrp_ipsets
      disable_local_igmp vmac_addr_prefix/1 vrrp_rx_bufs_policy/1- vrrp_rx_bufs_multiplier/1 vrrp_netlink_cmd_rcv_bufs/1
      vrrp_netlink_cmd_rcv_bufs_force vrrp_netlink_monitor_rcv_bufs/1 vrrp_netlink_monitor_rcv_bufs_force
      lvs_netlink_cmd_rcv_bufs/1 lvs_netlink_cmd_rcv_bufs_force lvs_netlink_monitor_rcv_bufs/1
      lvs_netlink_monitor_rcv_bufs_force process_monitor_rcv_bufs/1 process_monitor_rcv_bufs_force snmp_socket
      snmp_vs_stats_update_interval/1 snmp_rs_stats_update_interval/1 dbus_service_name/1 dbus_no_interface_name/1
      reload_check_config use_symlink_paths set_supplementary_groups tmp_config_directory/1 config_save_dir/1
      random_seed/1 iproute_usr_dir/1 iproute_etc_dir/1`,
    missing: `lvs_sync_daemon nftables_ipvs nftables_ipvs_priority/1 nftables_ipvs_start_fwmark/1 enable_snmp_vrrp
      enable_snmp_checker enable_snmp_rfc enable_snmp_rfcv2 enable_snmp_rfcv3 enable_traps enable_snmp_keepalived
      enable_dbus reload_time_file/1 reload_repeat reload_file include_check`,
  },
  track_group: { missing: "group{}" },
  garp_group: { supported: "garp_interval/1 gna_interval/1 interface/1 interfaces{}" },
  SSL: { supported: "password/1 ca/1 certificate/1 key/1" },
  vrrp_script: { supported: "script/1- interval/1 timeout/1 weight/1-2 rise/1 fall/1 user/1-2 init_fail/0" },
  track_file: { supported: "file/1 weight/1-2 init_file" },
  vrrp_track_process: {
    supported: `process/1- param_match/1 full_command weight/1-2 quorum/1 quorum_max/1 delay/1 fork_delay/1
      terminate_delay/1`,
  },
  bfd_instance: {
    missing: `neighbor_ip/1 neighbour_ip/1 source_ip/1 min_rx/1 min_tx/1 idle_tx/1 multiplier/1 passive ttl/1 hoplimit/1
      max_hops/1 multihop weight/1- vrrp checker`,
  },
  vrrp_sync_group: {
    supported: `group{} ${TRACKERS} ${NOTIFY} sync_group_tracking_weight/0 smtp_alert/0-1 notify_priority_changes/0-1`,
    accepted: "global_tracking",
    missing: "track_bfd{}",
  },
  vrrp_instance: {
    supported: `state/1 interface/1 virtual_router_id/1 priority/1 advert_int/1 version/1 authentication/0{authentication}
      virtual_ipaddress{} virtual_ipaddress_excluded{} no_virtual_ipaddress/0 virtual_routes{} virtual_rules{}
      promote_secondaries unicast_src_ip/1 mcast_src_ip/1 mcast_dst_ip/1 track_src_ip unicast_peer{}
      unicast_fault_no_peer unicast_ttl/1 check_unicast_src v3_checksum_as_v2/0-1 use_vmac/0-2 vmac_xmit_base nopreempt
      preempt preempt_delay/1 ${TRACKERS} dont_track_primary ${NOTIFY} notify_deleted/0-3
      notify_master_rx_lower_pri/1-3 notify_priority_changes/0-1 smtp_alert/0-1 garp_master_delay/1
      garp_master_repeat/1 garp_master_refresh/1 garp_master_refresh_repeat/1 garp_lower_prio_delay/1
      garp_lower_prio_repeat/1 garp_extra_if/1-2 vmac_garp_intvl/1-2 lower_prio_no_advert/0-1
      higher_prio_send_advert/0-1 owner_ignore_adverts/0-1 timer_expired_backup/0-1 thread_timer_expired/0-1
      down_timer_adverts/1 accept no_accept strict_mode/0-1 skip_check_adv_addr/0-1 on_vip_loss/1 native_ipv6
      old_unicast_checksum/0-1`,
    accepted: "kernel_rx_buf_size/1 linkbeat_use_polling debug",
    missing: "auth_hmac{auth_hmac} track_bfd{} use_vmac_addr use_ipvlan vrf/1 lvs_sync_daemon_interface/1",
  },
  authentication: { supported: "auth_type/1 auth_pass/1" },
  auth_hmac: { missing: "key/1- active_key/1 anti_replay/1 time_window/1 mode/1" },
  ...CHECKER_CONTEXTS,
};

/** By the keyword that opens the block; `""` is outside every block. */
export const CONTEXTS: ReadonlyMap<string, Context> = new Map(
  Object.entries(TABLES).map(([name, table]) => [name, contextOf(table)]),
);

/** Keywords that the reader follows before any block is looked at. */
export const INCLUDE_KEYWORDS = ["include", "includer", "includem", "includew", "includeb", "includea"] as const;

/** What to know of a keyword that is not implemented yet; an `error` would make this router something that was not asked for. */
export const MISSING: Readonly<Record<string, { readonly severity: "error" | "warning"; readonly help: string }>> = {
  auth_hmac: {
    severity: "error",
    help: "Peers that enforce it would drop every advert of this router and become MASTER beside it: leave it away on all",
  },
  net_namespace: { severity: "error", help: "Start evenkeel inside the namespace: ip netns exec NAME evenkeel run …" },
  net_namespace_ipvs: {
    severity: "error",
    help: "Virtual servers would be set up here: run a second evenkeel with them, ip netns exec NAME evenkeel run …",
  },
  use_ipvlan: {
    severity: "error",
    help: "Addresses would be on the interface itself: take use_vmac, or write what is meant",
  },
  vrf: {
    severity: "error",
    help: "Adverts would leave by the main routing table: name an interface in the VRF instead",
  },
  use_vmac_addr: {
    severity: "warning",
    help: "Addresses with dev are set on the interface that they name, with its own MAC",
  },
  bfd_instance: {
    severity: "warning",
    help: "There is no BFD here: version 3 adverts of 10 to 50 ms notice a dead router as quickly",
  },
  track_bfd: { severity: "warning", help: "Nothing is tracked: take track_script, or shorter adverts of version 3" },
  BFD_CHECK: {
    severity: "error",
    help: "There is no BFD here: use another checker, or the server counts as up for ever",
  },
  track_group: {
    severity: "warning",
    help: "Losing a static address, route or rule changes no state; evenkeel puts none back",
  },
  lvs_sync_daemon: { severity: "warning", help: "Connections are not copied to the other router" },
  lvs_sync_daemon_interface: { severity: "warning", help: "Connections are not copied to the other router" },
  persistence_engine: { severity: "warning", help: "Clients are told apart by their address" },
  nftables_ipvs: {
    severity: "warning",
    help: "Groups of virtual servers are served without firewall marks: remove the line",
  },
  reload_time_file: {
    severity: "warning",
    help: "Nothing is reloaded by the clock: let cron or a timer run evenkeel reload",
  },
  reload_repeat: {
    severity: "warning",
    help: "Nothing is reloaded by the clock: let cron or a timer run evenkeel reload",
  },
  reload_file: {
    severity: "warning",
    help: "No file is removed: evenkeel reload ends when the configuration has been read",
  },
  include_check: {
    severity: "warning",
    help: "Write includer, includem, includew, includeb or includea where it matters",
  },
  enable_dbus: {
    severity: "warning",
    help: "There is no D-Bus: evenkeel status --json and evenkeel events say the same",
  },
  ...Object.fromEntries(
    ["vrrp", "checker", "rfc", "rfcv2", "rfcv3", "keepalived"].map((what) => [
      `enable_snmp_${what}`,
      { severity: "warning", help: "There is no SNMP: the metrics endpoint has the same figures" } as const,
    ]),
  ),
  enable_traps: { severity: "warning", help: "There is no SNMP: take notify scripts, FIFOs or evenkeel events" },
};
