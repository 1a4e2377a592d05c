/**
 * The schedulers in the kernel, with the scenarios of scripts/oracle played on them: ipvsadm's words go through `Tables` into
 * maps, the choices come from test/bpf/scheduling.bpf.c. No connections are made, so nothing here expires.
 */

import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { type IpAddress, ipToBytes, isIpv6, parseIp, parseIpPrefix, prefixContains } from "../../src/base/ip.ts";
import { applyChange } from "../../src/cli/ipvsadm-apply.ts";
import type { Change } from "../../src/config/ipvsadm/command.ts";
import { parseCommandLine } from "../../src/config/ipvsadm/parse.ts";
import { addressBytes, addressFrom, serviceKeyStruct } from "../../src/director/encoding.ts";
import { Layouts, numberKey } from "../../src/director/layouts.ts";
import type { MapName, TableMap } from "../../src/director/map-set.ts";
import type { ServiceKey } from "../../src/director/plane.ts";
import { Tables } from "../../src/director/tables.ts";
import { type BpfObject, loadObject, readObjectTypes } from "../../src/sys/bpf.ts";
import { testRun } from "../../src/sys/bpf-test-run.ts";
import { type Client, clientsOf, type Packets, protocolOf, type Scenario, type Step } from "./ipvs-scenario.ts";
import { DIRECTOR_OBJECT } from "./memory-maps.ts";

const path = (name: string): string => fileURLToPath(new URL(`../../${name}`, import.meta.url));
const NO_NAMES = { host: () => undefined, port: () => undefined };
const CPUS = 1;
const IPPROTO = { tcp: 6, udp: 17 } as const;

/** Before the first `SchedulingPlane`. */
export function buildSchedulingObject(): void {
  execFileSync(path("scripts/build-bpf"), [path("test/bpf/scheduling.bpf.c")], { stdio: "pipe" });
}

export class SchedulingPlane implements Disposable {
  readonly #object: BpfObject;
  readonly #tables: Tables;
  readonly #layouts: Layouts;
  readonly #marks: { readonly mark: number; readonly network: string }[] = [];
  /** By protocol and both ends: the server's number. */
  readonly #connections = new Map<string, number>();

  constructor(loops: "bpf_loop" | "bounded") {
    const constants = { cpus: CPUS, have_bpf_loop: loops === "bpf_loop" };
    this.#object = loadObject({ file: path("build/scheduling.bpf.o"), constants });
    // The same maps; only the director's object describes all that `Tables` keeps in them.
    const btf = readObjectTypes(DIRECTOR_OBJECT);
    this.#layouts = new Layouts(btf);
    const maps = Object.fromEntries(this.#object.maps) as unknown as Record<MapName, TableMap>;
    this.#tables = new Tables(
      { maps, btf, cpus: CPUS },
      { now: () => process.hrtime.bigint(), exclusively: (work) => work(), settle: () => {}, isLocal: () => false },
    );
  }

  /** The same steps with what we chose. Once: servers that were are remembered. */
  play(scenario: Scenario): Step[] {
    return scenario.steps.map((step) => this.#step(step));
  }

  #step(step: Step): Step {
    if ("ipvsadm" in step) this.#command(step.ipvsadm);
    else if ("mark" in step) this.#marks.push(step);
    else if ("send" in step) {
      const chosen = Array.from(clientsOf(step.send), (client) => this.#packet(step.send, client)).join(" ");
      return { send: step.send, ...(isFirst(step.send) ? { chosen } : {}), counts: this.#counts() };
    } else throw new Error("nothing expires here");
    return step;
  }

  #command(text: string): void {
    const parsed = parseCommandLine(text.split(" "), NO_NAMES);
    if (parsed.kind !== "command") throw new Error(`ipvsadm ${text}: ${JSON.stringify(parsed)}`);
    const refusal = applyChange(this.#tables, parsed.command as Change);
    if (refusal !== undefined) throw new Error(`ipvsadm ${text}: ${refusal.text ?? refusal.detail}`);
  }

  #packet(packets: Packets, client: Client): string {
    const connection = [packets.kind === "udp", client.address, client.port, packets.to, packets.toPort].join(" ");
    if (isFirst(packets)) {
      const server = this.#choose(packets, client);
      if (server === undefined) return "-";
      this.#connections.set(connection, server);
      return this.#nameOf(server);
    }
    // l4.md §1.3, answers unseen: of what scenarios send later, a FIN ends being active and the rest does not.
    const server = this.#connections.get(connection);
    if (packets.kind === "fin" && server !== undefined) this.#run("close_one", numberKey(server));
    return "";
  }

  #choose(packets: Packets, client: Client): number | undefined {
    const key = this.#serviceOf(packets);
    const service = this.#tables.service(key);
    if (service === undefined) throw new Error(`no service for ${packets.to}`);
    const rest = new Uint8Array(4);
    new DataView(rest.buffer).setUint16(0, client.port);
    rest.set([IPPROTO[protocolOf(packets)], isIpv6(client.address) ? 6 : 4], 2);
    const question = [
      this.#layouts.serviceKey.encode(serviceKeyStruct(key)),
      addressBytes(client.address),
      addressBytes(addressOf(packets.to)),
      rest,
    ];
    const verdict = this.#run(`choose_${service.settings.scheduler}`, ...question);
    return verdict === -1 ? undefined : verdict;
  }

  #serviceOf({ kind, to, toPort: port }: Packets): ServiceKey {
    const address = addressOf(to);
    for (const { mark, network } of this.#marks) {
      const prefix = parseIpPrefix(network);
      if (prefix !== undefined && prefixContains(prefix, address)) return { kind: "mark", mark, family: 4 };
    }
    return { kind: "address", protocol: kind === "udp" ? "udp" : "tcp", address, port };
  }

  #run(program: string, ...parts: readonly Uint8Array[]): number {
    const packet = Uint8Array.from([...new Uint8Array(14), ...parts.flatMap((part) => [...part])]);
    return testRun(this.#object.program(program), { packet }).verdict | 0;
  }

  #nameOf(number: number): string {
    const value = this.#object.map("servers").lookup(numberKey(number)) ?? new Uint8Array();
    const { address, family } = this.#layouts.server.decode(value);
    return nameOf(addressFrom(address, family));
  }

  #counts(): string {
    const servers = this.#tables.services().flatMap((service) => service.servers);
    return servers.map(({ key, active, inactive }) => `${nameOf(key.address)}=${active}/${inactive}`).join(" ");
  }

  [Symbol.dispose](): void {
    this.#object.close();
  }
}

const isFirst = ({ kind }: Packets): boolean => kind === "syn" || kind === "udp";

function addressOf(text: string): IpAddress {
  const address = parseIp(text);
  if (address === undefined) throw new Error(`not an address: ${text}`);
  return address;
}

const nameOf = (address: IpAddress): string => String(ipToBytes(address).at(-1));
