/** Runs a case of test/conformance/vrrp on the simulated LAN: one router, and neighbours of whom only adverts are there. */

import type { IpAddress } from "../../src/base/ip.ts";
import { instantAt, microseconds, seconds } from "../../src/base/time.ts";
import { load } from "../../src/config/load.ts";
import type { VrrpConfiguration, VrrpInstance } from "../../src/config/model/vrrp.ts";
import { advertPacket } from "../../src/vrrp/advert.ts";
import type { Output } from "../../src/vrrp/messages.ts";
import { memoryEnvironment } from "./memory-files.ts";
import { SimulatedLan } from "./simulated-lan.ts";
import type { Case, Deed, Stimulus } from "./vrrp-cases.ts";
import { addressOf, vip } from "./vrrp-configuration.ts";

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
  lan.add(ROUTER, configurationOf(one.configuration), OWN);
  const statuses = new Map<string, number>();
  lan.scriptOutcome = (_, name) => ({ type: "exited", status: statuses.get(name) ?? 0 });
  for (const happening of one.happenings) {
    lan.run(microseconds(happening.at * 1_000 - lan.now));
    if (happening.kind === "deed") perform(lan, one, happening.deed, statuses);
    else hear(lan, happening.advert);
  }
  lan.run(microseconds(one.end * 1_000 - lan.now));
  return linesOf(one, lan);
}

function perform(lan: SimulatedLan, one: Case, deed: Deed, statuses: Map<string, number>): void {
  switch (deed.type) {
    case "start":
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
      statuses.set(deed.name, deed.status);
      break;
    default:
      deed satisfies never;
  }
}

function hear(lan: SimulatedLan, { priority, from, changes }: Stimulus): void {
  const instances = lan.configuration(ROUTER).instances;
  const mine = instances.find(({ name }) => name === (changes.get("instance") ?? instances[0]?.name));
  if (mine === undefined) throw new Error(`no instance ${changes.get("instance")}`);
  let theirs: VrrpInstance = mine;
  let to = mine.unicastPeers === undefined ? mine.multicastGroup : addressOf("10.9.0.1");
  let change = (packet: Uint8Array): Uint8Array => packet;
  for (const [key, value] of changes) {
    switch (key) {
      case "instance":
        break;
      case "vrid":
        theirs = { ...theirs, virtualRouterId: Number(value) };
        break;
      case "version":
        theirs = { ...theirs, version: value === "2" ? 2 : 3 };
        break;
      case "interval":
        theirs = { ...theirs, advertInterval: seconds(Number(value)) };
        break;
      case "auth":
        theirs = { ...theirs, authPass: value === "none" ? undefined : value };
        break;
      case "vips":
        theirs = { ...theirs, virtualAddresses: value === "" ? [] : value.split(",").map((text) => vip(text)) };
        break;
      case "ttl":
        theirs = { ...theirs, unicastPeers: [], unicastTtl: Number(value) };
        break;
      case "to":
        to = addressOf(value);
        break;
      case "checksum":
        if (value === "plain") theirs = { ...theirs, checksumWithoutPseudoHeader: true };
        else if (value === "pseudo") theirs = { ...theirs, checksumWithoutPseudoHeader: false };
        // The reserved bits or the authentication type: what the checksum covers and nobody reads first.
        else change = (packet) => packet.with(packet.length - 1, (packet.at(-1) ?? 0) ^ 1);
        break;
      case "cut":
        change = (packet) => packet.subarray(0, packet.length - Number(value));
        break;
      default:
        throw new Error(`no such change of an advert: ${key}`);
    }
  }
  const packet = change(
    advertPacket(theirs, priority, { source: addressOf(from), destination: to, identification: 1 }),
  );
  lan.inject(ROUTER, mine.interface, packet.toHex());
}

function linesOf(one: Case, lan: SimulatedLan): string[] {
  const wanted = new Set(one.expected.map(({ what }) => what));
  const several = configurationOf(one.configuration).instances.length > 1;
  const lines: string[] = [];
  const held = new Set<string>();
  for (const { at, output } of lan.happenings) {
    const words = wordsOf(output, several);
    if (output.type === "add-address") held.add(output.address.address);
    // Also what is not there is removed, to be sure.
    if (output.type === "remove-address" && !held.delete(output.address.address)) continue;
    if (words === undefined || (/^(notifies|logs) /.test(words) && !wanted.has(words))) continue;
    const line = `${((at - instantAt(0)) / 1_000_000).toFixed(3)} ${words}`;
    const [, before, times = "1"] = /^(.*?)(?: x(\d+))?$/.exec(lines.at(-1) ?? "") ?? [];
    if (before === line && words.startsWith("announces")) lines[lines.length - 1] = `${line} x${Number(times) + 1}`;
    else lines.push(line);
  }
  return lines;
}

export const expectedLines = (one: Case): string[] =>
  one.expected.map(({ at, what }) => `${(at / 1_000).toFixed(3)} ${what}`);

function wordsOf(output: Output, several: boolean): string | undefined {
  const whose = (name: string) => (several ? `${name} ` : "");
  switch (output.type) {
    case "state":
      return `${whose(output.instance)}${output.to}`;
    case "send-advert":
      return `${whose(output.instance)}advert ${output.priority}${/^(224|ff02)/.test(output.destination) ? "" : ` to ${output.destination}`}`;
    case "add-address":
      return `holds ${output.address.address}`;
    case "gratuitous-arp":
    case "neighbour-advertisement":
      return `announces ${output.address}`;
    case "notify":
      return `notifies ${output.kind} ${output.name} ${output.state} ${output.priority}`;
    case "log":
      return `logs ${output.line}`;
    case "remove-address":
      return `drops ${output.address.address}`;
    default:
      return undefined;
  }
}
