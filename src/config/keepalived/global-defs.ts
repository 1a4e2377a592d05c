/** `global_defs`: what holds for all instances, and what they inherit (keepalived.conf(5), "Global definitions"). */

import { type Ipv4Address, type Ipv6Address, parseIpv4, parseIpv6 } from "../../base/ip.ts";
import { microseconds, seconds } from "../../base/time.ts";
import type { VrrpGlobal } from "../model/vrrp.ts";
import { type GarpDraft, garpHandlers } from "./garp.ts";
import { quote, type Report } from "./report.ts";
import { commandOf, scriptUser } from "./script.ts";
import type { Statement } from "./tree.ts";
import { isMulticast } from "./unicast.ts";
import { flag, integer, interfaceName, timer } from "./values.ts";
import { type Handlers, walk } from "./walk.ts";

/** What an instance takes unless it says otherwise. */
export interface InstanceDefaults {
  version: 2 | 3;
  lowerPrioNoAdvert: boolean;
  higherPrioSendAdvert: boolean;
  downTimerAdverts: number;
  strict: boolean;
  checkUnicastSource: boolean;
  checksumAsV2: boolean;
  ownerIgnoreAdverts: boolean;
  notifyPriorityChanges: boolean;
  smtpAlert: boolean;
  readonly garp: GarpDraft;
}

