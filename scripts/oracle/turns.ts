/** Scenarios of rr and wrr: order, weights, edits between connections, thresholds. */

import type { Scenario } from "../../test/support/ipvs-scenario.ts";
import { open, packets, service } from "./service.ts";

const { add, edit, server, editServer, removeServer, weights } = service();

const weightSets: readonly (readonly number[])[] = [
  [1, 3],
  [2, 3, 4],
  [2, 4],
  [1, 1, 1],
  [5, 0, 1],
  [10, 20, 30, 45],
  [7],
  [0, 0],
  [100, 1],
  [6, 4, 2],
  [65535, 1, 32768],
];

export const scenarios: readonly Scenario[] = [
  { name: "rr goes through the list, newest server first", steps: [add("rr"), ...weights(1, 1, 1), open(7, 1000)] },
  { name: "rr skips servers of weight 0", steps: [add("rr"), ...weights(1, 0, 3, 0, 1), open(8, 1000)] },
  { name: "rr without a usable server refuses", steps: [add("rr"), ...weights(0, 0), open(2, 1000)] },
  {
    name: "rr goes on after the last chosen server when one is added",
    steps: [
      add("rr"),
      ...weights(1, 1, 1),
      open(1, 1000),
      server({ name: 4 }),
      open(6, 1100),
      server({ name: 5 }),
      server({ name: 6 }),
      open(8, 1200),
    ],
  },
  {
    name: "rr steps back when the last chosen server is deleted",
    steps: [
      add("rr"),
      ...weights(1, 1, 1, 1),
      open(2, 1000),
      removeServer(3),
      open(4, 1100),
      removeServer(4),
      open(3, 1200),
    ],
  },
  {
    name: "rr after the first of the list was deleted",
    steps: [add("rr"), ...weights(1, 1, 1), open(1, 1000), removeServer(3), open(4, 1100)],
  },
  {
    name: "rr after another server was deleted",
    steps: [add("rr"), ...weights(1, 1, 1, 1), open(2, 1000), removeServer(2), open(5, 1100)],
  },
  {
    name: "rr with servers quiesced and woken in between",
    steps: [
      add("rr"),
      ...weights(1, 1, 1),
      open(2, 1000),
      editServer({ name: 1, weight: 0 }),
      open(4, 1100),
      editServer({ name: 1, weight: 1 }),
      open(4, 1200),
      editServer({ name: 2, weight: 0 }),
      open(4, 1300),
    ],
  },
  {
    name: "rr with thresholds",
    steps: [
      add("rr"),
      server({ name: 1, more: "-x 2" }),
      server({ name: 2, more: "-x 3 -y 1" }),
      server({ name: 3 }),
      open(10, 1000),
    ],
  },
  ...weightSets.map((set) => ({
    name: `wrr ${set.join(",")}`,
    steps: [
      add("wrr"),
      ...weights(...set),
      open(Math.min(40, 3 * set.reduce((sum, weight) => sum + weight)) || 3, 1000),
    ],
  })),
  {
    name: "wrr with weights edited in between",
    steps: [
      add("wrr"),
      ...weights(2, 3, 4),
      open(4, 1000),
      editServer({ name: 3, weight: 2 }),
      open(9, 1100),
      editServer({ name: 1, weight: 8 }),
      open(15, 1200),
      editServer({ name: 1, weight: 0 }),
      open(6, 1300),
      editServer({ name: 2, weight: 0 }),
      open(3, 1400),
      editServer({ name: 3, weight: 0 }),
      open(2, 1500),
      editServer({ name: 1, weight: 3 }),
      open(4, 1600),
    ],
  },
  {
    name: "wrr with steps of more than 1, edited in between",
    steps: [
      add("wrr"),
      ...weights(20, 30, 40),
      open(4, 1000),
      editServer({ name: 3, weight: 25 }),
      open(20, 1100),
      editServer({ name: 3, weight: 40 }),
      open(12, 1200),
    ],
  },
  {
    name: "wrr with servers added and deleted in between",
    steps: [
      add("wrr"),
      ...weights(1, 2),
      open(2, 1000),
      server({ name: 3, weight: 4 }),
      open(9, 1100),
      removeServer(2),
      open(7, 1200),
      removeServer(3),
      open(3, 1300),
      removeServer(1),
      open(2, 1400),
      server({ name: 1, weight: 2 }),
      open(3, 1500),
    ],
  },
  {
    name: "wrr with thresholds, until all are overloaded, and after",
    steps: [
      add("wrr"),
      server({ name: 1, weight: 1, more: "-x 2" }),
      server({ name: 2, weight: 5, more: "-x 3" }),
      server({ name: 3, weight: 3, more: "-x 5" }),
      open(14, 1000),
      server({ name: 4, weight: 2 }),
      open(4, 1100),
      editServer({ name: 3, weight: 3, more: "-x 8" }),
      open(9, 1200),
    ],
  },
  {
    name: "a change of the scheduler starts anew, an edit that keeps it does not",
    steps: [
      add("rr"),
      ...weights(1, 2, 3),
      open(2, 1000),
      edit("rr", "-p 1"),
      edit("rr"),
      open(2, 1100),
      edit("wrr"),
      open(4, 1200),
      edit("wrr"),
      open(4, 1300),
      edit("rr"),
      open(4, 1400),
    ],
  },
  {
    name: "rr for UDP counts as inactive",
    steps: [
      service("-u 192.168.9.1:53").add("rr"),
      service("-u 192.168.9.1:53", (n) => `192.168.8.${n}:53`).server({ name: 1 }),
      service("-u 192.168.9.1:53", (n) => `192.168.8.${n}:53`).server({ name: 2 }),
      packets("udp", 5, 1000, { toPort: 53 }),
    ],
  },
];
