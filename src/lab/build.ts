/**
 * From a draft to a topology: every name, address, route, path and port is checked here, before anything is made.
 *
 * An interface without an address gets the lowest free one of its segment, from the second on, as docker gives them (the
 * first is the gateway's there). Reads nothing but whether a path exists, which is an argument.
 */

import {
  compareIp,
  type IpAddress,
  type IpPrefix,
  ipToBytes,
  ipv4FromBytes,
  isIpv4,
  parseIp,
  parseIpPrefix,
  prefixContains,
} from "../base/ip.ts";
import { type MacAddress, macFromBytes } from "../base/mac.ts";
import type { Diagnostics } from "../config/text/diagnostic.ts";
import type { Span } from "../config/text/source.ts";
import { suggest } from "../config/text/suggest.ts";
import type { Draft, DraftBind, DraftInterface, DraftNode, DraftPort, DraftSegment, Placed } from "./draft.ts";
import type {
  Bind,
  InterfaceSpec,
  NodeSpec,
  Program,
  PublishedPort,
  RouteSpec,
  Segment,
  Topology,
} from "./topology.ts";
import { nameOfCommand } from "./words.ts";

export interface Paths {
  /** What `path` is on this machine. */
  kind(path: string): "file" | "folder" | "missing";
  resolve(path: string): string;
}

export function buildTopology(draft: Draft, folder: string, paths: Paths, diagnostics: Diagnostics): Topology {
  return new Builder(draft, folder, paths, diagnostics).build();
}

class Builder {
  readonly #draft: Draft;
  readonly #folder: string;
  readonly #paths: Paths;
  readonly #diagnostics: Diagnostics;
  readonly #segments = new Map<string, Segment>();
  /** Addresses in use on each segment, with their owner. */
  readonly #taken = new Map<string, Map<IpAddress, string>>();
  readonly #hostPorts = new Set<string>();

  constructor(draft: Draft, folder: string, paths: Paths, diagnostics: Diagnostics) {
    this.#draft = draft;
    this.#folder = folder;
    this.#paths = paths;
    this.#diagnostics = diagnostics;
  }

