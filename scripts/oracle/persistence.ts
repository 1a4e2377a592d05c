/** Scenarios of persistence: networks, all ports, firewall marks, quiesced, overloaded and deleted servers, time. */

import type { Scenario } from "../../test/support/ipvs-scenario.ts";
import { open, packets, service } from "./service.ts";

const { add, edit, server, editServer, removeServer, weights } = service();
const six = service("-t [fd09::1]:80", (number) => `[fd08::${number}]:80`);
const all = service("-t 192.168.9.1:0", (number) => `192.168.8.${number}:0`);
const udp = service("-u 192.168.9.1:53", (number) => `192.168.8.${number}:53`);
const marked = service("-f 7", (number) => `192.168.8.${number}`);

export const scenarios: readonly Scenario[] = [
  {
    name: "a client keeps its server",
    steps: [
      add("rr", "-p 100"),
      ...weights(1, 1, 1),
      open(3, 1000),
      open(3, 1000, { from: "10.0.0.2" }),
      open(3, 1000, { from: "10.0.0.3" }),
      open(3, 1000, { from: "10.0.0.4" }),
      open(2, 1100),
    ],
  },
  {
    name: "a network keeps its server with a netmask",
    steps: [
      add("rr", "-p 100 -M 255.255.255.0"),
      ...weights(1, 1, 1),
      open(6, 1000, { addressStep: 1 }),
      open(6, 1000, { from: "10.0.1.1", addressStep: 1 }),
      open(6, 1000, { from: "10.0.2.250", addressStep: 2 }),
    ],
  },
  {
    name: "a netmask that is no prefix of bytes",
    steps: [add("rr", "-p 100 -M 255.255.255.240"), ...weights(1, 1, 1), open(40, 1000, { addressStep: 3 })],
  },
  {
    name: "all ports of an address keep one server",
    steps: [
      all.add("rr", "-p 100"),
      ...all.weights(1, 1, 1),
      open(2, 1000),
      open(2, 1000, { toPort: 443 }),
      open(2, 1000, { toPort: 22, from: "10.0.0.2" }),
      open(2, 1000, { toPort: 80, from: "10.0.0.2" }),
    ],
  },
  {
    name: "two services of one address know nothing of each other",
    steps: [
      add("rr", "-p 100"),
      ...weights(1, 1),
      service("-t 192.168.9.1:443").add("rr", "-p 100"),
      ...service("-t 192.168.9.1:443", (n) => `192.168.8.${n + 10}:443`).weights(1, 1),
      open(2, 1000),
      open(2, 1000, { from: "10.0.0.2" }),
      open(2, 1000, { toPort: 443, from: "10.0.0.2" }),
      open(2, 1000, { toPort: 443 }),
    ],
  },
  {
    name: "a firewall mark joins addresses and ports",
    steps: [
      { mark: 7, network: "192.168.64.0/20" },
      marked.add("rr", "-p 100"),
      ...marked.weights(1, 1, 1),
      open(2, 1000, { to: "192.168.64.1" }),
      open(2, 1000, { to: "192.168.65.9", toPort: 443 }),
      open(2, 1000, { to: "192.168.64.1", from: "10.0.0.2" }),
      packets("udp", 2, 1000, { to: "192.168.64.1", toPort: 53, from: "10.0.0.2" }),
      packets("udp", 2, 1000, { to: "192.168.64.2", toPort: 53, from: "10.0.0.3" }),
    ],
  },
  {
    name: "a quiesced server keeps its clients and gets no new ones",
    steps: [
      add("rr", "-p 100"),
      ...weights(1, 1),
      open(1, 1000),
      open(1, 1000, { from: "10.0.0.2" }),
      editServer({ name: 2, weight: 0 }),
      open(2, 1100),
      open(2, 1100, { from: "10.0.0.2" }),
      open(3, 1100, { from: "10.0.0.3", addressStep: 1 }),
    ],
  },
  {
    name: "an overloaded server keeps its clients",
    steps: [
      add("rr", "-p 100"),
      server({ name: 1 }),
      server({ name: 2, more: "-x 2" }),
      open(4, 1000),
      open(3, 1000, { from: "10.0.0.2", addressStep: 1, portStep: 0 }),
    ],
  },
  {
    name: "clients of a deleted server get another one",
    steps: [
      add("rr", "-p 100"),
      ...weights(1, 1, 1),
      open(2, 1000),
      removeServer(3),
      open(3, 1100),
      server({ name: 3 }),
      open(2, 1200),
      open(3, 1200, { from: "10.0.0.2", addressStep: 1, portStep: 0 }),
    ],
  },
  {
    name: "a service becomes persistent and stops being so",
    steps: [
      add("rr"),
      ...weights(1, 1),
      open(3, 1000),
      edit("rr", "-p 100"),
      open(3, 1100),
      edit("rr"),
      open(3, 1200),
      edit("rr", "-p 100"),
      open(2, 1300),
    ],
  },
  {
    name: "a template lives on while it controls a connection",
    steps: [
      add("rr", "-p 1"),
      ...weights(1, 1),
      open(1, 1000),
      open(1, 1000, { from: "10.0.0.2" }),
      { waitSeconds: 3 },
      open(2, 1100),
      open(2, 1100, { from: "10.0.0.2" }),
    ],
  },
  {
    name: "a template without connections ends after its time",
    steps: [
      { ipvsadm: "--set 1 1 1" },
      udp.add("rr", "-p 2"),
      ...udp.weights(1, 1, 1),
      packets("udp", 1, 1000, { toPort: 53 }),
      packets("udp", 1, 1001, { toPort: 53 }),
      { waitSeconds: 5 },
      packets("udp", 2, 1100, { toPort: 53 }),
    ],
  },
  {
    name: "an IPv6 network keeps its server",
    steps: [
      six.add("rr", "-p 100 -M 64"),
      ...six.weights(1, 1, 1),
      open(4, 1000, { from: "fd10:0:0:1::1", to: "fd09::1", addressStep: 77 }),
      open(4, 1000, { from: "fd10:0:0:2::1", to: "fd09::1", addressStep: 77 }),
      open(2, 1100, { from: "fd10:0:0:1:8::9", to: "fd09::1" }),
    ],
  },
  {
    name: "sh with persistence",
    steps: [add("sh", "-p 100 -M 255.255.0.0"), ...weights(1, 1, 1), open(20, 1000, { addressStep: 7_000 })],
  },
];
