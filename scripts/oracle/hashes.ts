/** Scenarios of sh, dh and mh: many clients, with and without ports and fallback. */

import type { Scenario, Step } from "../../test/support/ipvs-scenario.ts";
import { open, service, VIP6 } from "./service.ts";

const { add, server, editServer, removeServer, weights } = service();
const six = service(`-t [${VIP6}]:80`, (number) => `[fd08::${number}]:80`);

/** Clients spread over 10/8. */
const clients = (count: number, port = 1000): Step => open(count, port, { addressStep: 54_321, portStep: 0 });
const clients6 = (count: number): Step =>
  open(count, 1000, { from: "fd10:1:2:3::1", to: VIP6, addressStep: 12_345_679, portStep: 0 });

const weightSets: readonly (readonly number[])[] = [
  [1, 1, 1],
  [1, 2, 5, 3],
  [100, 300],
  [2, 0, 1],
  [65535, 1],
  [1000, 3, 77, 250],
];

export const scenarios: readonly Scenario[] = [
  ...["sh", "mh"].flatMap((name) => [
    ...weightSets.map((set) => ({
      name: `${name} ${set.join(",")}`,
      steps: [add(name), ...weights(...set), clients(300)],
    })),
    {
      name: `${name} looks at the port with ${name}-port`,
      steps: [add(name, `-b ${name}-port`), ...weights(1, 2, 1), open(200, 1000), clients(100, 5000)],
    },
    {
      name: `${name} ignores the port without ${name}-port`,
      steps: [add(name), ...weights(1, 2, 1), open(20, 1000)],
    },
    {
      name: `${name} refuses clients of a quiesced server`,
      steps: [
        add(name),
        ...weights(1, 2, 3),
        clients(60, 1000),
        editServer({ name: 2, weight: 0 }),
        clients(60, 1001),
        editServer({ name: 2, weight: 4 }),
        clients(60, 1002),
      ],
    },
    {
      name: `${name} finds another server with ${name}-fallback`,
      steps: [
        add(name, `-b ${name}-fallback`),
        ...weights(1, 2, 3, 1),
        editServer({ name: 2, weight: 0 }),
        clients(200, 1000),
        editServer({ name: 3, weight: 0 }),
        clients(200, 1001),
        editServer({ name: 1, weight: 0 }),
        editServer({ name: 4, weight: 0 }),
        clients(10, 1002),
      ],
    },
    {
      name: `${name} with ${name}-fallback and ${name}-port`,
      steps: [
        add(name, `-b ${name}-fallback,${name}-port`),
        ...weights(1, 1, 1),
        editServer({ name: 3, weight: 0 }),
        open(150, 1000),
      ],
    },
    {
      name: `${name} with servers added and deleted`,
      steps: [
        add(name),
        ...weights(2, 2, 2),
        clients(100, 1000),
        server({ name: 9, weight: 2 }),
        clients(100, 1001),
        removeServer(1),
        clients(100, 1002),
      ],
    },
    {
      name: `${name} with thresholds`,
      steps: [add(name), server({ name: 1, more: "-x 5" }), server({ name: 2 }), clients(40)],
    },
    {
      name: `${name} with a server that never had a weight`,
      steps: [
        add(name),
        server({ name: 1, weight: 0 }),
        clients(5, 1000),
        server({ name: 2, weight: 3 }),
        clients(50, 1001),
        editServer({ name: 1, weight: 1 }),
        clients(50, 1002),
      ],
    },
    {
      name: `${name} for IPv6`,
      steps: [six.add(name), ...six.weights(1, 3, 2), clients6(200)],
    },
    { name: `${name} without servers refuses`, steps: [add(name), clients(2)] },
  ]),
  ...Array.from({ length: 9 }, (_, index) => index + 1).map((last) => {
    const to = `192.168.9.${last}`;
    const one = service(`-t ${to}:80`);
    return {
      name: `dh for ${to}`,
      steps: [one.add("dh"), ...one.weights(1, 5, 1, 2, 9, 1, 1), open(2, 1000, { to })],
    };
  }),
  {
    name: "dh for a network of addresses",
    steps: [
      { mark: 7, network: "192.168.64.0/20" },
      service("-f 7", (n) => `192.168.8.${n}`).add("dh"),
      ...service("-f 7", (n) => `192.168.8.${n}`).weights(1, 3, 2),
      ...Array.from({ length: 30 }, (_, index) =>
        open(1, 1000, { to: `192.168.${64 + (index % 16)}.${1 + index * 7}` }),
      ),
      service("-f 7", (n) => `192.168.8.${n}`).editServer({ name: 2, weight: 0 }),
      ...Array.from({ length: 10 }, (_, index) =>
        open(1, 1001, { to: `192.168.${64 + (index % 16)}.${1 + index * 7}` }),
      ),
    ],
  },
];