export interface GlobalDefs {
  readonly model: VrrpGlobal;
  readonly defaults: InstanceDefaults;
  /** `default_interface`: of static addresses that name none. */
  readonly defaultInterface: string;
  /** `vmac_prefix`. */
  readonly macvlanPrefix: string;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

const LONGEST_GARP_INTERVAL_SECONDS = 4_294;

/** `blocks`: every `global_defs` of the file, in order; later words win. `more`: words that do not concern VRRP. */
export function readGlobalDefs(blocks: readonly Statement[], more: Handlers, report: Report): GlobalDefs {
  const model: Mutable<VrrpGlobal> = {
    routerId: undefined,
    enableScriptSecurity: false,
    scriptUser: undefined,
    dynamicInterfaces: false,
    mcastGroup4: "224.0.0.18" as Ipv4Address,
    skipCheckAdvAddr: false,
    logUnknownVrids: false,
    startupDelay: seconds(0),
    mcastGroup6: "ff02::12" as Ipv6Address,
    delayAfterBoot: seconds(0),
    notifyFifos: [],
    statesToFifosOnReload: false,
    notifyParallel: false,
    mail: undefined,
    startupScript: undefined,
    shutdownScript: undefined,
    nftables: { table: "keepalived", priority: -1 },
    noEmailFaults: false,
    scheduling: { nice: undefined, realtime: undefined, realtimeLimit: undefined },
    interfaceDelays: [],
    garpGroups: [],
  };
  const garp: GarpDraft = {};
  const defaults: InstanceDefaults = {
    version: 2,
    lowerPrioNoAdvert: false,
    higherPrioSendAdvert: false,
    downTimerAdverts: 3,
    ...{ strict: false, checkUnicastSource: false, checksumAsV2: false, ownerIgnoreAdverts: false },
    ...{ notifyPriorityChanges: false, smtpAlert: false },
    garp,
  };
  const names = { defaultInterface: "eth0", macvlanPrefix: "vrrp" };
  const handlers = {
    ...modelHandlers(model, report),
    ...hostHandlers(model, names, report),
    ...defaultsHandlers(defaults, report),
    ...more,
  };
  for (const block of blocks) walk(block.block ?? [], "global_defs", handlers, report);
  return { model, defaults, ...names };
}

function modelHandlers(model: Mutable<VrrpGlobal>, report: Report): Handlers {
  return {
    router_id: ({ keyword, words: [name] }) => {
      if (name === undefined) report.warning("keepalived/missing-value", keyword, "routerid name missing - ignoring");
      else model.routerId = name.text;
    },
    enable_script_security: ({ words }) => {
      model.enableScriptSecurity = true;
      const [off] = words;
      if (off === undefined || !/^(0|off|no|false)$/.test(off.text)) return;
      const message = `${quote(off.text)} does not switch it off: the keyword alone enables script security`;
      report.warning("keepalived/no-off-switch", off, message, "Remove the line to switch it off");
    },
    script_user: ({ words: [user, group] }) => {
      if (user !== undefined) model.scriptUser = scriptUser(user.text, group?.text);
    },
    dynamic_interfaces: ({ words: [option] }) => {
      model.dynamicInterfaces = true;
      if (option !== undefined && option.text !== "allow_if_changes")
        report.warning("keepalived/unknown-option", option, `Unknown dynamic_interfaces option ${quote(option.text)}`);
    },
    vrrp_mcast_group4: ({ words: [group] }) => {
      if (group === undefined) return;
      const address = parseIpv4(group.text);
      const first = Number(address?.split(".")[0]);
      if (address !== undefined && first >= 224 && first <= 239) model.mcastGroup4 = address;
      else {
        const message = `vrrp_mcast_group4 ${quote(group.text)} is not multicast. Skipping`;
        report.warning("keepalived/bad-address", group, message, "Give an address from 224.0.0.0 to 239.255.255.255");
      }
    },
    vrrp_mcast_group6: ({ words: [group] }) => {
      if (group === undefined) return;
      const address = parseIpv6(group.text);
      if (address !== undefined && isMulticast(address)) model.mcastGroup6 = address;
      else {
        const message = `vrrp_mcast_group6 [${group.text}] is not multicast. Skipping`;
        report.warning("keepalived/bad-address", group, message, "Give an address of ff00::/8");
      }
    },
    vrrp_skip_check_adv_addr: (statement) => {
      model.skipCheckAdvAddr = true;
      warnOfNoOffSwitch(statement, report);
    },
    log_unknown_vrids: () => {
      model.logUnknownVrids = true;
    },
    vrrp_startup_delay: ({ words: [delay] }) => {
      const value = delay === undefined ? undefined : timer(delay, 0, 86_400, report, "no delay");
      if (value !== undefined) model.startupDelay = value;
    },
    vrrp_delay_after_boot: ({ words: [delay] }) => {
      const value = delay === undefined ? undefined : timer(delay, 0, 86_400, report, "no delay");
      if (value !== undefined) model.delayAfterBoot = value;
    },
    fifo_write_vrrp_states_on_reload: () => {
      model.statesToFifosOnReload = true;
    },
    notify_parallel: ({ words: [word] }) => {
      model.notifyParallel = flag(word, report) ?? model.notifyParallel;
    },
  };
}

/** What is asked of the host: scripts at start and stop, firewall, scheduling, names of interfaces. */
function hostHandlers(
  model: Mutable<VrrpGlobal>,
  names: { defaultInterface: string; macvlanPrefix: string },
  report: Report,
): Handlers {
  const timeouts = { startupScript: seconds(10), shutdownScript: seconds(10) };
  const script = (key: "startupScript" | "shutdownScript", what: string) => (statement: Statement) => {
    if (model[key] !== undefined) {
      report.warning(
        "keepalived/already-defined",
        statement.keyword,
        `${what} script already specified`,
        "Call both from one",
      );
      return;
    }
    const command = commandOf(statement, "user", report);
    if (command !== undefined) model[key] = { command, timeout: timeouts[key] };
  };
  const timeout =
    (key: "startupScript" | "shutdownScript") =>
    ({ words: [word] }: Statement) => {
      const value = word && integer(word, 1, 1_000, report, "10");
      if (value === undefined) return;
      timeouts[key] = seconds(value);
      if (model[key] !== undefined) model[key] = { command: model[key].command, timeout: timeouts[key] };
    };
  const schedule = (set: (value: number) => Partial<VrrpGlobal["scheduling"]>, least: number, most: number) => {
    return ({ words: [word] }: Statement) => {
      const value = word && integer(word, least, most, report);
      if (value !== undefined) model.scheduling = { ...model.scheduling, ...set(value) };
    };
  };
  const realtimeLimit = schedule((value) => ({ realtimeLimit: microseconds(value) }), 1, 0x7fff_ffff);
  return {
    startup_script: script("startupScript", "startup"),
    startup_script_timeout: timeout("startupScript"),
    shutdown_script: script("shutdownScript", "shutdown"),
    shutdown_script_timeout: timeout("shutdownScript"),
    nftables: ({ words: [table] }) => {
      if (table !== undefined) model.nftables = { ...model.nftables, table: table.text };
    },
    nftables_priority: ({ words: [word] }) => {
      const priority = word && integer(word, -0x8000_0000, 0x7fff_ffff, report, "-1");
      if (priority !== undefined) model.nftables = { ...model.nftables, priority };
    },
    vrrp_priority: schedule((nice) => ({ nice }), -20, 19),
    vrrp_rt_priority: schedule((realtime) => ({ realtime }), 1, 99),
    vrrp_rlimit_rttime: realtimeLimit,
    vrrp_rlimit_rtime: realtimeLimit,
    default_interface: ({ words: [word] }) => {
      names.defaultInterface = (word && interfaceName(word, report)) ?? names.defaultInterface;
    },
    vmac_prefix: ({ words: [word] }) => {
      if (word === undefined) return;
      if (/^[^\s/:.]{1,8}$/.test(word.text)) names.macvlanPrefix = word.text;
      else
        report.warning(
          "keepalived/bad-interface",
          word,
          `vmac_prefix ${quote(word.text)} is too long or invalid`,
          "At most 8 characters",
        );
    },
  };
}

function defaultsHandlers(defaults: InstanceDefaults, report: Report): Handlers {
  const { garp } = defaults;
  return {
    ...garpHandlers("vrrp_garp_", garp, report),
    vrrp_garp_interval: ({ words: [interval] }) => {
      if (interval !== undefined && Number(interval.text) === 0) {
        const message = "vrrp_garp_interval 0 is what holds without it; keepalived logs it as out of range";
        report.note("keepalived/zero-interval", interval, message, "The line can go");
        return;
      }
      const value = interval && timer(interval, 0.000_001, LONGEST_GARP_INTERVAL_SECONDS, report, "no gap");
      if (value !== undefined) garp.interval = value;
    },
    vrrp_min_garp: ({ words }) => {
      if (flag(words[0], report) !== true) return;
      garp.masterRepeat = 1;
      garp.masterDelay = seconds(0);
    },
    vrrp_gna_interval: ({ words: [interval] }) => {
      if (interval !== undefined && Number(interval.text) === 0) {
        const message = "vrrp_gna_interval 0 is what holds without it; keepalived logs it as out of range";
        report.note("keepalived/zero-interval", interval, message, "The line can go");
        return;
      }
      const value = interval && timer(interval, 0.000_001, LONGEST_GARP_INTERVAL_SECONDS, report, "no gap");
      if (value !== undefined) garp.neighbourInterval = value;
    },
    vrrp_strict: () => {
      defaults.strict = true;
    },
    vrrp_check_unicast_src: () => {
      defaults.checkUnicastSource = true;
    },
    v3_checksum_as_v2: ({ words }) => {
      defaults.checksumAsV2 = flag(words[0], report) ?? defaults.checksumAsV2;
    },
    vrrp_owner_ignore_adverts: ({ words }) => {
      defaults.ownerIgnoreAdverts = flag(words[0], report) ?? defaults.ownerIgnoreAdverts;
    },
    vrrp_notify_priority_changes: ({ words }) => {
      defaults.notifyPriorityChanges = flag(words[0], report) ?? defaults.notifyPriorityChanges;
    },
    vrrp_version: ({ words: [version] }) => {
      const value = version && integer(version, 2, 3, report, "2");
      if (value === 2 || value === 3) defaults.version = value;
    },
    vrrp_lower_prio_no_advert: ({ words }) => {
      defaults.lowerPrioNoAdvert = flag(words[0], report) ?? defaults.lowerPrioNoAdvert;
    },
    vrrp_higher_prio_send_advert: ({ words }) => {
      defaults.higherPrioSendAdvert = flag(words[0], report) ?? defaults.higherPrioSendAdvert;
    },
    vrrp_down_timer_adverts: ({ words: [count] }) => {
      defaults.downTimerAdverts = (count && integer(count, 1, 100, report, "3")) ?? defaults.downTimerAdverts;
    },
  };
}

/** `skip_check_adv_addr off` still sets it in keepalived. */
export function warnOfNoOffSwitch({ keyword, words: [value] }: Statement, report: Report): void {
  if (value === undefined || flag(value, report) !== false) return;
  const message = `${quote(value.text)} does not switch ${quote(keyword.text)} off: the keyword alone sets it`;
  report.warning("keepalived/no-off-switch", value, message, "Remove the line to switch it off");
}
