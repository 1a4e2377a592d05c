/**
 * Plays scenarios against the IPVS of the kernel it runs on and writes them down with the answers. Root; meant for a
 * machine of its own (see `capture`), as it makes a network namespace for each scenario.
 *
 *   node scripts/oracle/guest.ts FOLDER NAME…    the scenarios of ./NAME.ts into FOLDER/NAME.json
 */

import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { release } from "node:os";
import { ipToBytes, parseIp } from "../../src/base/ip.ts";
import { macFromBytes } from "../../src/base/mac.ts";
import { enterNamespace } from "../../src/sys/namespaces.ts";
import { openPacketSocket } from "../../src/sys/packet-socket.ts";
import { encodeEthernet } from "../../src/wire/ethernet.ts";
import {
  type Capture,
  type Client,
  clientsOf,
  encodePacket,
  type Packets,
  protocolOf,
  type Scenario,
  type Step,
} from "../../test/support/ipvs-scenario.ts";

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

const run = (command: string): string => {
  const [program = "", ...parameters] = command.split(" ");
  return execFileSync(program, parameters, { encoding: "utf8" });
};

const directorMac = macFromBytes(Uint8Array.of(2, 0, 0, 0, 0, 1));
const clientMac = macFromBytes(Uint8Array.of(2, 0, 0, 0, 0, 2));

/** A balancer with all the addresses that scenarios use; its clients are behind `c0`, its servers behind `s0`. */
function prepare(): void {
  run(`ip link add c0 address ${directorMac} type veth peer name c1 address ${clientMac}`);
  run("ip link add s0 type veth peer name s1");
  for (const name of ["lo", "c0", "c1", "s0", "s1"]) run(`ip link set ${name} up`);
  writeFileSync("/proc/sys/net/ipv4/ip_forward", "1");
  for (let i = 1; i <= 9; i++) {
    run(`ip address add 192.168.9.${i}/32 dev lo`);
    run(`ip address add fd09::${i}/128 dev lo nodad`);
  }
  run("ip address add 192.168.8.254/24 dev s0");
  run("ip address add fd08::254/64 dev s0 nodad");
  run("ip route add 10.0.0.0/8 dev c0");
  run("ip route add fd10::/16 dev c0");
}

/** Addresses as /proc/net/ip_vs_conn writes them: 0A000001, or all eight groups of an IPv6 address. */
const hex = (address: string): string => {
  const parsed = parseIp(address);
  if (parsed === undefined) throw new Error(`not an address: ${address}`);
  return Array.from(ipToBytes(parsed), (byte) => byte.toString(16).padStart(2, "0")).join("");
};
const normalise = (text: string): string => text.replaceAll(/[[\]:]/g, "").toLowerCase();
const nameOf = (address: string): string => String(Number.parseInt(normalise(address).slice(-2), 16));
const tuple = (protocol: string, client: string, port: number, virtual: string, virtualPort: number): string =>
  [protocol, client, port, virtual, virtualPort].join(" ");

function connections(): Map<string, string> {
  const found = new Map<string, string>();
  for (const line of readFileSync("/proc/thread-self/net/ip_vs_conn", "utf8").split("\n").slice(1)) {
    const [protocol = "", client = "", port = "", virtual = "", virtualPort = "", server = ""] = line.split(/\s+/);
    if (server === "") continue;
    const key = tuple(
      protocol.toLowerCase(),
      normalise(client),
      Number.parseInt(port, 16),
      normalise(virtual),
      Number.parseInt(virtualPort, 16),
    );
    found.set(key, nameOf(server));
  }
  return found;
}

function counts(): string {
  const rows: string[] = [];
  for (const line of readFileSync("/proc/thread-self/net/ip_vs", "utf8").split("\n")) {
    const [arrow, server = "", , , active = "", inactive = ""] = line.trim().split(/\s+/);
    if (arrow !== "->" || active === "ActiveConn") continue;
    rows.push(`${nameOf(server.slice(0, server.lastIndexOf(":")))}=${active}/${inactive}`);
  }
  return rows.join(" ");
}

function send(packets: Packets, interfaceIndex: number): void {
  const socket = openPacketSocket();
  try {
    for (const client of clientsOf(packets)) {
      const etherType = client.address.includes(":") ? 0x86dd : 0x0800;
      const payload = encodePacket(packets, client);
      socket.send(encodeEthernet({ destination: directorMac, source: clientMac, etherType, payload }), interfaceIndex);
    }
  } finally {
    socket.close();
  }
}

function chosen(packets: Packets): string {
  const all = connections();
  const serverOf = ({ address, port }: Client) =>
    all.get(tuple(protocolOf(packets), hex(address), port, hex(packets.to), packets.toPort)) ?? "-";
  return Array.from(clientsOf(packets), serverOf).join(" ");
}

async function play(step: Step): Promise<Step> {
  if ("ipvsadm" in step) run(`ipvsadm ${step.ipvsadm}`);
  else if ("waitSeconds" in step) await wait(step.waitSeconds * 1000);
  else if ("mark" in step) {
    const family = step.network.includes(":") ? "ip6" : "ip";
    run(`ip ${family === "ip6" ? "-6 " : ""}route add local ${step.network} dev lo`);
    run("nft add table inet oracle");
    run("nft add chain inet oracle marks { type filter hook prerouting priority -150 ; }");
    run(`nft add rule inet oracle marks ${family} daddr ${step.network} meta mark set ${step.mark}`);
  } else {
    const [{ ifindex }] = JSON.parse(run("ip -json link show c1"));
    send(step.send, ifindex);
    await wait(50);
    const isNew = step.send.kind === "syn" || step.send.kind === "udp";
    return { ...step, ...(isNew ? { chosen: chosen(step.send) } : {}), counts: counts() };
  }
  return step;
}

async function capture(scenario: Scenario): Promise<Scenario> {
  run("ip netns add oracle");
  try {
    enterNamespace("/run/netns/oracle", "net");
    prepare();
    const steps: Step[] = [];
    for (const step of scenario.steps) steps.push(await play(step));
    return { name: scenario.name, steps };
  } finally {
    enterNamespace("/proc/1/ns/net", "net");
    run("ip netns delete oracle");
  }
}

const [folder, ...names] = process.argv.slice(2);
for (const name of names) {
  const { scenarios } = (await import(`./${name}.ts`)) as { scenarios: readonly Scenario[] };
  const answers: Scenario[] = [];
  for (const scenario of scenarios) {
    try {
      answers.push(await capture(scenario));
    } catch (error) {
      throw new Error(`scenario ${scenario.name}`, { cause: error });
    }
  }
  const result: Capture = { kernel: release(), scenarios: answers };
  writeFileSync(`${folder}/${name}.json`, `${JSON.stringify(result, undefined, 1)}\n`);
}
