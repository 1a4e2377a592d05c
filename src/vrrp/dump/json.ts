/**
 * `/tmp/keepalived.json`: keepalived's version 1 (an array of instances) and version 2 (`{"vrrp":[…],"track_process":[…]}`).
 *
 * Fields and their order are those of 2.2.7, which exporters read. The password is masked, as keepalived's later versions
 * do; 2.2.7 prints it.
 */

import { inSeconds } from "../../base/time.ts";
import type { VrrpInstance } from "../../config/model/vrrp.ts";
import type { CounterName } from "../counters.ts";
import type { InstanceSnapshot } from "../messages.ts";
import { type Dumped, masterPriority, stateNumber, wantedState } from "./facts.ts";
import { routeText, ruleText } from "./routes.ts";
import { addressText, commandText, notifyCommands, promotes } from "./words.ts";

export const MASKED_PASSWORD = "********";

const STATS: readonly (readonly [string, CounterName])[] = [
  ["advert_rcvd", "adverts-received"],
  ["advert_sent", "adverts-sent"],
  ["become_master", "became-master"],
  ["release_master", "released-master"],
  ["packet_len_err", "packet-length"],
  ["advert_interval_err", "advert-interval"],
  ["ip_ttl_err", "ttl"],
  ["invalid_type_rcvd", "packet-type"],
  ["addr_list_err", "address-list"],
  ["invalid_authtype", "auth-type-invalid"],
  ["authtype_mismatch", "auth-type-mismatch"],
  ["auth_failure", "auth-failure"],
  ["pri_zero_rcvd", "priority-zero-received"],
  ["pri_zero_sent", "priority-zero-sent"],
];

/** One line, without a line end, as keepalived's. */
export function renderJson(dumped: Dumped, version: 1 | 2): string {
  const { configuration, snapshot } = dumped;
  const instances = snapshot.instances.flatMap((state) => {
    const instance = configuration.instances.find(({ name }) => name === state.name);
    return instance === undefined ? [] : [{ data: dataOf(dumped, instance, state), stats: statsOf(state) }];
  });
  const document = version === 1 ? instances : { vrrp: instances, track_process: processesOf(dumped) };
  return JSON.stringify(document);
}

function dataOf({ facts, configuration }: Dumped, instance: VrrpInstance, state: InstanceSnapshot) {
  const { garp, vmac, notify } = instance;
  const script = (name: string) => configuration.scripts.find((one) => one.name === name);
  const commands = notifyCommands(notify).map(([, key, command]) => [key, commandText(facts, command)] as const);
  const addresses = (list: VrrpInstance["virtualAddresses"]) =>
    list.map((address) => addressText(instance, address, state.holdsAddresses));
  const filled = (key: string, list: readonly string[]) => (list.length === 0 ? {} : { [key]: list });
  const since = facts.wall(state.since).microseconds;
  return {
    iname: instance.name,
    dont_track_primary: Number(instance.ignoreOwnLink),
    skip_check_adv_addr: Number(instance.skipCheckAdvAddr),
    strict_mode: Number(instance.strict),
    vmac_ifname: vmac?.interface ?? "",
    ifp_ifname: vmac?.interface ?? instance.interface,
    master_priority: masterPriority(state),
    last_transition: since / 1_000_000,
    garp_delay: Math.round(inSeconds(garp.masterDelay)),
    garp_refresh: Math.round(inSeconds(garp.masterRefresh)),
    garp_rep: garp.masterRepeat,
    garp_refresh_rep: garp.masterRefreshRepeat,
    garp_lower_prio_delay: Math.round(inSeconds(garp.lowerPrioDelay)),
    garp_lower_prio_rep: garp.lowerPrioRepeat,
    lower_prio_no_advert: Number(instance.lowerPrioNoAdvert),
    higher_prio_send_advert: Number(instance.higherPrioSendAdvert),
    vrid: instance.virtualRouterId,
    base_priority: instance.priority,
    effective_priority: state.effectivePriority,
    vipset: state.holdsAddresses,
    promote_secondaries: promotes(instance),
    adver_int: inSeconds(instance.advertInterval),
    master_adver_int: inSeconds(state.masterAdvertInterval),
    accept: Number(instance.accept),
    nopreempt: instance.nopreempt,
    preempt_delay: inSeconds(instance.preemptDelay),
    state: stateNumber(state.state),
    wantstate: stateNumber(wantedState(state)),
    version: instance.version,
    smtp_alert: instance.smtpAlert,
    notify_deleted: notify.deleted !== undefined,
    ...Object.fromEntries(commands),
    ...filled("vips", addresses(instance.virtualAddresses)),
    ...filled("evips", addresses(instance.excludedAddresses)),
    ...filled("vroutes", instance.virtualRoutes.map(routeText)),
    ...filled("vrules", instance.virtualRules.map(ruleText)),
    ...filled(
      "track_ifp",
      instance.trackInterfaces.map((one) => one.interface),
    ),
    ...filled(
      "track_script",
      instance.trackScripts.flatMap((one) => {
        const tracked = script(one.script);
        return tracked === undefined ? [] : [commandText(facts, tracked.command)];
      }),
    ),
    auth_type: instance.authPass === undefined ? 0 : 1,
    ...(instance.authPass === undefined ? {} : { auth_data: MASKED_PASSWORD }),
  };
}

const statsOf = ({ counters }: InstanceSnapshot) =>
  Object.fromEntries(STATS.map(([key, name]) => [key, counters[name]]));

const processesOf = ({ configuration }: Dumped) =>
  configuration.trackProcesses.map((one) => ({
    name: one.name,
    process: one.command[0] ?? "",
    quorum: one.quorum,
    quorum_max: one.quorumMax ?? null,
    weight: one.weight,
  }));
