/**
 * The figures of `status` for Prometheus. VRRP's have the names and labels of the usual exporter (keepalived_exporter), so
 * that dashboards and alerts go on; what keepalived has not is called evenkeel_*.
 */

import type { VrrpConfiguration, VrrpInstance } from "../../config/model/vrrp.ts";
import type { CounterName } from "../../vrrp/counters.ts";
import type { InstanceSnapshot, StateName } from "../../vrrp/messages.ts";
import type { LatenessReport } from "../vrrp/lateness.ts";
import type { VrrpReport } from "../vrrp/report.ts";
import { exposition, type Family, histogram, type Labels, type Sample } from "./exposition.ts";
import type { StatusReport } from "./status.ts";

/** keepalived's numbers. */
const STATES: Readonly<Record<StateName, number>> = { INIT: 0, BACKUP: 1, MASTER: 2, FAULT: 3, STOP: 98 };

/** The usual exporter's names of counters. */
const COUNTERS: readonly (readonly [name: string, counter: CounterName, help: string])[] = [
  ["keepalived_advertisements_received_total", "adverts-received", "Advertisements received"],
  ["keepalived_advertisements_sent_total", "adverts-sent", "Advertisements sent"],
  ["keepalived_become_master_total", "became-master", "Became master"],
  ["keepalived_release_master_total", "released-master", "Released master"],
  ["keepalived_packet_length_errors_total", "packet-length", "Packet length errors"],
  ["keepalived_advertisements_interval_errors_total", "advert-interval", "Advertisement interval errors"],
  ["keepalived_ip_ttl_errors_total", "ttl", "TTL errors"],
  ["keepalived_invalid_type_received_total", "packet-type", "Invalid type errors"],
  ["keepalived_address_list_errors_total", "address-list", "Address list errors"],
  ["keepalived_authentication_invalid_total", "auth-type-invalid", "Authentication invalid"],
  ["keepalived_authentication_mismatch_total", "auth-type-mismatch", "Authentication mismatch"],
  ["keepalived_authentication_failure_total", "auth-failure", "Authentication failure"],
  ["keepalived_priority_zero_received_total", "priority-zero-received", "Priority zero received"],
  ["keepalived_priority_zero_sent_total", "priority-zero-sent", "Priority zero sent"],
];
/** What that exporter has no name for. */
const REFUSALS = ["version", "checksum", "destination", "unicast-source"] as const satisfies readonly CounterName[];

/** @param vrrp what keepalived.conf says, for what the status does not repeat */
export function metricsText(report: StatusReport, vrrp: VrrpConfiguration | undefined): string {
  return exposition([
    ...daemonFamilies(report),
    ...(report.vrrp === undefined ? [] : vrrpFamilies(report.vrrp, vrrp)),
    ...directorFamilies(report.director),
  ]);
}

const family = (type: Family["type"], name: string, help: string, samples: readonly Sample[]): Family => ({
  name,
  type,
  help,
  samples,
});
const gauge = (name: string, help: string, samples: readonly Sample[]) => family("gauge", name, help, samples);
const counter = (name: string, help: string, samples: readonly Sample[]) => family("counter", name, help, samples);
const one = (value: number, labels: Labels = {}): Sample => ({ labels, value });

function daemonFamilies(report: StatusReport): Family[] {
  const lasting = report.processes.filter(({ retiring }) => !retiring);
  const runs = report.processes.some(({ name, pid }) => name === "vrrp" && pid !== undefined);
  return [
    gauge("keepalived_up", "Status", [one(runs && report.vrrp !== undefined ? 1 : 0)]),
    gauge("evenkeel_info", "Version of what runs", [one(1, { version: report.version, node: report.node })]),
    gauge("evenkeel_start_time_seconds", "When the supervisor was started, since 1970", [
      one(Date.parse(report.startedAt) / 1_000),
    ]),
    gauge(
      "evenkeel_process_up",
      "Whether the process runs",
      lasting.map(({ name, pid }) => one(pid === undefined ? 0 : 1, { process: name })),
    ),
    counter(
      "evenkeel_process_restarts_total",
      "How often the process died and was started again",
      lasting.map(({ name, restarts }) => one(restarts, { process: name })),
    ),
  ];
}

const labelsOf = ({ name, interface: intf, virtualRouterId: vrid }: InstanceSnapshot): Labels => ({
  iname: name,
  intf,
  vrid,
});

