/**
 * A lab as it was written, before it is known to make sense: every part with its place in the file. Both file formats
 * read into this; build.ts checks it and makes the topology of it.
 */

import type { Span } from "../config/text/source.ts";
import type { Command, NodeKind } from "./topology.ts";

export interface Placed<T> {
  readonly value: T;
  readonly span: Span;
}

export interface Draft {
  readonly name: Placed<string>;
  readonly segments: readonly DraftSegment[];
  readonly nodes: readonly DraftNode[];
}

export interface DraftSegment {
  readonly name: Placed<string>;
  readonly subnets: readonly Placed<string>[];
}

export interface DraftNode {
  readonly name: Placed<string>;
  readonly kind: NodeKind;
  readonly hostname?: Placed<string>;
  readonly interfaces: readonly DraftInterface[];
  readonly routes: readonly Placed<string>[];
  readonly sysctls: readonly DraftPair[];
  readonly environment: readonly DraftPair[];
  readonly binds: readonly DraftBind[];
  readonly ports: readonly DraftPort[];
  readonly exec: readonly Command[];
  readonly programs: readonly { readonly name?: Placed<string>; readonly command: Command }[];
}

export interface DraftPair {
  readonly key: Placed<string>;
  readonly value: string;
}

export interface DraftInterface {
  /** Without one: the next free of eth0, eth1 … */
  readonly name?: Placed<string>;
  readonly segment: Placed<string>;
  /** `ADDRESS` or `ADDRESS/LENGTH`; without any, the next free one of the segment's subnet. */
  readonly addresses: readonly Placed<string>[];
}

export interface DraftBind {
  readonly source: Placed<string>;
  readonly target: string;
  readonly readOnly: boolean;
}

export interface DraftPort {
  readonly span: Span;
  readonly address: string;
  readonly host: string;
  readonly node: string;
}
