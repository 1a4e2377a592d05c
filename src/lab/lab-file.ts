/**
 * Reads `*.lab.yml`: name, nodes and links, with the words of containerlab and netlab. docs/guides/lab.md describes it.
 * Only reads: build.ts judges names, addresses and paths.
 */

import type { Diagnostics } from "../config/text/diagnostic.ts";
import type { Draft, DraftInterface, DraftNode, DraftSegment, Placed } from "./draft.ts";
import { bind, commands, pairs, placed, port, programs, routes } from "./node-keys.ts";
import type { NodeKind } from "./topology.ts";
import type { YamlField, YamlValue } from "./yaml-tree.ts";

const KINDS: readonly NodeKind[] = ["linux", "client", "balancer", "server", "router"];
const TOP_KEYS = ["name", "nodes", "links"] as const;
const NODE_KEYS = [
  "kind",
  "hostname",
  "exec",
  "run",
  "cmd",
  "command",
  "binds",
  "sysctls",
  "env",
  "routes",
  "ports",
] as const;
const LINK_KEYS = ["segment", "subnet", "members", "endpoints"] as const;
const MEMBER_KEYS = ["iface", "address", "addresses", "ipv4_address", "ipv6_address"] as const;

export function readLabFile(top: YamlValue, defaultName: string, diagnostics: Diagnostics): Draft {
  const { name, nodes, links } = top.record("a lab", TOP_KEYS);
  const fields = nodes?.value.fields("nodes") ?? [];
  if (fields.length === 0) diagnostics.error("lab/no-nodes", nodes?.keySpan ?? top.span, "the lab has no nodes");
  const cables = new Cables(
    fields.map((field) => field.key),
    diagnostics,
  );
  for (const [index, link] of (links?.value.list("links") ?? []).entries()) cables.add(link, index);
  return {
    name: (name && placed(name.value, "a lab's name")) ?? { value: defaultName, span: top.span },
    segments: cables.segments,
    nodes: fields.map((field) => readNode(field, cables.interfacesOf(field.key), diagnostics)),
  };
}

function readNode(field: YamlField, interfaces: readonly DraftInterface[], diagnostics: Diagnostics): DraftNode {
  const what = `node "${field.key}"`;
  const keys = field.value.record(what, NODE_KEYS);
  const hostname = keys.hostname && placed(keys.hostname.value, "hostname");
  const inside = process.env;
  return {
    name: { value: field.key, span: field.keySpan },
    kind: readKind(keys.kind, diagnostics),
    ...(hostname === undefined ? {} : { hostname }),
    interfaces,
    routes: routes(keys.routes, "a route"),
    sysctls: pairs(keys.sysctls, "sysctls"),
    environment: pairs(keys.env, "env", (key) => inside[key]),
    binds: keys.binds?.value.list("binds").flatMap((one) => bind(one, "a bind", diagnostics) ?? []) ?? [],
    ports: keys.ports?.value.list("ports").flatMap((one) => port(one, "a port", diagnostics) ?? []) ?? [],
    exec: commands(keys.exec, "exec"),
    programs: [...programs(keys.run, "run"), ...programs(keys.cmd, "cmd"), ...programs(keys.command, "command")],
  };
}

function readKind(field: YamlField | undefined, diagnostics: Diagnostics): NodeKind {
  const text = field?.value.text("kind");
  const kind = KINDS.find((one) => one === text);
  if (field !== undefined && text !== undefined && kind === undefined) {
    diagnostics.error(
      "lab/unknown-kind",
      field.value.span,
      `"${text}" is no kind of node`,
      `one of ${KINDS.join(", ")}`,
    );
  }
  return kind ?? "linux";
}

/** Collects the links: segments with members, or two or more end points `NODE[:INTERFACE]`. */
class Cables {
  readonly segments: DraftSegment[] = [];
  readonly #interfaces = new Map<string, DraftInterface[]>();
  readonly #diagnostics: Diagnostics;

  constructor(nodes: readonly string[], diagnostics: Diagnostics) {
    for (const node of nodes) this.#interfaces.set(node, []);
    this.#diagnostics = diagnostics;
  }

  interfacesOf(node: string): readonly DraftInterface[] {
    return this.#interfaces.get(node) ?? [];
  }

  add(link: YamlValue, index: number): void {
    if (link.kind !== "map") {
      this.#endpoints(link, { value: `link${index + 1}`, span: link.span }, undefined);
      return;
    }
    const keys = link.record("a link", LINK_KEYS);
    const named = keys.segment && placed(keys.segment.value, "segment");
    const segment = named ?? { value: `link${index + 1}`, span: link.span };
    const subnet = keys.subnet && placed(keys.subnet.value, "subnet");
    if (keys.endpoints !== undefined) {
      this.#endpoints(keys.endpoints.value, segment, subnet);
      return;
    }
    this.segments.push({ name: segment, subnets: subnet === undefined ? [] : [subnet] });
    if (keys.members === undefined) {
      this.#diagnostics.error("lab/no-members", link.span, `the segment "${segment.value}" has no members`);
    } else if (keys.members.value.kind === "list") {
      for (const member of keys.members.value.list("members")) this.#endpoint(member, segment);
    } else {
      for (const member of keys.members.value.fields("members")) this.#member(member, segment);
    }
  }

  #endpoints(list: YamlValue, segment: Placed<string>, subnet: Placed<string> | undefined): void {
    this.segments.push({ name: segment, subnets: subnet === undefined ? [] : [subnet] });
    const ends = list.list("end points");
    if (ends.length < 2) this.#diagnostics.error("lab/no-members", list.span, "a link has at least two end points");
    for (const end of ends) this.#endpoint(end, segment);
  }

  /** `NODE[:INTERFACE]`. */
  #endpoint(value: YamlValue, segment: Placed<string>): void {
    const text = value.text("an end point");
    if (text === undefined) return;
    const [node = "", iface] = text.split(":");
    const name = iface === undefined ? {} : { name: { value: iface, span: value.span } };
    this.#plug(
      { value: node, span: value.span },
      { ...name, segment: { ...segment, span: value.span }, addresses: [] },
    );
  }

  /** `NODE: ADDRESS`, or `NODE: { iface, address }`. */
  #member({ key, keySpan, value }: YamlField, segment: Placed<string>): void {
    const at = { value: segment.value, span: keySpan };
    const node = { value: key, span: keySpan };
    if (value.kind !== "map") {
      const address = value.kind === "nothing" ? undefined : placed(value, "an address");
      this.#plug(node, { segment: at, addresses: address === undefined ? [] : [address] });
      return;
    }
    const keys = value.record("a member", MEMBER_KEYS);
    const single = [keys.address, keys.ipv4_address, keys.ipv6_address].flatMap((field) =>
      field ? [field.value] : [],
    );
    const listed = keys.addresses?.value.list("addresses") ?? [];
    const name = keys.iface && placed(keys.iface.value, "iface");
    this.#plug(node, {
      ...(name === undefined ? {} : { name }),
      segment: at,
      addresses: [...single, ...listed].flatMap((one) => placed(one, "an address") ?? []),
    });
  }

  #plug(node: Placed<string>, one: DraftInterface): void {
    const interfaces = this.#interfaces.get(node.value);
    if (interfaces !== undefined) interfaces.push(one);
    else this.#diagnostics.error("lab/unknown-node", node.span, `there is no node "${node.value}"`);
  }
}
