/**
 * Reads `docker-compose.yml` (the Compose Specification, as far as it speaks of networks and processes).
 *
 * Images are neither built nor pulled: what runs in a node is its `command` or what `x-evenkeel` says. Interfaces are
 * eth0, eth1 … in the order of the service's networks. Whatever else is written is named in a warning.
 */

import type { Diagnostics } from "../config/text/diagnostic.ts";
import type { Span } from "../config/text/source.ts";
import type { Draft, DraftBind, DraftInterface, DraftNode, DraftPort, DraftSegment, Placed } from "./draft.ts";
import { bind, command, commands, pairs, placed, port, programs, routes } from "./node-keys.ts";
import type { YamlField, YamlValue } from "./yaml-tree.ts";

const TOP_KEYS = ["version", "name", "services", "networks"] as const;
const SERVICE_KEYS = [
  ...["command", "depends_on", "environment", "hostname", "networks", "ports", "sysctls", "volumes", "x-evenkeel"],
  ...["build", "image"],
] as const;
/** Of no meaning here: every node may do what it likes inside the lab, and none has a console. */
const SILENT_KEYS =
  /^(cap_add|cap_drop|privileged|container_name|expose|init|labels|platform|pull_policy|stdin_open|tty|x-.*)$/;
const NETWORK_KEYS = ["driver", "ipam", "internal", "name", "attachable", "enable_ipv6"] as const;
const EXTENSION_KEYS = ["kind", "run", "exec", "routes"] as const;

export function readComposeFile(top: YamlValue, defaultName: string, diagnostics: Diagnostics): Draft {
  const ignored = new Ignored(diagnostics);
  const { name, services, networks } = top.record("the file", TOP_KEYS, (field) => {
    if (!field.key.startsWith("x-")) ignored.warn(field, "");
  });
  const fields = services?.value.fields("services") ?? [];
  if (fields.length === 0) diagnostics.error("lab/no-nodes", services?.keySpan ?? top.span, "the file has no services");
  const segments = networks?.value.fields("networks").map((field) => readNetwork(field, ignored)) ?? [];
  const nodes = fields.map((field) => readService(field, ignored, diagnostics));
  const ordered = inOrder(nodes, diagnostics);
  addDefaultNetwork(segments, nodes);
  giveSubnets(segments);
  return {
    name: (name && placed(name.value, "name")) ?? { value: defaultName, span: top.span },
    segments,
    nodes: ordered.map((node) => node.draft),
  };
}

interface Service {
  readonly draft: DraftNode;
  readonly dependsOn: readonly Placed<string>[];
}

/** What a file asks for and does not get. */
class Ignored {
  readonly #diagnostics: Diagnostics;
  #imagesMentioned = false;

  constructor(diagnostics: Diagnostics) {
    this.#diagnostics = diagnostics;
  }

  warn({ key, keySpan }: { readonly key: string; readonly keySpan: Span }, where: string): void {
    this.#diagnostics.warning("lab/ignored", keySpan, `"${key}"${where} has no meaning in a lab: ignored`);
  }

