/** Scenarios of lblc and lblcr: virtual addresses of a firewall mark and how they move when servers have much to do. */

import type { Scenario, Step } from "../../test/support/ipvs-scenario.ts";
import { open, packets, service } from "./service.ts";

const one = service("-f 7", (number) => `192.168.8.${number}`);
const mark: Step = { mark: 7, network: "192.168.64.0/20" };
const to = (last: number) => ({ to: `192.168.64.${last}` });

const named = (scheduler: string): Scenario[] => [
  {
    name: `${scheduler} keeps an address at its server`,
    steps: [
      mark,
      one.add(scheduler),
      ...one.weights(50, 50, 50),
      ...[1, 2, 3, 4].map((last) => open(2, 1000, to(last))),
      ...[1, 2, 3, 4].map((last) => open(3, 1100, to(last))),
    ],
  },
  {
    name: `${scheduler} leaves a server that has too much to do`,
    steps: [
      mark,
      one.add(scheduler),
      ...one.weights(2, 3, 4),
      open(24, 1000, to(1)),
      open(12, 1000, to(2)),
      packets("fin", 20, 1000, to(1)),
      open(10, 2000, to(1)),
      open(10, 2000, to(2)),
    ],
  },
  {
    name: `${scheduler} with servers quiesced, deleted and added`,
    steps: [
      mark,
      one.add(scheduler),
      ...one.weights(3, 3, 3),
      ...[1, 2, 3].map((last) => open(2, 1000, to(last))),
      one.editServer({ name: 3, weight: 0 }),
      ...[1, 2, 3].map((last) => open(2, 1100, to(last))),
      one.editServer({ name: 3, weight: 3 }),
      ...[1, 2, 3].map((last) => open(2, 1200, to(last))),
      one.removeServer(2),
      ...[1, 2, 3].map((last) => open(2, 1300, to(last))),
      one.server({ name: 4, weight: 9 }),
      ...[1, 2, 3, 4].map((last) => open(4, 1400, to(last))),
    ],
  },
  {
    name: `${scheduler} with thresholds`,
    steps: [
      mark,
      one.add(scheduler),
      one.server({ name: 1, weight: 9, more: "-x 3" }),
      one.server({ name: 2, weight: 9, more: "-x 5" }),
      open(10, 1000, to(1)),
      open(3, 1000, to(2)),
    ],
  },
  {
    name: `${scheduler} without a usable server refuses`,
    steps: [mark, one.add(scheduler), ...one.weights(0), open(2, 1000, to(1))],
  },
];

export const scenarios: readonly Scenario[] = [...named("lblc"), ...named("lblcr")];
