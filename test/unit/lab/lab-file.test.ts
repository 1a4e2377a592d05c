import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { nodeOf, read } from "./read.ts";

const ROUTER = readFileSync(new URL("../../fixtures/lab/router.lab.yml", import.meta.url), "utf8");

test("a lab file gives its segments, nodes, addresses, routes and programs", () => {
  const { topology, said } = read("router.lab.yml", ROUTER, { "/labs/first/page": "file" });
  assert.deepEqual(said, []);
  assert.equal(topology?.name, "router");
  assert.equal(topology.folder, "/labs/first");
  assert.deepEqual(topology.segments, [
    { name: "left", subnet: { address: "10.1.0.0", length: 24 } },
    { name: "right", subnet: { address: "10.2.0.0", length: 24 } },
  ]);
  const r = nodeOf(topology, "r");
  assert.deepEqual(r.interfaces, [
    { name: "eth0", segment: "left", addresses: [{ address: "10.1.0.1", length: 24 }], mac: "02:42:0a:01:00:01" },
    { name: "eth1", segment: "right", addresses: [{ address: "10.2.0.1", length: 24 }], mac: "02:42:0a:02:00:01" },
  ]);
  assert.deepEqual([...r.sysctls], [["net.ipv4.ip_forward", "1"]]);
  const b = nodeOf(topology, "b");
  assert.deepEqual(b.routes, [{ to: "default", via: "10.2.0.1" }]);
  assert.deepEqual(b.binds, [
    { source: "/labs/first/page", sourceIsFolder: false, target: "/etc/page", readOnly: true },
  ]);
  assert.deepEqual(b.exec, [["sh", "-c", "echo started > /run/started"]]);
  assert.deepEqual(b.programs, [{ name: "tree", command: ["sh", "-c", "sleep 1001 & sleep 1002 & echo ready; wait"] }]);
  assert.deepEqual([...b.environment], [["GREETING", "hello"]]);
});

test("a link of two end points is a segment of its own, without addresses", () => {
  const { topology, said } = read("x.lab.yml", 'nodes: {a: , b: }\nlinks:\n  - ["a:eth3", "b"]\n');
  assert.deepEqual(said, []);
  assert.equal(topology?.name, "x");
  assert.deepEqual(topology.segments, [{ name: "link1" }]);
  assert.deepEqual(nodeOf(topology, "a").interfaces, [{ name: "eth3", segment: "link1", addresses: [] }]);
  assert.deepEqual(nodeOf(topology, "b").interfaces, [{ name: "eth0", segment: "link1", addresses: [] }]);
});

test("a member without an address gets the lowest one that nobody asks for, from the second on", () => {
  const text = `nodes: {a: , b: , c: }
links:
  - { segment: lan, subnet: 10.0.0.0/29, members: { a: , b: 10.0.0.2, c: } }
`;
  const { topology } = read("x.lab.yml", text);
  const addresses = ["a", "b", "c"].map((name) => nodeOf(topology, name).interfaces[0]?.addresses[0]?.address);
  assert.deepEqual(addresses, ["10.0.0.3", "10.0.0.2", "10.0.0.4"]);
});

