/** `global_defs`: what holds for all instances, and what they inherit (keepalived.conf(5), "Global definitions"). */

import { type Ipv4Address, type Ipv6Address, parseIpv4 } from "../../base/ip.ts";
import { seconds } from "../../base/time.ts";
import type { VrrpGlobal } from "../model/vrrp.ts";
import { type GarpDraft, garpHandlers } from "./garp.ts";
import { quote, type Report } from "./report.ts";
import { scriptUser } from "./script.ts";
import type { Statement, Word } from "./tree.ts";
import { flag, integer, timer } from "./values.ts";
import { type Handlers, walk } from "./walk.ts";

/** What an instance takes unless it says otherwise. */
export interface InstanceDefaults {
  version: 2 | 3;
  lowerPrioNoAdvert: boolean;
  higherPrioSendAdvert: boolean;
  downTimerAdverts: number;
  readonly garp: GarpDraft;
}

export interface GlobalDefs {
  readonly model: VrrpGlobal;
  readonly defaults: InstanceDefaults;
  /** The `vrrp_strict` keyword, when there is one. */
  readonly strict: Word | undefined;
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
  };
  const garp: GarpDraft = {};
  const defaults: InstanceDefaults = {
    version: 2,
    lowerPrioNoAdvert: false,
    higherPrioSendAdvert: false,
    downTimerAdverts: 3,
    garp,
  };
  const strict = blocks
    .flatMap((block) => block.block ?? [])
    .find((one) => one.keyword.text === "vrrp_strict")?.keyword;
  const handlers = { ...modelHandlers(model, report), ...defaultsHandlers(defaults, report), ...more };
  for (const block of blocks) walk(block.block ?? [], "global_defs", handlers, report);
  return { model, defaults, strict };
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
