/** Scenarios of lc, wlc, sed, nq, fo and ovf: loads, ties, weights and thresholds. */

import type { Scenario } from "../../test/support/ipvs-scenario.ts";
import { open, packets, service } from "./service.ts";

const { add, server, editServer, weights } = service();
const schedulers = ["lc", "wlc", "sed", "nq", "fo", "ovf"];

const weightSets: readonly (readonly number[])[] = [
  [1, 1, 1],
  [1, 3],
  [2, 3, 4],
  [5, 0, 1],
  [0, 0],
  [3, 1, 3, 2],
  [100, 7, 65535],
];

/** SYN_RECV, established and closing connections count differently. */
const mixture = (scheduler: string): Scenario => ({
  name: `${scheduler} with half-open, established and closing connections`,
  steps: [
    add(scheduler),
    ...weights(2, 1, 3),
    open(9, 1000),
    packets("ack", 9, 1000),
    packets("fin", 4, 1000),
    open(5, 1100),
    packets("fin", 3, 1006),
    open(5, 1200),
    packets("rst", 5, 1100),
    packets("ack", 5, 1200),
    packets("fin", 5, 1200),
    open(6, 1300),
  ],
});

export const scenarios: readonly Scenario[] = [
  ...schedulers.flatMap((scheduler) => [
    ...weightSets.map((set) => ({
      name: `${scheduler} ${set.join(",")}`,
      steps: [add(scheduler), ...weights(...set), open(16, 1000)],
    })),
    mixture(scheduler),
    {
      name: `${scheduler} with weights edited in between`,
      steps: [
        add(scheduler),
        ...weights(1, 2, 3),
        open(5, 1000),
        editServer({ name: 1, weight: 9 }),
        open(6, 1100),
        editServer({ name: 1, weight: 0 }),
        open(4, 1200),
        server({ name: 4, weight: 2 }),
        open(4, 1300),
      ],
    },
    {
      name: `${scheduler} with thresholds`,
      steps: [
        add(scheduler),
        server({ name: 1, weight: 4, more: "-x 4 -y 2" }),
        server({ name: 2, weight: 3, more: "-x 2" }),
        server({ name: 3, weight: 5, more: "-x 3" }),
        open(12, 1000),
        editServer({ name: 1, weight: 4, more: "-x 3" }),
        open(2, 1100),
        editServer({ name: 2, weight: 3, more: "-x 4" }),
        open(3, 1200),
        editServer({ name: 3, weight: 5 }),
        open(3, 1300),
      ],
    },
  ]),
  {
    name: "wlc for UDP",
    steps: [
      service("-u 192.168.9.1:53").add("wlc"),
      ...[3, 1, 2].map((weight, index) =>
        service("-u 192.168.9.1:53", (n) => `192.168.8.${n}:53`).server({ name: index + 1, weight }),
      ),
      packets("udp", 14, 1000, { toPort: 53 }),
    ],
  },
  {
    name: "ovf for UDP never overflows",
    steps: [
      service("-u 192.168.9.1:53").add("ovf"),
      ...[3, 1].map((weight, index) =>
        service("-u 192.168.9.1:53", (n) => `192.168.8.${n}:53`).server({ name: index + 1, weight }),
      ),
      packets("udp", 6, 1000, { toPort: 53 }),
    ],
  },
  {
    name: "an overloaded server is woken when a connection of it ends below the lower threshold",
    steps: [
      { ipvsadm: "--set 1 1 1" },
      service("-u 192.168.9.1:53").add("rr"),
      service("-u 192.168.9.1:53", (n) => `192.168.8.${n}:53`).server({ name: 1, more: "-x 3 -y 2" }),
      packets("udp", 4, 1000, { toPort: 53 }),
      { waitSeconds: 3 },
      packets("udp", 1, 1100, { toPort: 53 }),
      packets("udp", 3, 1200, { toPort: 53 }),
    ],
  },
  {
    name: "without a lower threshold, fewer connections than three quarters of the upper one wake it: 2 of 3",
    steps: [
      { ipvsadm: "--set 1 1 4" },
      service("-u 192.168.9.1:53").add("rr"),
      service("-u 192.168.9.1:53", (n) => `192.168.8.${n}:53`).server({ name: 1, more: "-x 3" }),
      packets("udp", 4, 1000, { toPort: 53 }),
      { waitSeconds: 2 },
      packets("udp", 2, 1000, { toPort: 53 }),
      { waitSeconds: 3 },
      packets("udp", 2, 1100, { toPort: 53 }),
    ],
  },
];
