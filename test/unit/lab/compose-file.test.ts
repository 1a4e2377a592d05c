import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { nodeOf, read } from "./read.ts";

const EXAMPLE = readFileSync(
  new URL("../../../examples/haproxy-keepalived/docker-compose.yml", import.meta.url),
  "utf8",
);
const EXAMPLE_DISK = { "/labs/first/base/haproxy": "folder" } as const;

test("the example with two balancers has the scenario's hosts at the scenario's addresses", () => {
  const { topology, said } = read("docker-compose.yml", EXAMPLE, EXAMPLE_DISK);
  assert.deepEqual(said, ["5 note[lab/no-images] images are neither built nor pulled"]);
  const addresses = topology?.nodes.map(
    (node) => `${node.name} ${node.interfaces.map((one) => `${one.name} ${one.addresses[0]?.address}`).join(" ")}`,
  );
  assert.deepEqual(addresses, [
    "lb1 eth0 178.9.2.200 eth1 187.2.9.100",
    "lb2 eth0 178.9.2.210 eth1 187.2.9.110",
    "h1 eth0 178.9.2.204",
    "h2 eth0 178.9.2.205",
    "s1 eth0 187.2.9.101",
    "s2 eth0 187.2.9.102",
    "s3 eth0 187.2.9.103",
  ]);
  const lb1 = nodeOf(topology, "lb1");
  assert.deepEqual(
    lb1.programs.map((one) => one.name),
    ["evenkeel"],
  );
  assert.deepEqual([...lb1.sysctls], [["net.ipv4.ip_forward", "1"]]);
  assert.deepEqual(lb1.binds, [
    { source: "/labs/first/base/haproxy", sourceIsFolder: true, target: "/tmp", readOnly: false },
  ]);
  assert.deepEqual(nodeOf(topology, "s2").ports, [{ hostAddress: "127.0.0.1", hostPort: 8081, nodePort: 80 }]);
  assert.deepEqual(nodeOf(topology, "h1").routes, [{ to: { address: "187.2.9.0", length: 24 }, via: "178.9.2.220" }]);
});

test("services start after those that they depend on", () => {
  const text = `services:
  c: { x-evenkeel: {}, depends_on: { b: { condition: service_started } } }
  b: { x-evenkeel: {}, depends_on: [a] }
  a: { x-evenkeel: {} }
`;
  assert.deepEqual(
    read("docker-compose.yml", text).topology?.nodes.map((one) => one.name),
    ["a", "b", "c"],
  );
});

test("services that wait for each other are an error", () => {
  const text = "services:\n  a: {command: x, depends_on: [b]}\n  b: {command: x, depends_on: [a]}\n";
  assert.deepEqual(read("docker-compose.yml", text).said, ['3 error[lab/cycle] "b" and "a" wait for each other']);
});

test("interfaces are numbered in the order of a service's own networks", () => {
  const text = `services:
  a: { command: x, networks: [two, one] }
networks:
  one: { ipam: { config: [{ subnet: 10.1.0.0/24 }] } }
  two: { ipam: { config: [{ subnet: 10.2.0.0/24 }] } }
`;
  const { interfaces } = nodeOf(read("docker-compose.yml", text).topology, "a");
  assert.deepEqual(
    interfaces.map((one) => `${one.name} ${one.segment} ${one.addresses[0]?.address}`),
    ["eth0 two 10.2.0.2", "eth1 one 10.1.0.2"],
  );
});

test("a service without networks is on the default network, which has docker's first subnet", () => {
  const { topology } = read("docker-compose.yml", "services: {a: {command: x}}");
  assert.deepEqual(topology?.segments, [{ name: "default", subnet: { address: "172.18.0.0", length: 16 } }]);
  assert.equal(nodeOf(topology, "a").interfaces[0]?.addresses[0]?.address, "172.18.0.2");
});

test("the lab is called as the file says, else as its folder", () => {
  assert.equal(read("docker-compose.yml", "services: {a: {command: x}}").topology?.name, "first");
  assert.equal(read("docker-compose.yml", "name: mine\nservices: {a: {command: x}}").topology?.name, "mine");
});

test("what has no meaning in a lab is named in a warning with its line", () => {
  const text = `services:
  a:
    image: nginx
    command: x
    restart: always
    volumes: ["data:/var/lib/data"]
    ports: ["53:53/udp", "80"]
    healthcheck: {}
  b:
    image: nginx
volumes:
  data:
`;
  const { topology, said } = read("docker-compose.yml", text);
  assert.notEqual(topology, undefined);
  assert.deepEqual([...said].sort(), [
    '11 warning[lab/ignored] "volumes" has no meaning in a lab: ignored',
    "3 note[lab/no-images] images are neither built nor pulled",
    '5 warning[lab/ignored] "restart" of service "a" has no meaning in a lab: ignored',
    '6 warning[lab/ignored] "data": a volume that is no path of this machine has no meaning in a lab: ignored',
    '7 warning[lab/not-published] "53:53/udp" is not for TCP: not published',
    '7 warning[lab/not-published] "80" names no port of this machine: not published',
    '8 warning[lab/ignored] "healthcheck" of service "a" has no meaning in a lab: ignored',
    '9 warning[lab/nothing-runs] nothing runs in "b"',
  ]);
});

test("x-evenkeel says what runs in place of the image's command", () => {
  const text = `services:
  a:
    command: ["nginx", "-g", "daemon off;"]
  b:
    command: nginx
    x-evenkeel: { run: [sleep 5, { name: second, command: [sleep, "6"] }, sleep 7] }
`;
  const { topology } = read("docker-compose.yml", text);
  assert.deepEqual(nodeOf(topology, "a").programs, [{ name: "nginx", command: ["nginx", "-g", "daemon off;"] }]);
  assert.deepEqual(nodeOf(topology, "b").programs, [
    { name: "sleep", command: ["sleep", "5"] },
    { name: "second", command: ["sleep", "6"] },
    { name: "sleep-2", command: ["sleep", "7"] },
  ]);
});

test("variables are replaced as docker compose does it", () => {
  const text =
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is compose's
    'services:\n  a:\n    command: "echo ${WHO:-nobody} $WHO ${NONE:-nobody} ${NONE-} $$PATH"\n    environment: [WHO, B=2]\n';
  const { command } = nodeOf(read("docker-compose.yml", text, {}, { WHO: "me" }).topology, "a").programs[0] ?? {};
  assert.deepEqual(command, ["sh", "-c", "echo me me nobody  $PATH"]);
});

test("merged keys and aliases count as if they were written out", () => {
  const text = `x-base: &base { hostname: same, x-evenkeel: { run: [sleep 1] } }
services:
  a: { <<: *base, hostname: own }
  b: *base
`;
  const { topology, said } = read("docker-compose.yml", text);
  assert.deepEqual(said, []);
  assert.equal(nodeOf(topology, "a").hostname, "own");
  assert.equal(nodeOf(topology, "b").hostname, "same");
  assert.equal(nodeOf(topology, "a").programs[0]?.name, "sleep");
});

test("two services may not publish the same port", () => {
  const text = "services:\n  a: {command: x, ports: ['8080:80']}\n  b: {command: x, ports: ['8080:81']}\n";
  assert.deepEqual(read("docker-compose.yml", text).said, ["3 error[lab/duplicate] port 8080 is published twice"]);
});
