/** One host's VRRP machine under a virtual clock, alone: the test says what its neighbours send. */

import type { IpAddress } from "../../src/base/ip.ts";
import { type Duration, type Instant, instantAt } from "../../src/base/time.ts";
import type { VrrpConfiguration, VrrpInstance } from "../../src/config/model/vrrp.ts";
import { advertPacket } from "../../src/vrrp/advert.ts";
import {
  DEFAULT_HOST_PARAMETERS,
  type HostState,
  initialState,
  nextDeadline,
  snapshot,
  transition,
} from "../../src/vrrp/host.ts";
import type { Input, InstanceSnapshot, Output } from "../../src/vrrp/messages.ts";
import { addressOf, configuration, instance, ip } from "./vrrp-configuration.ts";

export class Machine {
  state: HostState;
  now = instantAt(0);
  readonly told: { at: Instant; output: Output }[] = [];
  readonly #configuration: VrrpConfiguration;

  constructor(of: VrrpConfiguration | Partial<VrrpInstance> = {}) {
    this.#configuration = "instances" in of ? of : configuration([instance(of)]);
    this.state = initialState(this.#configuration);
  }

  /** Both interfaces up, with 10.9.0.1 and 10.9.1.1. */
  start(more: readonly IpAddress[] = []): Output[] {
    return this.feed({
      type: "start",
      interfaces: [
        { name: "eth0", up: true, addresses: [ip("10.9.0.1"), ...more] },
        { name: "eth1", up: true, addresses: [ip("10.9.1.1")] },
      ],
    });
  }

  feed(input: Input): Output[] {
    const { state, outputs } = transition(DEFAULT_HOST_PARAMETERS, this.state, input, this.now);
    this.state = state;
    this.told.push(...outputs.map((output) => ({ at: this.now, output })));
    return [...outputs];
  }

  /** Time passes and every timer is handed in when it is due. */
  wait(span: Duration): Output[] {
    const before = this.told.length;
    const end = instantAt(this.now + span);
    for (;;) {
      const deadline = nextDeadline(this.state);
      if (deadline === undefined || deadline > end) break;
      this.now = instantAt(Math.max(this.now, deadline));
      this.feed({ type: "timer" });
    }
    this.now = end;
    return this.told.slice(before).map(({ output }) => output);
  }

  /** Time passes and this process does not run; nothing is handed in. */
  freeze(span: Duration): void {
    this.now = instantAt(this.now + span);
  }

  /** An advert of a neighbour that is configured like `of`, the first instance with `more` changed. */
  hear(priority: number, from = "10.9.0.2", more: Partial<VrrpInstance> = {}, to = "10.9.0.1"): Output[] {
    const [mine] = this.state.configuration.instances;
    if (mine === undefined) throw new Error("no instance is configured");
    const theirs = { ...mine, ...more };
    const destination = theirs.unicastPeers === undefined ? theirs.multicastGroup : addressOf(to);
    const packet = advertPacket(theirs, priority, { source: addressOf(from), destination, identification: 1 }).toHex();
    return this.feed({ type: "packet", interface: theirs.vmac?.interface ?? theirs.interface, packet });
  }

  instance(name = this.state.configuration.instances[0]?.name): InstanceSnapshot {
    const found = snapshot(this.state).instances.find((candidate) => candidate.name === name);
    if (found === undefined) throw new Error(`no instance ${name}`);
    return found;
  }

  get is(): string {
    return this.instance().state;
  }

  /** Seconds until the next time that something is due. */
  get due(): number {
    return ((nextDeadline(this.state) ?? Number.NaN) - this.now) / 1_000_000;
  }
}

export const lines = (outputs: readonly Output[]): string[] =>
  outputs.flatMap((output) => (output.type === "log" ? [output.line] : []));

/** One word an output, without log lines: what a driver would do, in order. */
export const deeds = (outputs: readonly Output[]): string[] =>
  outputs.flatMap((output): string[] => {
    switch (output.type) {
      case "send-advert":
        return [`advert ${output.instance} ${output.priority}`];
      case "add-address":
      case "remove-address":
        return [`${output.type} ${output.address.address}`];
      case "refresh-addresses":
        return [`refresh ${output.addresses.map(({ address }) => address).join(" ")}`];
      case "gratuitous-arp":
        return [`arp ${output.address}`];
      case "neighbour-advertisement":
        return [`neighbour ${output.address}`];
      case "add-route":
      case "remove-route":
        return [`${output.type} ${output.route.written}`];
      case "add-rule":
      case "remove-rule":
        return [`${output.type} ${output.rule.written}`];
      case "virtual-address-lost":
        return [`${output.instance} lost ${output.what}: ${output.reaction}`];
      case "conflict-ended":
        return [`${output.instance} alone again, without ${output.with}`];
      case "run-script":
        return [`run ${output.script}`];
      case "script-state":
        return [`script ${output.script} ${output.ok ? "ok" : "failed"}`];
      case "state":
        return [`${output.instance} ${output.from}→${output.to}`];
      case "group-state":
        return [`${output.group} ${output.from}→${output.to}`];
      case "notify":
        return [`notify ${output.kind} ${output.name} ${output.state} ${output.priority}`];
      case "stopped":
        return ["stopped"];
      case "log":
      case "priority":
        return [];
      default:
        return output satisfies never;
    }
  });

export const of = <T extends Output["type"]>(outputs: readonly Output[], type: T): Extract<Output, { type: T }>[] =>
  outputs.flatMap((output) => (output.type === type ? [output as Extract<Output, { type: T }>] : []));