  image(field: YamlField): void {
    if (this.#imagesMentioned) return;
    this.#imagesMentioned = true;
    const help = "what runs in a node is its command, or x-evenkeel: { run: [...] }";
    this.#diagnostics.note("lab/no-images", field.keySpan, "images are neither built nor pulled", help);
  }

  nothingRuns(span: Span, service: string): void {
    const help = "give it a command or x-evenkeel: { run: [...] }; x-evenkeel: {} says that nothing shall run";
    this.#diagnostics.warning("lab/nothing-runs", span, `nothing runs in "${service}"`, help);
  }
}

function readNetwork({ key, keySpan, value }: YamlField, ignored: Ignored): DraftSegment {
  const { ipam } = value.record(`network "${key}"`, NETWORK_KEYS, (field) =>
    ignored.warn(field, ` of network "${key}"`),
  );
  const config = ipam?.value.record("ipam", ["driver", "config"], (field) => ignored.warn(field, " of ipam")).config;
  const subnets = (config?.value.list("config") ?? []).flatMap((entry) => {
    const { subnet } = entry.record("config", ["subnet"], (field) => ignored.warn(field, " of ipam"));
    return (subnet && placed(subnet.value, "subnet")) ?? [];
  });
  return { name: { value: key, span: keySpan }, subnets };
}

function readService(field: YamlField, ignored: Ignored, diagnostics: Diagnostics): Service {
  const { key, keySpan, value } = field;
  const keys = value.record(`service "${key}"`, SERVICE_KEYS, (other) => {
    if (!SILENT_KEYS.test(other.key)) ignored.warn(other, ` of service "${key}"`);
  });
  const extension = keys["x-evenkeel"]?.value.record("x-evenkeel", EXTENSION_KEYS);
  const image = keys.build ?? keys.image;
  if (image !== undefined) ignored.image(image);
  const words = keys.command === undefined ? undefined : command(keys.command.value, "command");
  const own = programs(extension?.run, "run");
  const started = own.length > 0 || words === undefined ? own : [{ command: words }];
  if (started.length === 0 && extension === undefined) ignored.nothingRuns(keySpan, key);
  const hostname = keys.hostname && placed(keys.hostname.value, "hostname");
  const surroundings = process.env;
  const draft: DraftNode = {
    name: { value: key, span: keySpan },
    kind: extension?.kind?.value.text("kind") === "balancer" ? "balancer" : "linux",
    ...(hostname === undefined ? {} : { hostname }),
    interfaces: readInterfaces(keys.networks, keySpan, ignored),
    routes: routes(extension?.routes, "a route"),
    sysctls: pairs(keys.sysctls, "sysctls"),
    environment: pairs(keys.environment, "environment", (name) => surroundings[name]),
    binds: readVolumes(keys.volumes, ignored, diagnostics),
    ports: readPorts(keys.ports, ignored, diagnostics),
    exec: commands(extension?.exec, "exec"),
    programs: started,
  };
  return { draft, dependsOn: readDependencies(keys.depends_on) };
}

/** A list of networks, or a map of them with addresses; the network `default` when nothing is written. */
function readInterfaces(field: YamlField | undefined, span: Span, ignored: Ignored): DraftInterface[] {
  if (field === undefined) return [{ segment: { value: "default", span }, addresses: [] }];
  if (field.value.kind === "list") {
    return field.value.list("networks").flatMap((item) => {
      const segment = placed(item, "a network");
      return segment === undefined ? [] : [{ segment, addresses: [] }];
    });
  }
  return field.value.fields("networks").map(({ key, keySpan, value }) => {
    const known = ["ipv4_address", "ipv6_address", "aliases", "priority"] as const;
    const keys = value.record(`network "${key}"`, known, (other) => ignored.warn(other, ` of network "${key}"`));
    const addresses = [keys.ipv4_address, keys.ipv6_address].flatMap(
      (one) => (one && placed(one.value, "an address")) ?? [],
    );
    return { segment: { value: key, span: keySpan }, addresses };
  });
}

function readVolumes(field: YamlField | undefined, ignored: Ignored, diagnostics: Diagnostics): DraftBind[] {
  return (field?.value.list("volumes") ?? []).flatMap((item) => {
    const skip = (name: string): DraftBind[] => {
      ignored.warn({ key: name, keySpan: item.span }, ": a volume that is no path of this machine");
      return [];
    };
    if (item.kind === "map") {
      const keys = item.record("a volume", ["type", "source", "target", "read_only"]);
      const source = keys.source && placed(keys.source.value, "source");
      const target = keys.target?.value.text("target");
      const type = keys.type?.value.text("type") ?? "bind";
      if (source === undefined || target === undefined || type !== "bind") return skip(source?.value ?? type);
      return [{ source, target, readOnly: keys.read_only?.value.boolean("read_only") ?? false }];
    }
    const found = bind(item, "a volume", diagnostics);
    if (found === undefined) return [];
    return /^[./]/.test(found.source.value) ? [found] : skip(found.source.value);
  });
}

function readPorts(field: YamlField | undefined, ignored: Ignored, diagnostics: Diagnostics): DraftPort[] {
  return (field?.value.list("ports") ?? []).flatMap((item) => {
    if (item.kind !== "map") return port(item, "a port", diagnostics) ?? [];
    const keys = item.record("a port", ["target", "published", "host_ip", "protocol"], (other) =>
      ignored.warn(other, ""),
    );
    const [node = "", host = "", address = "127.0.0.1"] = [keys.target, keys.published, keys.host_ip].map((one) =>
      one?.value.text("a port"),
    );
    return [{ span: item.span, address, host, node }];
  });
}

function readDependencies(field: YamlField | undefined): Placed<string>[] {
  if (field === undefined) return [];
  if (field.value.kind === "map")
    return field.value.fields("depends_on").map((one) => ({ value: one.key, span: one.keySpan }));
  return field.value.list("depends_on").flatMap((item) => placed(item, "depends_on") ?? []);
}

/** Those that others depend on first, else in the order of the file. */
function inOrder(services: readonly Service[], diagnostics: Diagnostics): Service[] {
  const done = new Set<string>();
  const open = new Set<string>();
  const ordered: Service[] = [];
  const visit = (service: Service): void => {
    const name = service.draft.name.value;
    if (done.has(name)) return;
    open.add(name);
    for (const { value, span } of service.dependsOn) {
      const other = services.find((one) => one.draft.name.value === value);
      if (other === undefined) diagnostics.error("lab/unknown-node", span, `there is no service "${value}"`);
      else if (open.has(value)) diagnostics.error("lab/cycle", span, `"${name}" and "${value}" wait for each other`);
      else visit(other);
    }
    open.delete(name);
    done.add(name);
    ordered.push(service);
  };
  for (const service of services) visit(service);
  return ordered;
}

/** The network that services without `networks` share. */
function addDefaultNetwork(segments: DraftSegment[], services: readonly Service[]): void {
  const used = services.flatMap(({ draft }) => draft.interfaces).find((one) => one.segment.value === "default");
  if (used === undefined || segments.some((segment) => segment.name.value === "default")) return;
  segments.push({ name: used.segment, subnets: [] });
}

/** Networks without a subnet get 172.18.0.0/16 and so on, docker's own choice. */
function giveSubnets(segments: DraftSegment[]): void {
  let next = 18;
  for (const [index, segment] of segments.entries()) {
    if (segment.subnets.length > 0) continue;
    segments[index] = { name: segment.name, subnets: [{ value: `172.${next++}.0.0/16`, span: segment.name.span }] };
  }
}
