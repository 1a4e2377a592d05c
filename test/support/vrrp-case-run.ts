/** Runs a case of test/conformance/vrrp on the simulated LAN: one router, and neighbours of whom only adverts are there. */

import type { IpAddress } from "../../src/base/ip.ts";
import { instantAt, microseconds } from "../../src/base/time.ts";
import { load } from "../../src/config/load.ts";
import type { VirtualRoute } from "../../src/config/model/route.ts";
import type { VrrpConfiguration } from "../../src/config/model/vrrp.ts";
import type { Input, Output } from "../../src/vrrp/messages.ts";
import { memoryEnvironment } from "./memory-files.ts";
import { SimulatedLan } from "./simulated-lan.ts";
import { packetOf } from "./vrrp-case-neighbour.ts";
import type { Case, Deed, ScriptConduct, Stimulus } from "./vrrp-cases.ts";
import { addressOf } from "./vrrp-configuration.ts";

const ROUTER = "r";

/** The router's addresses, as README.md has them. */
export const OWN: Readonly<Record<string, readonly IpAddress[]>> = {
  eth0: [addressOf("10.9.0.1"), addressOf("fe80::1")],
  eth1: [addressOf("10.9.1.1"), addressOf("fe80::1:1")],
};

export function configurationOf(text: string): VrrpConfiguration {
  const { configuration } = load(["/k"], memoryEnvironment({ "/k": text }));
  if (configuration.vrrp === undefined) throw new Error("no VRRP in this configuration");
  return configuration.vrrp;
}

/** What it did, in lines as the timelines have them: `3.609 advert 100`. */
export function runCase(one: Case): string[] {
  const lan = new SimulatedLan();
  const configuration = configurationOf(one.configuration);
  const macvlans = configuration.instances.flatMap(({ vmac }) => (vmac === undefined ? [] : [[vmac.interface, []]]));
  lan.add(ROUTER, configuration, { ...OWN, ...Object.fromEntries(macvlans) });
  const world: World = { scripts: new Map(), reports: trackersOf(configuration), started: false };
  lan.scriptOutcome = (_, name) => {
    const does = world.scripts.get(name);
    return { type: "exited", status: does?.type === "exits" ? does.status : 0 };
  };
  const { scriptTakes } = lan;
  lan.scriptTakes = (host, name) => {
    const does = world.scripts.get(name);
    if (does?.type === "hangs") return Number.POSITIVE_INFINITY;
    return does?.type === "takes" ? does.milliseconds * 1_000 : scriptTakes(host, name);
  };
  for (const happening of one.happenings) {
    lan.run(microseconds(happening.at * 1_000 - lan.now));
    if (happening.kind === "deed") perform(lan, one, happening.deed, world);
    else hear(lan, happening.advert);
  }
  lan.run(microseconds(one.end * 1_000 - lan.now));
  return linesOf(one, lan);
}

/** What is outside of the router. */
interface World {
  readonly scripts: Map<string, ScriptConduct>;
  /** What trackers say at the start: the last of each. */
  readonly reports: Input[];
  started: boolean;
}

/** All that is tracked is well until the timeline says something else. */
const trackersOf = ({ trackProcesses, instances, syncGroups }: VrrpConfiguration): Input[] => [
  ...trackProcesses.map(({ name, quorum }): Input => ({ type: "process-count", process: name, count: quorum })),
  ...[...instances, ...syncGroups].flatMap(({ trackProxies, trackServices }) => [
    ...trackProxies.map(({ name }) => serviceState("proxy", name, true)),
    ...trackServices.map(({ name }) => serviceState("service", name, true)),
  ]),
];

const serviceState = (kind: "proxy" | "service", name: string, up: boolean): Input => ({
  type: "service-state",
  kind,
  name,
  up,
  cause: `${kind} ${name} is ${up ? "up" : "down"}`,
});

function perform(lan: SimulatedLan, one: Case, deed: Deed, world: World): void {
  const report = (input: Input): void => {
    if (world.started) lan.report(ROUTER, input);
    else world.reports.push(input);
  };
  switch (deed.type) {
    case "start":
      world.started = true;
      lan.start(ROUTER, world.reports);
      break;
    case "stop":
    case "freeze":
    case "thaw":
      lan[deed.type](ROUTER);
      break;
    case "reload":
      lan.reconfigure(ROUTER, configurationOf(one.reloaded ?? one.configuration));
      break;
    case "link":
      lan.setLink(ROUTER, deed.interface, deed.up);
      break;
    case "takes": {
      const held = lan.configuration(ROUTER).instances.flatMap((each) => each.virtualAddresses);
      const on = held.find(({ address }) => address === deed.address)?.interface ?? "eth0";
      lan.takeAddress(ROUTER, on, addressOf(deed.address));
      break;
    }
    case "script":
      world.scripts.set(deed.name, deed.does);
      break;
    case "file":
      report({ type: "file-value", file: deed.name, value: deed.value });
      break;
    case "process":
      report({ type: "process-count", process: deed.name, count: deed.count });
      break;
    case "proxy":
    case "service":
      report(serviceState(deed.type, deed.name, deed.up));
      break;
    case "own": {
      const [at = ""] = Object.entries(OWN).find(([, known]) => known.some((own) => own === deed.address)) ?? [];
      report({ type: "address", interface: at, address: addressOf(deed.address), present: deed.present });
      break;
    }
    case "route":
      for (const { name, virtualRoutes } of lan.configuration(ROUTER).instances)
        for (const route of virtualRoutes)
          if (destinationOf(route) === deed.destination) lan.takeRoute(ROUTER, name, route.written);
      break;
    default:
      deed satisfies never;
  }
}

