/** Short ways to write the steps of scenarios. */

import type { Packets, Step } from "../../test/support/ipvs-scenario.ts";

export const VIP = "192.168.9.1";
export const VIP6 = "fd09::1";

export interface Server {
  readonly name: number;
  readonly weight?: number;
  /** More words of ipvsadm: `-x 3 -y 1`. */
  readonly more?: string;
}

const ipvsadm = (text: string): Step => ({ ipvsadm: text.trim().replaceAll(/ +/g, " ") });

/** Commands for one virtual service: `-t 192.168.9.1:80`, or what `name` says. */
export function service(name = `-t ${VIP}:80`, server = (number: number) => `192.168.8.${number}:80`) {
  const words = (verb: string, { name: number, weight, more = "" }: Server): Step =>
    ipvsadm(`${verb} ${name} -r ${server(number)} ${weight === undefined ? "" : `-w ${weight}`} ${more}`);
  return {
    add: (scheduler: string, more = ""): Step => ipvsadm(`-A ${name} -s ${scheduler} ${more}`),
    edit: (scheduler: string, more = ""): Step => ipvsadm(`-E ${name} -s ${scheduler} ${more}`),
    remove: (): Step => ipvsadm(`-D ${name}`),
    server: (added: Server): Step => words("-a", added),
    editServer: (edited: Server): Step => words("-e", edited),
    removeServer: (number: number): Step => words("-d", { name: number }),
    /** Servers 1, 2, 3 … with these weights, in this order. */
    weights: (...weights: number[]): Step[] => weights.map((weight, index) => words("-a", { name: index + 1, weight })),
  };
}

/** `count` SYNs to port 80 of the first VIP, each from the next port of one client. */
export const open = (count: number, port: number, more: Partial<Packets> = {}): Step =>
  packets("syn", count, port, more);

export const packets = (kind: Packets["kind"], count: number, port: number, more: Partial<Packets> = {}): Step => ({
  send: { kind, from: "10.0.0.1", port, count, to: VIP, toPort: 80, ...more },
});
