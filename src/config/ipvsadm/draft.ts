/**
 * What the options of one command line have said so far. An option acts on what came before it, as in ipvsadm: `-r HOST`
 * takes the port of the service before it, `-6` turns the mark before it into one of IPv6.
 */

import { isIpv6, parseIp, parseIpv6 } from "../../base/ip.ts";
import type { ForwardMethod, OnServerDown, ServerKey, ServerSettings, Tunnel } from "../../director/plane.ts";
import type { NamedService, ServiceWords } from "./command.ts";
import type { Meaning, OptionName } from "./options.ts";
import {
  LONGEST_TIMEOUT,
  type Names,
  NameWanted,
  netmaskBits4,
  netmaskBits6,
  numberIn,
  parseEndpoint,
  parseLooseIpv4,
} from "./values.ts";

const INT_MAX = 2 ** 31 - 1;
/** Of -p alone: the man page says 300, the program does this. */
const DEFAULT_PERSISTENCE = 360;
const ANY = parseIp("0.0.0.0");

type Mistake = string | NameWanted | undefined;

export class Draft {
  readonly given = new Set<OptionName>();
  scheduler = "wlc";
  persistence: number | undefined;
  /** undefined: a mask with gaps. */
  netmaskBits: number | undefined = 32;
  engine: string | undefined;
  onServerDown: OnServerDown | undefined;
  method: ForwardMethod = "dr";
  tunnelType: Tunnel["type"] = "ipip";
  service: NamedService;
  server: ServerKey;
  readonly #names: Names;
  #schedulerFlags = "";
  #tunnelPort = 0;
  #weight = 1;
  #upper = 0;
  #lower = 0;

  constructor(names: Names) {
    this.#names = names;
    if (ANY === undefined) throw new TypeError("0.0.0.0 is an address");
    this.service = { kind: "address", protocol: "tcp", address: ANY, port: 0 };
    this.server = { address: ANY, port: 0 };
  }

  has(name: OptionName): boolean {
    return this.given.has(name);
  }

  get persistent(): boolean {
    return this.persistence !== undefined;
  }

  get families(): { readonly service: 4 | 6; readonly server: 4 | 6 } {
    const { service } = this;
    return {
      service: service.kind === "mark" ? service.family : isIpv6(service.address) ? 6 : 4,
      server: isIpv6(this.server.address) ? 6 : 4,
    };
  }

  /** What is wrong with the option, in ipvsadm's words. */
  take(meaning: Meaning, argument: string | undefined): Mistake {
    switch (meaning.is) {
      case "service":
        return this.#once("service-address") ?? this.#takeService(meaning.protocol, argument ?? "");
      case "method":
        this.method = this.has("forwarding-method") ? this.method : meaning.method;
        return this.#once("forwarding-method");
      case "ipv6":
        if (this.service.kind !== "mark") return "-6 used before -f\n";
        this.service = { ...this.service, family: 6 };
        this.netmaskBits = 128;
        return undefined;
      case "option":
        return this.#once(meaning.option) ?? this.#takeOption(meaning.option, argument);
      case "sort":
      case "command":
        return undefined;
      default:
        return meaning satisfies never;
    }
  }