  build(): Topology {
    const { name, segments, nodes } = this.#draft;
    if (!/^[a-z0-9][a-z0-9-]{0,31}$/.test(name.value)) {
      this.#error(
        "lab/bad-name",
        name.span,
        `"${name.value}" is no name for a lab`,
        "a-z, 0-9 and -, at most 32 characters",
      );
    }
    for (const segment of segments) this.#segment(segment);
    const seen = new Set<string>();
    for (const node of nodes) {
      if (seen.has(node.name.value))
        this.#error("lab/duplicate", node.name.span, `there are two nodes "${node.name.value}"`);
      seen.add(node.name.value);
    }
    // Written addresses first: one that is given away must not be one that somebody asks for further down.
    for (const node of nodes) for (const one of node.interfaces) this.#reserve(node, one);
    return {
      name: name.value,
      folder: this.#folder,
      segments: [...this.#segments.values()],
      nodes: nodes.map((node) => this.#node(node)),
    };
  }

  #segment({ name, subnets }: DraftSegment): void {
    if (!isName(name.value)) this.#badName(name, "a segment");
    if (this.#segments.has(name.value))
      this.#error("lab/duplicate", name.span, `there are two segments "${name.value}"`);
    const parsed = subnets.flatMap(({ value, span }) => {
      const subnet = value.includes("/") ? parseIpPrefix(value) : undefined;
      if (subnet === undefined)
        this.#error("lab/bad-subnet", span, `"${value}" is no network`, "for example 10.1.0.0/24");
      return subnet ?? [];
    });
    const subnet = parsed.find(({ address }) => isIpv4(address)) ?? parsed[0];
    this.#segments.set(name.value, subnet === undefined ? { name: name.value } : { name: name.value, subnet });
    this.#taken.set(name.value, new Map());
  }

  #node(draft: DraftNode): NodeSpec {
    const name = draft.name.value;
    if (!isName(name)) this.#badName(draft.name, "a node");
    // RFC 952 has no underscore.
    const hostname = draft.hostname?.value ?? name.replaceAll("_", "-");
    if (draft.hostname !== undefined && (!isName(hostname) || hostname.includes("_")))
      this.#badName(draft.hostname, "a host");
    const interfaces = this.#interfaces(draft);
    const sysctls = new Map<string, string>();
    if (draft.kind === "router" || draft.kind === "balancer") sysctls.set("net.ipv4.ip_forward", "1");
    for (const { key, value } of draft.sysctls) {
      if (/^net\.[\w./:-]+$/.test(key.value) && !key.value.includes("..") && !/[\n\r]/.test(value)) {
        sysctls.set(key.value, value);
      } else {
        this.#error(
          "lab/bad-sysctl",
          key.span,
          `"${key.value}" is not a node's own to set`,
          "only net.* belongs to a node",
        );
      }
    }
    const environment = new Map<string, string>();
    for (const { key, value } of draft.environment) {
      if (/^[A-Za-z_]\w*$/.test(key.value)) environment.set(key.value, value);
      else this.#error("lab/bad-name", key.span, `"${key.value}" is no name for a variable`);
    }
    return {
      name,
      kind: draft.kind,
      hostname,
      interfaces,
      routes: draft.routes.flatMap((route) => this.#route(route, interfaces) ?? []),
      sysctls,
      environment,
      binds: draft.binds.flatMap((bind) => this.#bind(bind) ?? []),
      ports: draft.ports.flatMap((port) => this.#port(port) ?? []),
      exec: draft.exec,
      programs: this.#programs(draft),
    };
  }

  #interfaces(draft: DraftNode): InterfaceSpec[] {
    const made: InterfaceSpec[] = [];
    const written = new Set(draft.interfaces.flatMap((one) => one.name?.value ?? []));
    let next = 0;
    for (const one of draft.interfaces) {
      const segment = this.#segments.get(one.segment.value);
      if (segment === undefined) continue;
      while (one.name === undefined && written.has(`eth${next}`)) next++;
      const name = one.name?.value ?? `eth${next++}`;
      const { span } = one.name ?? one.segment;
      if (!/^[A-Za-z][\w.-]{0,14}$/.test(name) || name === "lo") {
        this.#error("lab/bad-name", span, `"${name}" is no name for an interface`, "at most 15 characters, not lo");
      }
      if (made.some((other) => other.name === name)) {
        this.#error("lab/duplicate", span, `node "${draft.name.value}" has two interfaces "${name}"`);
      }
      const addresses = one.addresses.flatMap((address) => this.#address(address, segment) ?? []);
      if (one.addresses.length === 0) {
        const free = this.#freeAddress(segment, draft.name.value, one.segment.span);
        if (free !== undefined) addresses.push(free);
      }
      const mac = macFor(addresses);
      made.push({ name, segment: segment.name, addresses, ...(mac === undefined ? {} : { mac }) });
    }
    return made;
  }

  #reserve(node: DraftNode, one: DraftInterface): void {
    const { value, span } = one.segment;
    const segment = this.#segments.get(value);
    if (segment === undefined) {
      this.#error(
        "lab/unknown-segment",
        span,
        `there is no segment "${value}"`,
        didYouMean(value, this.#segments.keys()),
      );
      return;
    }
    for (const { value: text, span: at } of one.addresses) {
      const address = parseIpPrefix(text)?.address;
      if (address === undefined) continue;
      const owner = this.#taken.get(segment.name)?.get(address);
      if (owner !== undefined)
        this.#error("lab/duplicate-address", at, `${address} is the address of "${owner}" already`);
      this.#taken.get(segment.name)?.set(address, node.name.value);
    }
  }

  #address({ value, span }: Placed<string>, segment: Segment): IpPrefix | undefined {
    const parsed = parseIpPrefix(value);
    if (parsed === undefined) {
      this.#error("lab/bad-address", span, `"${value}" is no address`);
      return undefined;
    }
    const { subnet } = segment;
    const sameFamily = subnet !== undefined && isIpv4(subnet.address) === isIpv4(parsed.address);
    if (!sameFamily)
      return value.includes("/") ? parsed : { address: parsed.address, length: isIpv4(parsed.address) ? 24 : 64 };
    if (!prefixContains(subnet, parsed.address)) {
      const net = `${subnet.address}/${subnet.length}`;
      this.#error("lab/address-outside", span, `${parsed.address} is not in ${net}, the subnet of "${segment.name}"`);
    }
    return value.includes("/") ? parsed : { address: parsed.address, length: subnet.length };
  }