function vrrpFamilies(report: VrrpReport, configuration: VrrpConfiguration | undefined): Family[] {
  const { instances } = report;
  const configured = (mine: InstanceSnapshot) => configuration?.instances.find(({ name }) => name === mine.name);
  const each = (value: (mine: InstanceSnapshot) => number | undefined): Sample[] =>
    instances.flatMap((mine) => {
      const figure = value(mine);
      return figure === undefined ? [] : [one(figure, labelsOf(mine))];
    });
  const kinds = new Map<string, Sample>();
  for (const { code, severity, instance, interface: intf } of report.findings) {
    const labels = { code, severity, iname: instance ?? "", intf };
    const key = JSON.stringify(labels);
    kinds.set(key, one((kinds.get(key)?.value ?? 0) + 1, labels));
  }
  const split = (name: string) =>
    report.findings.some(({ code, instance }) => code === "two-masters" && instance === name) ? 1 : 0;
  return [
    gauge(
      "keepalived_vrrp_state",
      "State of vrrp",
      instances.flatMap((mine) => stateSamples(mine, configured(mine))),
    ),
    gauge(
      "keepalived_vrrp_excluded_state",
      "State of vrrp with excluded VIP",
      instances.flatMap((mine) =>
        (configured(mine)?.excludedAddresses ?? []).map((address) =>
          one(STATES[mine.state], { ...labelsOf(mine), intf: address.interface, ip_address: address.address }),
        ),
      ),
    ),
    ...COUNTERS.map(([name, which, help]) =>
      counter(
        name,
        help,
        each(({ counters }) => counters[which]),
      ),
    ),
    counter(
      "keepalived_gratuitous_arp_delay_total",
      "Gratuitous ARP delay",
      each((mine) => {
        const garp = configured(mine)?.garp;
        return garp === undefined ? undefined : garp.masterDelay / 1_000_000;
      }),
    ),
    gauge(
      "keepalived_script_status",
      "Tracker Script Status",
      report.scripts
        .filter(({ state }) => state !== "unknown")
        .map(({ name, state }) => one(state === "ok" ? 1 : 0, { name })),
    ),
    gauge(
      "evenkeel_vrrp_base_priority",
      "Priority as configured",
      each(({ basePriority }) => basePriority),
    ),
    gauge(
      "evenkeel_vrrp_priority",
      "Effective priority",
      each(({ effectivePriority }) => effectivePriority),
    ),
    gauge(
      "evenkeel_vrrp_holds_addresses",
      "Whether this host has the addresses",
      each((mine) => (mine.holdsAddresses ? 1 : 0)),
    ),
    counter(
      "evenkeel_vrrp_adverts_refused_total",
      "Adverts refused for reasons that have no counter above",
      instances.flatMap((mine) => REFUSALS.map((reason) => one(mine.counters[reason], { ...labelsOf(mine), reason }))),
    ),
    counter("evenkeel_vrrp_unknown_vrid_total", "Adverts of virtual routers that this host has no part in", [
      one(report.unknownVrid),
    ]),
    counter("evenkeel_vrrp_malformed_total", "Packets too odd to tell whom they are for", [one(report.malformed)]),
    gauge("evenkeel_findings", "What is wrong with neighbours now, see evenkeel status", [...kinds.values()]),
    gauge(
      "evenkeel_vrrp_split_brain",
      "More than one master is seen",
      each(({ name }) => split(name)),
    ),
    lateness(
      "evenkeel_advert_lateness_seconds",
      "From when an advert was due until it left",
      report.timeliness.adverts,
    ),
    lateness(
      "evenkeel_vrrp_event_loop_lateness_seconds",
      "From when a timer of the vrrp process was due until it ran",
      report.timeliness.eventLoop,
    ),
  ];
}

/** One a virtual address, as the exporter has it; one without an address where there is none. */
function stateSamples(mine: InstanceSnapshot, configured: VrrpInstance | undefined): Sample[] {
  const value = STATES[mine.state];
  const addresses = configured?.virtualAddresses ?? mine.addresses;
  if (addresses.length === 0) return [one(value, { ...labelsOf(mine), ip_address: "" })];
  return addresses.map(({ address, interface: intf }) => one(value, { ...labelsOf(mine), intf, ip_address: address }));
}

const lateness = (name: string, help: string, { buckets, sumMilliseconds }: LatenessReport): Family =>
  family(
    "histogram",
    name,
    help,
    histogram(
      {},
      buckets.map(({ atMostMilliseconds, count }) => ({
        atMost: atMostMilliseconds === null ? undefined : atMostMilliseconds / 1_000,
        count,
      })),
      sumMilliseconds / 1_000,
    ),
  );

function directorFamilies(report: StatusReport["director"]): Family[] {
  if (report === undefined) return [];
  const { table, virtualServers } = report;
  const servers = virtualServers.flatMap((virtual) =>
    virtual.servers.map((real) => ({ real, labels: { virtual_server: virtual.name, real_server: real.name } })),
  );
  const virtual = (value: (mine: (typeof virtualServers)[number]) => number) =>
    virtualServers.map((mine) => one(value(mine), { virtual_server: mine.name }));
  const real = (value: (mine: (typeof servers)[number]["real"]) => number) =>
    servers.map((mine) => one(value(mine.real), mine.labels));
  return [
    gauge(
      "evenkeel_virtual_server_quorum",
      "Whether it has its quorum",
      virtual(({ quorumUp }) => (quorumUp ? 1 : 0)),
    ),
    gauge(
      "evenkeel_virtual_server_weight",
      "Weight of all live servers",
      virtual(({ weight }) => weight),
    ),
    gauge(
      "evenkeel_real_server_up",
      "Whether it gets new clients",
      real(({ state }) => (state === "UP" ? 1 : 0)),
    ),
    gauge(
      "evenkeel_real_server_weight",
      "Weight in the table",
      real(({ weight }) => weight ?? 0),
    ),
    gauge(
      "evenkeel_real_server_active_connections",
      "Established connections",
      real(({ active }) => active),
    ),
    gauge(
      "evenkeel_real_server_inactive_connections",
      "Connections in other states",
      real(({ inactive }) => inactive),
    ),
    counter(
      "evenkeel_real_server_connections_total",
      "Connections so far",
      real(({ connections }) => connections),
    ),
    gauge("evenkeel_connections", "Entries in the connection tables", [
      one(table.connectionsIpv4, { family: "ipv4" }),
      one(table.connectionsIpv6, { family: "ipv6" }),
    ]),
    gauge("evenkeel_connections_capacity", "Entries that each table holds", [one(table.capacity)]),
    counter("evenkeel_connections_refused_total", "Connections refused because a table was full", [
      one(table.refusedFull),
    ]),
  ];
}