  #once(name: OptionName): string | undefined {
    if (this.given.has(name)) return `multiple '${name}' options specified`;
    this.given.add(name);
    return undefined;
  }

  #takeService(protocol: "tcp" | "udp" | "sctp" | "mark", text: string): Mistake {
    if (protocol === "mark") {
      const mark = numberIn(text, 1, 2 ** 32 - 1);
      if (mark === undefined) return `invalid fwmark value \`${text}' specified`;
      this.service = { kind: "mark", mark, family: 4 };
      return undefined;
    }
    const found = parseEndpoint(text, protocol, this.#names);
    if (found instanceof NameWanted) return found;
    if (found === undefined) return "illegal virtual server address[:port] specified";
    const { address, port = 0 } = found;
    this.service = protocol === "sctp" ? { kind: "sctp", address, port } : { kind: "address", protocol, address, port };
    if (isIpv6(address)) this.netmaskBits = 128;
    return undefined;
  }

  #takeOption(option: OptionName, argument: string | undefined): Mistake {
    const text = argument ?? "";
    switch (option) {
      case "scheduler":
        if (text !== "") this.scheduler = text;
        return undefined;
      case "persistent":
        this.persistence = argument === undefined ? DEFAULT_PERSISTENCE : numberIn(text, 1, LONGEST_TIMEOUT);
        return this.persistent ? undefined : `invalid timeout value \`${text}' specified`;
      case "netmask":
        return this.#takeNetmask(text);
      case "real-server":
        return this.#takeServer(text);
      case "weight":
        return this.#number(text, 0, INT_MAX, "weight", (value) => (this.#weight = value));
      case "u-threshold":
        return this.#number(text, 0, INT_MAX, "u_threshold", (value) => (this.#upper = value));
      case "l-threshold":
        return this.#number(text, 0, INT_MAX, "l_threshold", (value) => (this.#lower = value));
      case "pe":
        this.engine = text;
        return undefined;
      case "sched-flags":
        this.#schedulerFlags = text;
        return undefined;
      case "tun-type":
        if (text !== "ipip" && text !== "gue" && text !== "gre") return "illegal tunnel type specified";
        this.tunnelType = text;
        return undefined;
      case "tun-port":
        return this.#number(text, 1, 65_535, "tunnel port", (value) => (this.#tunnelPort = value));
      case "syncid":
        return this.#number(text, 0, 255, "syncid");
      case "sync-maxlen":
        return this.#number(text, 1, 65_507, "sync-maxlen");
      case "mcast-port":
        return this.#number(text, 1, 65_535, "mcast-port");
      case "mcast-ttl":
        return this.#number(text, 1, 255, "mcast-ttl");
      case "mcast-group":
        return multicastMistake(text);
      case "on-server-down":
        if (text !== "reset" && text !== "move" && text !== "keep") return "illegal on-server-down specified";
        this.onServerDown = text;
        return undefined;
      default:
        return undefined;
    }
  }

  #number(text: string, least: number, most: number, what: string, keep?: (value: number) => void): string | undefined {
    const value = numberIn(text, least, most);
    if (value === undefined) return `illegal ${what} specified`;
    keep?.(value);
    return undefined;
  }

  #takeNetmask(text: string): string | undefined {
    if (this.families.service === 6) {
      this.netmaskBits = netmaskBits6(text);
      return this.netmaskBits === undefined ? "illegal ipv6 netmask specified" : undefined;
    }
    this.netmaskBits = netmaskBits4(text);
    return parseLooseIpv4(text) === undefined ? "illegal virtual server persistent mask specified" : undefined;
  }

  #takeServer(text: string): Mistake {
    const { service } = this;
    const protocol = service.kind === "address" ? service.protocol : service.kind === "sctp" ? "sctp" : undefined;
    const found = parseEndpoint(text, protocol, this.#names);
    if (found instanceof NameWanted) return found;
    if (found === undefined) return "illegal real server address[:port] specified";
    this.server = { address: found.address, port: found.port ?? (service.kind === "mark" ? 0 : service.port) };
    return undefined;
  }

  /** Or what is wrong with `-b`, which is read last because it hangs on `-s`. */
  schedulerFlags(): ServiceWords["flags"] | string {
    const found = { fallback: false, port: false, flag3: false };
    if (!this.has("sched-flags")) return found;
    const words = this.#schedulerFlags.split(",").filter((word) => word !== "");
    if (words.length === 0) return `invalid scheduler flag \`${this.#schedulerFlags}'`;
    for (const word of words) {
      const { scheduler, flag } = /^(?<scheduler>sh|mh)-(?<flag>fallback|port)$/.exec(word)?.groups ?? {};
      if (scheduler !== undefined && scheduler !== this.scheduler) return `incompatible scheduler flag \`${word}'`;
      if (flag === "fallback" || word === "flag-1") found.fallback = true;
      else if (flag === "port" || word === "flag-2") found.port = true;
      else if (word === "flag-3") found.flag3 = true;
      else return `invalid scheduler flag \`${word}'`;
    }
    return found;
  }

  /** DR and TUN cannot change the port; only a service with a mark has none to impose. */
  serverKey(): ServerKey {
    const { service } = this;
    if (service.kind === "mark" || this.method === "nat") return this.server;
    return { address: this.server.address, port: service.port };
  }

  serverSettings(): ServerSettings {
    return {
      method: this.method,
      weight: this.#weight,
      upperThreshold: this.#upper,
      lowerThreshold: this.#lower,
      tunnel: {
        type: this.tunnelType,
        port: this.#tunnelPort,
        checksum: this.has("tun-csum") ? "checksum" : this.has("tun-remcsum") ? "remote" : "none",
      },
      draining: this.has("drain"),
    };
  }
}

function multicastMistake(text: string): string | undefined {
  if (text.includes(":")) {
    return /^ff/.test(parseIpv6(text) ?? "") ? undefined : `invalid IPv6 mcast-group \`${text}'`;
  }
  const first = Number(parseIp(text)?.split(".")[0] ?? 0);
  return first >= 224 && first < 240 ? undefined : `invalid IPv4 mcast-group \`${text}'`;
}