  #freeAddress(segment: Segment, owner: string, span: Span): IpPrefix | undefined {
    const { subnet } = segment;
    if (subnet === undefined || !isIpv4(subnet.address)) return undefined;
    const taken = this.#taken.get(segment.name);
    const last = 2 ** (32 - subnet.length) - 2;
    for (let host = 2; host <= last; host++) {
      const address = nthAddress(subnet, host);
      if (taken?.has(address)) continue;
      taken?.set(address, owner);
      return { address, length: subnet.length };
    }
    this.#error("lab/subnet-full", span, `"${segment.name}" has no free address for "${owner}"`);
    return undefined;
  }

  /** `DESTINATION via ADDRESS [dev INTERFACE]`, as ip-route(8) takes it. */
  #route({ value, span }: Placed<string>, interfaces: readonly InterfaceSpec[]): RouteSpec | undefined {
    const [to = "", ...rest] = value.trim().split(/\s+/);
    const wrong = (message: string) => {
      this.#error("lab/bad-route", span, message, "for example 10.2.0.0/24 via 10.1.0.1");
      return undefined;
    };
    const destination = to === "default" ? to : parseIpPrefix(to);
    if (destination === undefined) return wrong(`"${to}" is no destination`);
    const options = new Map<string, string>();
    for (let at = 0; at < rest.length; at += 2) {
      const [key = "", argument] = rest.slice(at, at + 2);
      if ((key !== "via" && key !== "dev") || argument === undefined)
        return wrong(`"${key}" is not understood in a route`);
      options.set(key, argument);
    }
    const via = options.get("via");
    const dev = options.get("dev");
    const gateway = via === undefined ? undefined : parseIp(via);
    if (via !== undefined && gateway === undefined) return wrong(`"${via}" is no address`);
    if (dev !== undefined && !interfaces.some((one) => one.name === dev))
      return wrong(`there is no interface "${dev}" here`);
    if (gateway === undefined && dev === undefined) return wrong("a route needs via or dev");
    const onLink = (address: IpAddress) =>
      interfaces.some((one) => one.addresses.some((own) => prefixContains(own, address)));
    if (gateway !== undefined && !onLink(gateway)) return wrong(`${gateway} is on none of this node's networks`);
    return {
      to: destination,
      ...(gateway === undefined ? {} : { via: gateway }),
      ...(dev === undefined ? {} : { dev }),
    };
  }

  #bind({ source, target, readOnly }: DraftBind): Bind | undefined {
    const absolute = this.#paths.resolve(source.value);
    const kind = this.#paths.kind(absolute);
    if (kind === "missing") {
      this.#error("lab/no-such-path", source.span, `there is no "${source.value}"`, `looked for ${absolute}`);
      return undefined;
    }
    if (!/^\/[^\n\r\0]/.test(target) || target.split("/").includes("..") || /^\/(proc|sys|dev)(\/|$)/.test(target)) {
      this.#error("lab/bad-target", source.span, `"${target}" is no place to mount on`, "an absolute path");
      return undefined;
    }
    const ownInNode = /^\/(run|var\/run|tmp|etc)\//.test(target) || target === "/tmp";
    if (!ownInNode && this.#paths.kind(target) === "missing") {
      const help =
        "nodes see this machine's files; only below /etc, /run and /tmp can a place be made for a node alone";
      this.#error("lab/bad-target", source.span, `there is no "${target}" to mount on`, help);
    }
    return { source: absolute, sourceIsFolder: kind === "folder", target: target.replace(/\/+$/, ""), readOnly };
  }

  #port({ span, address, host, node }: DraftPort): PublishedPort | undefined {
    const hostAddress = parseIp(address);
    const [hostPort, nodePort] = [host, node].map((text) => (/^[0-9]{1,5}$/.test(text) ? Number(text) : 0));
    if (hostAddress === undefined || !hostPort || !nodePort || hostPort > 65_535 || nodePort > 65_535) {
      this.#error("lab/bad-port", span, `"${address}:${host}:${node}" publishes no port`, "for example 8080:80");
      return undefined;
    }
    const place = `${hostAddress} ${hostPort}`;
    if (this.#hostPorts.has(place)) this.#error("lab/duplicate", span, `port ${hostPort} is published twice`);
    this.#hostPorts.add(place);
    return { hostAddress, hostPort, nodePort };
  }

  #programs(draft: DraftNode): Program[] {
    const programs: Program[] = [];
    for (const { name, command } of draft.programs) {
      const wanted = name?.value ?? nameOfCommand(command);
      if (name !== undefined && !/^[\w.-]{1,64}$/.test(name.value)) this.#badName(name, "a program");
      const taken = (one: string) => programs.some((program) => program.name === one);
      if (name !== undefined && taken(wanted))
        this.#error("lab/duplicate", name.span, `there are two programs "${wanted}"`);
      let unique = wanted;
      for (let count = 2; taken(unique); count++) unique = `${wanted}-${count}`;
      programs.push({ name: unique, command });
    }
    return programs;
  }

  #badName({ value, span }: Placed<string>, what: string): void {
    this.#error(
      "lab/bad-name",
      span,
      `"${value}" is no name for ${what}`,
      "letters, digits, - and _, at most 63 characters",
    );
  }

  #error(code: string, span: Span, message: string, help?: string): void {
    this.#diagnostics.error(code, span, message, help);
  }
}

/** Also a part of paths, of names in /run/netns and of shell texts. */
const isName = (text: string): boolean => /^[A-Za-z0-9][\w-]{0,62}$/.test(text);

const didYouMean = (word: string, candidates: Iterable<string>): string | undefined => {
  const found = suggest(word, candidates);
  return found === undefined ? undefined : `did you mean "${found}"?`;
};

function nthAddress(subnet: IpPrefix, host: number): IpAddress {
  const bytes = ipToBytes(subnet.address);
  const base = bytes.reduce((sum, byte) => sum * 256 + byte, 0);
  const network = Math.floor(base / 2 ** (32 - subnet.length)) * 2 ** (32 - subnet.length);
  const at = network + host;
  return ipv4FromBytes(Uint8Array.from([24, 16, 8, 0], (shift) => Math.floor(at / 2 ** shift) % 256));
}

/** 02:42 and the IPv4 address, as docker has it, so that a capture can be read; 02 marks it as locally administered. */
function macFor(addresses: readonly IpPrefix[]): MacAddress | undefined {
  const first = addresses
    .map((one) => one.address)
    .filter(isIpv4)
    .sort(compareIp)[0];
  return first === undefined ? undefined : macFromBytes(Uint8Array.from([0x02, 0x42, ...ipToBytes(first)]));
}