const MISTAKES: readonly (readonly [name: string, text: string, said: string])[] = [
  [
    "an unknown node in a link",
    'nodes: {a: }\nlinks: [["a", "bb"]]',
    '2 error[lab/unknown-node] there is no node "bb"',
  ],
  [
    "an address outside the subnet",
    "nodes: {a: }\nlinks:\n  - {segment: s, subnet: 10.0.0.0/24, members: {a: 10.0.1.1}}",
    '3 error[lab/address-outside] 10.0.1.1 is not in 10.0.0.0/24, the subnet of "s"',
  ],
  [
    "an address given twice",
    "nodes: {a: , b: }\nlinks:\n  - segment: s\n    subnet: 10.0.0.0/24\n    members:\n      a: 10.0.0.2\n      b: 10.0.0.2",
    '7 error[lab/duplicate-address] 10.0.0.2 is the address of "a" already',
  ],
  [
    "a text that is no address",
    "nodes: {a: }\nlinks:\n  - {segment: s, subnet: 10.0.0.0/24, members: {a: 10.0.0.300}}",
    '3 error[lab/bad-address] "10.0.0.300" is no address',
  ],
  [
    "a subnet that is none",
    "nodes: {a: }\nlinks:\n  - {segment: s, subnet: 10.0.0.0, members: {a: }}",
    '3 error[lab/bad-subnet] "10.0.0.0" is no network',
  ],
  ["no nodes", "name: empty\n", "1 error[lab/no-nodes] the lab has no nodes"],
  ["a key that does not exist", "nodes:\n  a: {hostnam: b}", '2 error[lab/unknown-key] node "a" has no key "hostnam"'],
  ["a name that would be a path", "nodes:\n  ../a: {}", '2 error[lab/bad-name] "../a" is no name for a node'],
  [
    "a name for a lab with a blank",
    "name: my lab\nnodes: {a: }",
    '1 error[lab/bad-name] "my lab" is no name for a lab',
  ],
  ["a kind that does not exist", "nodes:\n  a: {kind: swich}", '2 error[lab/unknown-kind] "swich" is no kind of node'],
  [
    "a sysctl of the whole machine",
    "nodes:\n  a: {sysctls: {kernel.panic: 1}}",
    '2 error[lab/bad-sysctl] "kernel.panic" is not a node\'s own to set',
  ],
  [
    "a route over a gateway elsewhere",
    "nodes:\n  a: {routes: [10.9.0.0/24 via 10.8.0.1]}",
    "2 error[lab/bad-route] 10.8.0.1 is on none of this node's networks",
  ],
  ["a bind of nothing", "nodes:\n  a: {binds: ['./no:/etc/no']}", '2 error[lab/no-such-path] there is no "./no"'],
  [
    "an interface twice",
    'nodes: {a: }\nlinks: [["a:e", "a:e"]]',
    '2 error[lab/duplicate] node "a" has two interfaces "e"',
  ],
  [
    "an interface's name that is too long",
    'nodes: {a: , b: }\nlinks: [["a:interface-number-one", "b"]]',
    '2 error[lab/bad-name] "interface-number-one" is no name for an interface',
  ],
  ["a map where a list belongs", "nodes:\n  a: {binds: {x: y}}", "2 error[lab/wrong-shape] binds is a list"],
  [
    "a port that is none",
    "nodes:\n  a: {ports: ['80800:80']}",
    '2 error[lab/bad-port] "127.0.0.1:80800:80" publishes no port',
  ],
];

for (const [name, text, expected] of MISTAKES) {
  test(`${name} is an error at its place, and there is no topology`, () => {
    const { topology, said } = read("x.lab.yml", text);
    assert.deepEqual(said, [expected]);
    assert.equal(topology, undefined);
  });
}

test("text that is no YAML is reported where it breaks", () => {
  const { topology, said } = read("x.lab.yml", "nodes:\n  a: {hostname: [}\n");
  assert.equal(topology, undefined);
  assert.match(said[0] ?? "", /^2 error\[lab\/yaml\]/);
});

test("a text of a megabyte and more is refused unread", () => {
  const { said } = read("x.lab.yml", `# ${"x".repeat(1_000_001)}`);
  assert.deepEqual(said, ["1 error[lab/too-large] a lab's file has at most 1000000 characters"]);
});

test("a file that merges itself, or nests aliases, ends in a reading", () => {
  read("x.lab.yml", "nodes: &n\n  <<: *n\n  a: *n\n");
  read("x.lab.yml", "a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\nnodes: {d: {exec: *c}}\n");
});

test("whatever a file says, the answer is a topology or an error", () => {
  const words = fc.constantFrom(
    "nodes",
    "links",
    "name",
    "services",
    "networks",
    ":",
    "-",
    "[",
    "]",
    "{",
    "}",
    "\n",
    " ",
    "&a",
    "*a",
    "<<",
    "10.0.0.1/24",
    "\0",
    "a:eth0",
    "\t",
    '"',
    "!!x",
    "?",
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(words, fc.string({ maxLength: 5 })), { maxLength: 40 }), (parts) => {
      const { topology, said } = read("x.lab.yml", parts.join(""));
      assert.equal(
        topology === undefined,
        said.some((line) => / error\[/.test(line)),
      );
    }),
    { numRuns: 200 },
  );
});