function hear(lan: SimulatedLan, stimulus: Stimulus): void {
  const { instance, packet } = packetOf(lan.configuration(ROUTER), stimulus);
  const at = instance.vmac === undefined || instance.vmac.transmitOnBase ? instance.interface : instance.vmac.interface;
  lan.inject(ROUTER, at, packet.toHex());
}

const destinationOf = ({ destination: { address, length } }: VirtualRoute): string => `${address}/${length}`;

function linesOf(one: Case, lan: SimulatedLan): string[] {
  const wanted = new Set(one.expected.map(({ what }) => what));
  const lines: string[] = [];
  const held = new Set<string>();
  const words = wording(configurationOf(one.configuration));
  const routes = lan.configuration(ROUTER).instances.flatMap(({ virtualRoutes }) => virtualRoutes);
  const lost = lan.lost.map(({ before, at, what }) => {
    const route = routes.find(({ written }) => written === what);
    return { before, at, said: route === undefined ? `drops ${what}` : `removes route ${destinationOf(route)}` };
  });
  const did = lan.happenings.map(({ at, output }, place) => ({ before: place + 0.5, at, said: words(output) }));
  for (const { at, said } of [...lost, ...did].sort((a, b) => a.before - b.before)) {
    if (said === undefined || (/^(notifies|logs) /.test(said) && !wanted.has(said))) continue;
    const [, verb, what = ""] = /^(adds|removes|holds|drops) (.*)$/.exec(said) ?? [];
    if (verb === "adds" || verb === "holds") held.add(what);
    // Also what is not there is removed, to be sure.
    if ((verb === "removes" || verb === "drops") && !held.delete(what)) continue;
    const line = `${((at - instantAt(0)) / 1_000_000).toFixed(3)} ${said}`;
    const [, before, times = "1"] = /^(.*?)(?: x(\d+))?$/.exec(lines.at(-1) ?? "") ?? [];
    if (before === line && said.startsWith("announces")) lines[lines.length - 1] = `${line} x${Number(times) + 1}`;
    else lines.push(line);
  }
  return lines;
}

export const expectedLines = (one: Case): string[] =>
  one.expected.map(({ at, what }) => `${(at / 1_000).toFixed(3)} ${what}`);

/** Where it comes from and goes to, when that is not what everybody takes. */
export function wayInWords({
  source,
  destination,
}: {
  readonly source: IpAddress;
  readonly destination: IpAddress;
}): string {
  const from = Object.values(OWN).flat().includes(source) ? "" : ` from ${source}`;
  const to = destination === "224.0.0.18" || destination === "ff02::12" ? "" : ` to ${destination}`;
  return `${from}${to}`;
}

/** How the timelines call what a router with this configuration does. */
function wording({ instances }: VrrpConfiguration): (output: Output) => string | undefined {
  const whose = (name: string) => (instances.length > 1 ? `${name} ` : "");
  const virtualMac = (name: string, at: string): string => {
    const found = instances.find((each) => each.name === name);
    if (found?.vmac?.interface !== at) return "";
    const family = found.family === "ipv4" ? "01" : "02";
    return ` by 00:00:5e:00:${family}:${found.virtualRouterId.toString(16).padStart(2, "0")}`;
  };
  return (output) => {
    switch (output.type) {
      case "state":
        return `${whose(output.instance)}${output.to}`;
      case "send-advert": {
        const by = virtualMac(output.instance, output.interface);
        return `${whose(output.instance)}advert ${output.priority}${wayInWords(output)}${by}`;
      }
      case "add-address":
        return `holds ${output.address.address}`;
      case "gratuitous-arp":
      case "neighbour-advertisement":
        return `announces ${output.address}${virtualMac(output.instance, output.interface)}`;
      case "notify":
        return `notifies ${output.kind} ${output.name} ${output.state} ${output.priority}`;
      case "log":
        return `logs ${output.line}`;
      case "remove-address":
        return `drops ${output.address.address}`;
      case "add-route":
      case "remove-route":
        return `${output.type === "add-route" ? "adds" : "removes"} route ${destinationOf(output.route)}`;
      case "add-rule":
      case "remove-rule":
        return `${output.type === "add-rule" ? "adds" : "removes"} rule from ${output.rule.from?.address}`;
      default:
        return undefined;
    }
  };
}
