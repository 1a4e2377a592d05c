/**
 * What a lab consists of: segments, nodes, and the ports and programs of each node.
 *
 * A plain value, the same whether it was written as `*.lab.yml` or as `docker-compose.yml`; every address is known and
 * every path absolute. Says nothing about namespaces (script.ts does) and reads no file (file.ts does).
 */

import type { IpAddress, IpPrefix } from "../base/ip.ts";
import type { MacAddress } from "../base/mac.ts";

export interface Topology {
  /** `[a-z0-9][a-z0-9-]*`, at most 32 characters. */
  readonly name: string;
  /** The folder that relative paths started from; programs run in it. Absolute. */
  readonly folder: string;
  readonly segments: readonly Segment[];
  /** In the order in which their programs are started. */
  readonly nodes: readonly NodeSpec[];
}

/** One Ethernet segment: a bridge without multicast snooping, so that VRRP reaches every member. */
export interface Segment {
  readonly name: string;
  readonly subnet?: IpPrefix;
}

export type NodeKind = "linux" | "client" | "balancer" | "server" | "router";

export interface NodeSpec {
  readonly name: string;
  readonly kind: NodeKind;
  readonly hostname: string;
  readonly interfaces: readonly InterfaceSpec[];
  readonly routes: readonly RouteSpec[];
  /** Dotted keys, all below `net.`. Applied after the interfaces exist. */
  readonly sysctls: ReadonlyMap<string, string>;
  readonly environment: ReadonlyMap<string, string>;
  readonly binds: readonly Bind[];
  readonly ports: readonly PublishedPort[];
  /** Run one after the other before any program starts; a status other than 0 fails `up`. */
  readonly exec: readonly Command[];
  /** Started in this order and left running. */
  readonly programs: readonly Program[];
}

export interface InterfaceSpec {
  readonly name: string;
  readonly segment: string;
  readonly addresses: readonly IpPrefix[];
  readonly mac?: MacAddress;
}

export interface RouteSpec {
  readonly to: IpPrefix | "default";
  readonly via?: IpAddress;
  readonly dev?: string;
}

export interface Bind {
  /** Absolute, exists. */
  readonly source: string;
  readonly sourceIsFolder: boolean;
  /** Absolute, inside the node. */
  readonly target: string;
  readonly readOnly: boolean;
}

/** A TCP port of this machine that leads to a port of the node. */
export interface PublishedPort {
  readonly hostAddress: IpAddress;
  readonly hostPort: number;
  readonly nodePort: number;
}

/** Words, without a shell. */
export type Command = readonly [string, ...string[]];

export interface Program {
  /** Unique in its node; what `kill`, `pause` and `resume` take. */
  readonly name: string;
  readonly command: Command;
}
