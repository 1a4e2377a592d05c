/**
 * The shell texts that build a lab: one for the switch, one for each node.
 *
 * The switch's shell is process 1 of a pid namespace that holds the whole lab, and each node's is process 1 of one inside
 * it; both stay as `init`, which waits for orphans (sh does, whatever it is waiting for). The switch's shell reads from
 * whoever brought the lab up: an end of file there ends the lab, so nothing half-made outlives a crash. Text only:
 * holder.ts runs it. Every name in a topology is checked before it comes here (build.ts); paths are quoted here.
 */

import { isIpv4 } from "../base/ip.ts";
import type { NodePaths } from "./paths.ts";
import type { InterfaceSpec, NodeSpec, RouteSpec, Topology } from "./topology.ts";

/** Longest name of a network interface, IFNAMSIZ without its NUL. */
const LONGEST_INTERFACE_NAME = 15;

/** Leaves the host's number of this shell in `pid` and its start time in `start`, proc_pid_stat(5). */
const WHO_AM_I = `read -r pid name state ppid pgrp session tty tpgid flags minflt cminflt majflt cmajflt utime stime \\
  cutime cstime priority nice threads itreal start rest </proc/self/stat`;

const BE_INIT = "exec </dev/null >/dev/null 2>&1\nwhile :; do sleep 1000000; done";

/** What a new network namespace would otherwise copy from the machine that it runs on. */
const NETWORK_DEFAULTS: readonly (readonly [string, string])[] = [
  ["net.ipv4.ip_forward", "0"],
  ["net.ipv4.conf.all.rp_filter", "0"],
  ["net.ipv4.conf.default.rp_filter", "0"],
  ["net.ipv4.conf.all.arp_ignore", "0"],
  ["net.ipv4.conf.all.arp_announce", "0"],
];

/** An end of file comes when whoever brings the lab up has died. */
const waitFor = (word: string): string => `read -r word || exit 1; [ "$word" = ${word} ] || exit 1`;

export const quote = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;

/** Names in the switch's network namespace: of the bridge of a segment, and of the port of a node's interface. */
export interface SwitchNames {
  bridge(segment: string): string;
  port(node: string, interfaceName: string): string;
}

export function switchNames(topology: Topology): SwitchNames {
  const ports = topology.nodes.flatMap((node) => node.interfaces.map((one) => `${node.name}.${one.name}`));
  const short = (name: string, prefix: string, all: readonly string[]) =>
    name.length <= LONGEST_INTERFACE_NAME && !/^(all|default|lo)$/.test(name) ? name : `${prefix}${all.indexOf(name)}`;
  const segments = topology.segments.map((segment) => segment.name);
  return {
    bridge: (segment) => short(segment, "bridge.", segments),
    port: (node, interfaceName) => short(`${node}.${interfaceName}`, "port.", ports),
  };
}

/**
 * Run in the lab's state folder. Says `ready` (after each node said its own) and, told `attach` and then `go` on standard
 * input, plugs the cables in and becomes independent of its parent.
 */
export function switchScript(topology: Topology): string {
  const names = switchNames(topology);
  const bridges = topology.segments.flatMap((segment) => {
    const bridge = names.bridge(segment.name);
    return [`link add ${bridge} type bridge stp_state 0 forward_delay 0 mcast_snooping 0`, `link set ${bridge} up`];
  });
  const cables = topology.nodes.flatMap((node) =>
    node.interfaces.map((one) => `link set ${names.port(node.name, one.name)} master ${names.bridge(one.segment)} up`),
  );
  const nodes = topology.nodes.map(
    (node) => `unshare --net --mount --pid --uts --fork --kill-child sh nodes/${node.name}/init.sh &`,
  );
  return `set -e
${WHO_AM_I}
echo "$pid $start" >holder
ln -s "/proc/$pid/ns/net" switch
# The switch itself has nothing to say on the segments.
for scope in all default; do echo 1 >/proc/sys/net/ipv6/conf/$scope/disable_ipv6 2>/dev/null || :; done
${ipBatch(["link set lo up", ...bridges])}
echo "holder $pid $start"
${nodes.join("\n")}
${waitFor("attach")}
${ipBatch(cables)}
echo attached
${waitFor("go")}
${BE_INIT}
`;
}

/** Run in the lab's state folder, in new network, mount, pid and uts namespaces. */
export function nodeScript(topology: Topology, node: NodeSpec, paths: NodePaths): string {
  const names = switchNames(topology);
  return `set -e
cd nodes/${node.name}
${WHO_AM_I}
trap 'echo "failed ${node.name}"' EXIT
${NETWORK_DEFAULTS.map(([key, value]) => `echo ${value} >${sysctlPath(key)} 2>/dev/null || :`).join("\n")}
${ipBatch([
  "link set lo up",
  ...node.interfaces.flatMap((one) => interfaceCommands(one, names.port(node.name, one.name))),
  ...node.routes.map(routeCommand),
])}
hostname ${node.hostname}
${mounts(topology, node, paths).join("\n")}
${[...node.sysctls].map(([key, value]) => `echo ${quote(value)} >${sysctlPath(key)}`).join("\n")}
trap - EXIT
echo "ready ${node.name} $pid $start"
${BE_INIT}
`;
}

