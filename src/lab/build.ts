/**
 * From a draft to a topology: every name, address, route, path and port is checked here, before anything is made.
 *
 * Reads nothing but whether a path exists, which is an argument.
 */

import { type IpAddress, parseIp, parseIpPrefix, prefixContains } from "../base/ip.ts";
import type { Diagnostics } from "../config/text/diagnostic.ts";
import type { Span } from "../config/text/source.ts";
import { Addressing, macFor } from "./addressing.ts";
import type { Draft, DraftBind, DraftNode, DraftPort, Placed } from "./draft.ts";
import type { Bind, InterfaceSpec, NodeSpec, Program, PublishedPort, RouteSpec, Topology } from "./topology.ts";
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
  readonly #addressing: Addressing;
  readonly #hostPorts = new Set<string>();

  constructor(draft: Draft, folder: string, paths: Paths, diagnostics: Diagnostics) {
    this.#draft = draft;
    this.#folder = folder;
    this.#paths = paths;
    this.#diagnostics = diagnostics;
    this.#addressing = new Addressing(diagnostics);
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
    for (const segment of segments) {
      if (!isName(segment.name.value)) this.#badName(segment.name, "a segment");
      this.#addressing.add(segment);
    }
    const seen = new Set<string>();
    for (const node of nodes) {
      if (seen.has(node.name.value))
        this.#error("lab/duplicate", node.name.span, `there are two nodes "${node.name.value}"`);
      seen.add(node.name.value);
    }
    for (const node of nodes) for (const one of node.interfaces) this.#addressing.reserve(node, one);
    return {
      name: name.value,
      folder: this.#folder,
      segments: this.#addressing.segments,
      nodes: nodes.map((node) => this.#node(node)),
    };
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
      const segment = this.#addressing.segment(one.segment.value);
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
      const addresses = this.#addressing.addressesOf(one, segment, draft.name.value);
      const mac = macFor(addresses);
      made.push({ name, segment: segment.name, addresses, ...(mac === undefined ? {} : { mac }) });
    }
    return made;
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
