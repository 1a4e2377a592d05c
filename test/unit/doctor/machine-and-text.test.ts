import assert from "node:assert/strict";
import { test } from "node:test";
import { examine, sectionsText } from "../../../src/cli/doctor.ts";
import { exitStatus } from "../../../src/daemon/doctor/finding.ts";
import { judgeMachine } from "../../../src/daemon/doctor/judge-machine.ts";
import { facts, link, setUpReal, VIP } from "./facts.ts";

const ANY = { side: undefined, vips: [], mode: undefined, port: undefined } as const;
const levels = (given: Parameters<typeof facts>[0]) =>
  judgeMachine(facts(given)).flatMap(({ level, subject }) => (level === "ok" ? [] : [`${level} ${subject}`]));

test("a machine with everything has nothing to be told", () => {
  assert.deepEqual(levels({}), []);
});

test("what layer 4 cannot do without is missing, what only makes it better is a note", () => {
  const bpf = [
    { name: "timer", present: false, needed: true, says: "no bpf_timer: Linux 5.15" },
    { name: "tcx", present: false, needed: false, says: "no tcx: clsact is used" },
  ] as const;
  assert.deepEqual(levels({ machine: { ...facts().machine, bpf } }), ["missing timer", "note tcx"]);
});

test("rights, io_uring and nft that are not there are told each in its weight", () => {
  const machine = {
    ...facts().machine,
    missingCapabilities: ["CAP_NET_ADMIN"],
    ioUring: "restricted",
    nftables: "missing",
  } as const;
  assert.deepEqual(levels({ machine }), ["missing privileges", "note io_uring", "note nftables"]);
});

test("the kernel's IPVS is in the way only for an address that we balance too", () => {
  const ipvs = [{ protocol: "tcp", address: VIP, port: 80 } as const];
  assert.deepEqual(levels({ ipvs: [] }), ["note IPVS"]);
  assert.deepEqual(levels({ ipvs }), ["note IPVS"]);
  const plane = { services: [{ name: "TCP 10.0.0.100:80", address: VIP, servers: [] }], attached: undefined };
  assert.deepEqual(levels({ ipvs, plane }), ["missing IPVS"]);
});

test("forwarding matters to services by mark only", () => {
  const machine = { ...facts().machine, ipForward: false };
  const byMark = (family: 4 | 6) => ({
    services: [{ name: "FWM 7", address: undefined, mark: { family }, servers: [] }],
    attached: undefined,
  });
  assert.deepEqual(levels({ machine }), []);
  assert.deepEqual(levels({ machine, plane: byMark(6) }), []);
  assert.deepEqual(levels({ machine, plane: byMark(4) }), ["missing ip_forward"]);
  assert.deepEqual(levels({ machine: { ...machine, ipForward: true }, plane: byMark(4) }), []);
});

test("a keepalived beside us is told of", () => {
  assert.deepEqual(levels({ daemons: [{ name: "keepalived", pid: 7 }] }), ["note keepalived"]);
});

test("a host is judged as what it is seen to be", () => {
  const titles = (given: Parameters<typeof facts>[0], question = {}) =>
    examine(facts(given), { ...ANY, ...question }).map(({ title }) => title);
  const plane = { services: [{ name: "TCP 10.0.0.100:80", address: VIP, servers: [] }], attached: undefined };
  assert.deepEqual(titles({}), ["machine", "balancer"]);
  assert.deepEqual(titles({ plane }), ["machine", "balancer"]);
  assert.deepEqual(titles({ real: setUpReal("dr") }), ["machine", "real server"]);
  assert.deepEqual(titles({ plane, real: setUpReal("dr") }), ["machine", "balancer", "real server"]);
  assert.deepEqual(titles({}, { vips: [VIP] }), ["machine", "real server"]);
  assert.deepEqual(titles({}, { side: "balancer", vips: [VIP] }), ["machine", "balancer"]);
  assert.deepEqual(titles({ plane }, { side: "real" }), ["machine", "real server"]);
});

test("the exit status is 1 exactly when something is missing", () => {
  assert.equal(exitStatus(examine(facts(), ANY)), 0);
  const interfaces = [link("lo", [`${VIP}/32`]), link("eth0", [])];
  assert.equal(exitStatus(examine(facts({ interfaces }), ANY)), 1);
});

test("a pipe gets a line for a finding and one for its cure, a terminal has them wrapped and coloured", () => {
  const sections = [
    {
      title: "machine" as const,
      findings: [
        { level: "ok" as const, subject: "kernel", says: "Linux 6.12.0" },
        {
          level: "missing" as const,
          subject: "VIP 10.0.0.100",
          says: "is not on lo and nobody knows why",
          cure: "put it there",
        },
      ],
    },
  ];
  assert.equal(
    sectionsText(sections, { colour: false, width: undefined }),
    `MACHINE
ok       kernel          Linux 6.12.0
missing  VIP 10.0.0.100  is not on lo and nobody knows why
                         cure: put it there
`,
  );
  assert.equal(
    sectionsText(sections, { colour: true, width: 50 }),
    `\x1b[1mMACHINE\x1b[0m
\x1b[32mok     \x1b[0m  kernel          Linux 6.12.0
\x1b[1;31mmissing\x1b[0m  VIP 10.0.0.100  is not on lo and nobody
                         knows why
                         cure: put it there
`,
  );
});

test("what other network namespaces left is told where it is gone or may be, and nothing of those in use", () => {
  const otherPlanes = [
    { cookie: "10", state: "gone" },
    { cookie: "11", state: "used" },
    { cookie: "12", state: "gone" },
    { cookie: "13", state: "unused" },
    { cookie: "14", state: "unknown" },
  ] as const;
  const told = judgeMachine(facts({ otherPlanes })).filter(({ subject }) => subject === "leftovers");
  assert.deepEqual(
    told.map(({ level, says }) => [level, /[\d, ]+$/.exec(says)?.[0]]),
    [
      ["note", " 10, 12"],
      ["note", " 14"],
    ],
  );
  assert.deepEqual(
    judgeMachine(facts()).filter(({ subject }) => subject === "leftovers"),
    [],
  );
});