function interfaceCommands(one: InterfaceSpec, port: string): string[] {
  const mac = one.mac === undefined ? "" : ` address ${one.mac}`;
  return [
    `link add ${one.name}${mac} type veth peer name ${port} netns ../../switch`,
    ...one.addresses.map(({ address, length }) =>
      isIpv4(address)
        ? `address add ${address}/${length} broadcast + dev ${one.name}`
        : `address add ${address}/${length} dev ${one.name} nodad`,
    ),
    `link set ${one.name} up`,
  ];
}

function routeCommand(route: RouteSpec): string {
  const to = route.to === "default" ? "default" : `${route.to.address}/${route.to.length}`;
  const via = route.via === undefined ? "" : ` via ${route.via}`;
  const dev = route.dev === undefined ? "" : ` dev ${route.dev}`;
  const family = (route.via ?? "").includes(":") || to.includes(":") ? "-6 " : "";
  return `${family}route add ${to}${via}${dev}`.trimStart();
}

/**
 * An own /run and /tmp, an own layer over /etc where the kernel has overlayfs, and the binds. Sources are bound into the
 * new /run while everything can still be seen, since they may lie below what is about to be covered.
 */
function mounts(topology: Topology, node: NodeSpec, paths: NodePaths): string[] {
  const lines = [
    "mount -t proc proc /proc 2>/dev/null || :",
    "mount -t sysfs sysfs /sys 2>/dev/null || :",
    "mount -t tmpfs -o mode=755 lab stage",
    "mkdir -p stage/run/lab stage/run/lock stage/etc stage/work",
    `cat >stage/etc/hosts <<'END'\n${hostsFile(topology)}END`,
    `echo ${node.hostname} >stage/etc/hostname`,
    // No resolver can be reached from here: a name that is not in hosts is answered at once.
    ": >stage/etc/resolv.conf",
  ];
  const staged = [
    ...paths.moved.map(({ from, to }) => ({ source: from, at: `stage${to}`, folder: true })),
    ...node.binds.map((bind, index) => ({
      source: bind.source,
      at: `stage/run/lab/bind${index}`,
      folder: bind.sourceIsFolder,
    })),
  ];
  for (const { source, at, folder } of staged) {
    lines.push(folder ? `mkdir -p ${at}` : `: >${at}`, `mount --rbind ${quote(source)} ${at}`);
  }
  lines.push(
    "mount -t overlay -o lowerdir=/etc,upperdir=stage/etc,workdir=stage/work etc /etc 2>/dev/null ||",
    "  mount --bind stage/etc/hosts /etc/hosts",
    "mount -t tmpfs -o mode=1777 tmp /tmp",
    "mount --rbind stage/run /run",
  );
  for (const [index, bind] of node.binds.entries()) {
    const target = quote(bind.target);
    lines.push(
      bind.sourceIsFolder
        ? `mkdir -p ${target}`
        : `mkdir -p ${quote(parentOf(bind.target))}; [ -e ${target} ] || : >${target}`,
    );
    lines.push(`mount --rbind /run/lab/bind${index} ${target}`);
    // In a user namespace flags of the outer mount may not be taken away, so they are named when the first try is refused.
    if (bind.readOnly) {
      lines.push(`mount -o remount,bind,ro ${target} 2>/dev/null || mount -o remount,bind,ro,nosuid,nodev ${target}`);
    }
  }
  return lines;
}

/** Every node by its name, at the first address on each of its segments. */
function hostsFile(topology: Topology): string {
  const lines = ["127.0.0.1 localhost", "::1 localhost"];
  for (const node of topology.nodes) {
    const names = node.hostname === node.name ? node.name : `${node.name} ${node.hostname}`;
    for (const one of node.interfaces) {
      const first = one.addresses[0];
      if (first !== undefined) lines.push(`${first.address} ${names}`);
    }
  }
  return `${lines.join("\n")}\n`;
}

const ipBatch = (commands: readonly string[]): string =>
  commands.length === 0 ? ":" : `ip -batch - <<'END'\n${commands.join("\n")}\nEND`;

const sysctlPath = (key: string): string =>
  // A dot inside an interface's name is written as a slash, sysctl(8).
  `/proc/sys/${key.replace(/[./]/g, (sign) => (sign === "." ? "/" : "."))}`;

const parentOf = (path: string): string => path.slice(0, path.lastIndexOf("/")) || "/";
