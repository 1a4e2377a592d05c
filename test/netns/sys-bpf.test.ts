import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { addon } from "../../src/sys/addon.ts";
import { BpfLoadError, BpfMapMismatch, type BpfObject, loadObject } from "../../src/sys/bpf.ts";
import {
  type AttachPoint,
  attach,
  attached,
  detach,
  loadPassProgram,
  preferredMethod,
} from "../../src/sys/bpf-attach.ts";
import { BPF_EXIST, BPF_NOEXIST, openPinnedMap } from "../../src/sys/bpf-map.ts";
import { bpfProblem, probeBpf } from "../../src/sys/bpf-probe.ts";
import { testRun } from "../../src/sys/bpf-test-run.ts";
import { ensureBpffs, findBpffs, removeBpffs } from "../../src/sys/bpffs.ts";
import { lockFile, tryLockFile } from "../../src/sys/lock-file.ts";
import { networkNamespaceCookie } from "../../src/sys/namespaces.ts";
import { structCodec } from "../../src/wire/struct-codec.ts";
import { bpfObject, needsBpf, PinFolder } from "../support/bpf.ts";
import { TestNetwork, type TestNode } from "../support/namespace.ts";
import { until } from "../support/until.ts";

const sample = bpfObject("test/fixtures/bpf/sample.bpf.o");
const wide = bpfObject("test/fixtures/bpf/wide.bpf.o");
const refused = bpfObject("test/fixtures/bpf/refused.bpf.o");

const u32 = (...values: number[]): Uint8Array => new Uint8Array(Uint32Array.from(values).buffer);
const u64 = (value: bigint): Uint8Array => new Uint8Array(BigUint64Array.of(value).buffer);
const count = (object: BpfObject, index: number): bigint =>
  new DataView((object.map("counts").lookup(u32(index)) ?? assert.fail()).buffer).getBigUint64(0, true);
const key = (number: number): Uint8Array => {
  const bytes = new Uint8Array(20);
  new DataView(bytes.buffer).setUint32(0, number);
  return bytes;
};
const code = (name: string) => (error: unknown) => error instanceof Error && "code" in error && error.code === name;

test("an object is loaded with its constants, its maps in the sizes that were asked for", needsBpf, () => {
  using object = loadObject({
    file: sample,
    constants: { slot: 2, verdict: -1, steps: 5 },
    mapSizes: { flows: 1_000 },
  });
  assert.deepEqual([...object.programs.keys()].sort(), ["count_packets", "drop_packets", "turn_address"]);
  assert.deepEqual([...object.maps.keys()], ["flows", "counts", "scratch", "prefixes"]);
  const { id, ...information } = object.map("flows").information;
  assert.deepEqual(information, { type: 1, name: "flows", keyBytes: 20, valueBytes: 88, maxEntries: 1_000 });
  assert.ok(id > 0);
  assert.equal(object.map("counts").information.maxEntries, 4);
  assert.equal(testRun(object.program("count_packets"), { packet: new Uint8Array(64) }).verdict, -1);
  assert.equal(count(object, 2), 5n);
  assert.equal(count(object, 1), 0n);
  assert.throws(() => object.map("nobody"), /RangeError: the object has no map nobody/);
  assert.throws(() => object.program("nobody"), /RangeError: the object has no program nobody/);
});

test("constants, maps and programs that the object does not have are refused by name", needsBpf, () => {
  assert.throws(() => loadObject({ file: sample, constants: { nobody: 1 } }), /RangeError: .* no number nobody/);
  assert.throws(() => loadObject({ file: sample, constants: { steps: 256 } }), /RangeError: steps has 8 bits/);
  assert.throws(() => loadObject({ file: sample, mapSizes: { nobody: 1 } }), /RangeError: .* has no map nobody/);
  assert.throws(() => loadObject({ file: sample, programs: ["nobody"] }), /RangeError: .* has no program nobody/);
  assert.throws(() => loadObject({ file: import.meta.filename }), /has no type information: not-elf/);
});

test("what the verifier refuses is said with its last lines, and the rest loads without that program", needsBpf, () => {
  assert.throws(
    () => loadObject({ file: refused }),
    (error) =>
      error instanceof BpfLoadError &&
      error.code === "EACCES" &&
      /cannot load program read_beyond of .*refused\.bpf\.o: EACCES\n/.test(error.message) &&
      /\n {2}invalid access to packet, off=100 size=1/.test(error.message) &&
      error.message.split("\n").length <= 5 &&
      error.log.includes("read_beyond") &&
      !Object.keys(error).includes("log"),
  );
  using object = loadObject({ file: refused, programs: ["drop_packets"] });
  assert.deepEqual([...object.programs.keys()], ["drop_packets"]);
});

test("a map gives back what was written, and says what is not there", needsBpf, () => {
  using object = loadObject({ file: sample });
  const flows = object.map("flows");
  const codec = structCodec<{ packets: bigint; balance: number }>(object.types, "sample_value");
  const value = (packets: bigint) => codec.encode({ packets });
  const packets = (bytes: Uint8Array | undefined) => (bytes === undefined ? undefined : codec.decode(bytes).packets);
  assert.equal(flows.lookup(key(1)), undefined);
  assert.throws(() => flows.update(key(1), value(1n), BPF_EXIST), code("ENOENT"));
  flows.update(key(1), value(1n), BPF_NOEXIST);
  assert.throws(() => flows.update(key(1), value(2n), BPF_NOEXIST), code("EEXIST"));
  assert.equal(packets(flows.lookup(key(1))), 1n);
  assert.equal(flows.delete(key(1)), true);
  assert.equal(flows.delete(key(1)), false);
  assert.equal(flows.take(key(1)), undefined);
  flows.update(key(2), value(7n));
  assert.equal(packets(flows.take(key(2))), 7n);
  assert.equal(flows.lookup(key(2)), undefined);
  assert.throws(() => object.map("counts").delete(u32(0)), /cannot delete from the map counts: bpf: EINVAL/);
  for (let i = 0; i < 16; i++) flows.update(key(i), value(0n));
  assert.throws(() => flows.update(key(99), value(0n)), code("E2BIG"));
});

test("a key, a value or a descriptor of the wrong kind never reaches memory that is not ours", needsBpf, () => {
  using object = loadObject({ file: sample });
  const { fd } = object.map("flows");
  const [short, long] = [new Uint8Array(19), new Uint8Array(89)];
  assert.throws(() => addon.bpfMapLookup(fd, short, new Uint8Array(88)), /key must have 20 bytes, not 19/);
  assert.throws(() => addon.bpfMapLookup(fd, key(1), long), /value must have 88 bytes, not 89/);
  assert.throws(() => addon.bpfMapTake(fd, key(1), new Uint8Array(8)), /value must have 88 bytes, not 8/);
  assert.throws(() => addon.bpfMapUpdate(fd, key(1), new Uint8Array(0), 0), /value must have 88 bytes, not 0/);
  assert.throws(() => addon.bpfMapNextKey(fd, undefined, short), /next must have 20 bytes/);
  assert.throws(() => addon.bpfMapLookupBatch(fd, undefined, new Uint8Array(200), new Uint8Array(880), 11), TypeError);
  assert.throws(() => addon.bpfMapLookupBatch(fd, new Uint8Array(3), key(1), new Uint8Array(88), 1), TypeError);
  assert.throws(() => addon.bpfMapUpdateBatch(fd, key(1), new Uint8Array(87), 1), TypeError);
  assert.throws(() => object.map("flows").updateMany([[key(1), long]]), /a value of flows has 88 bytes/);
  assert.throws(() => addon.bpfMapLookup(object.program("drop_packets"), u32(1), u32(1)), Error);
  assert.throws(() => addon.bpfMapLookup(1_000_000, u32(1), u32(1)), Error);
  assert.throws(() => addon.bpfOpenPinned("a\0b"), /path must be a string .* without NUL/);
  assert.throws(() => addon.bpfOpenPinned("x".repeat(5_000)), TypeError);
});

test("many entries are written and read in batches, each exactly once, also while they are deleted", needsBpf, () => {
  using object = loadObject({ file: sample, mapSizes: { flows: 20_000 } });
  const flows = object.map("flows");
  const numbers = Array.from({ length: 10_000 }, (_, index) => index);
  flows.updateMany(
    numbers.map((number) => {
      const value = new Uint8Array(88);
      value.set(u64(BigInt(number * 3)));
      return [key(number), value] as const;
    }),
  );
  const read = (pairs: Iterable<readonly [Uint8Array, Uint8Array]>) =>
    [...pairs].map(([bytes, value]) => {
      const number = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
      assert.equal(new DataView(value.buffer, value.byteOffset).getBigUint64(0, true), BigInt(number * 3));
      return number;
    });
  assert.deepEqual(
    read(flows.entries()).sort((a, b) => a - b),
    numbers,
  );
  let deleted = 0;
  for (const [bytes] of flows.entries()) if (flows.delete(bytes)) deleted++;
  assert.equal(deleted, 10_000);
  assert.deepEqual([...flows.entries()], []);
});

test("arrays, values of each processor and maps without batches can be read whole", needsBpf, () => {
  using object = loadObject({ file: sample });
  object.map("counts").updateMany([0, 1, 2, 3].map((index) => [u32(index), u64(BigInt(index * index))] as const));
  assert.deepEqual(
    [...object.map("counts").entries()].map(([index, value]) => [...index, ...value]),
    [0, 1, 2, 3].map((index) => [...u32(index), ...u64(BigInt(index * index))]),
  );
  const scratch = object.map("scratch");
  const processors = scratch.information.valueBytes / 16;
  assert.ok(Number.isInteger(processors) && processors >= 1, "12 bytes take 16");
  const value = new Uint8Array(16 * processors).fill(0).map((_, index) => (index % 16 < 12 ? index + 1 : 0));
  scratch.update(u32(1), value);
  assert.deepEqual(scratch.lookup(u32(1)), value);
  assert.equal([...scratch.entries()].length, 2);
  const prefixes = object.map("prefixes");
  for (let i = 0; i < 50; i++) prefixes.update(u32(32, i), u32(i));
  assert.deepEqual(
    [...prefixes.entries()].map(([, number]) => number[0]).sort((a, b) => Number(a) - Number(b)),
    [...Array(50).keys()],
  );
});

test("pinned maps outlive their process's hold, and the next load goes on with them", needsBpf, () => {
  using pins = new PinFolder();
  // The kernel keeps the timer's bytes, 64 to 79, to itself.
  const stored = new Uint8Array(88).fill(5, 0, 64);
  const run = (object: BpfObject) => testRun(object.program("count_packets"), { packet: new Uint8Array(64) });
  {
    using first = loadObject({ file: sample, pinned: pins.path, mapSizes: { flows: 32 } });
    assert.deepEqual([...first.adopted], []);
    run(first);
    first.map("flows").update(key(5), stored);
  }
  assert.deepEqual(readdirSync(pins.path).sort(), ["counts", "flows", "prefixes", "scratch"]);
  using second = loadObject({ file: sample, pinned: pins.path, mapSizes: { flows: 64 } });
  assert.deepEqual([...second.adopted], ["flows", "counts", "scratch", "prefixes"]);
  assert.equal(second.map("flows").information.maxEntries, 32, "the size that it was made with");
  run(second);
  assert.equal(count(second, 1), 2n);
  const opened = openPinnedMap(join(pins.path, "flows"));
  assert.deepEqual(opened.lookup(key(5)), stored);
  opened.close();
  opened.close();
  assert.throws(() => openPinnedMap(join(pins.path, "nobody")), /cannot open the pinned map .*: bpf: ENOENT/);
});

test("a pinned map of another layout is refused by name, and stays", needsBpf, () => {
  using pins = new PinFolder();
  loadObject({ file: sample, pinned: pins.path }).close();
  assert.throws(
    () => loadObject({ file: wide, pinned: pins.path }),
    (error) =>
      error instanceof BpfMapMismatch &&
      error.map === "flows" &&
      error.message === "the pinned map flows is another version's: values of 88 bytes, not 96",
  );
  using again = loadObject({ file: sample, pinned: pins.path });
  assert.equal(again.adopted.size, 4);
});

test("loading and failing to load leave no descriptor open", needsBpf, () => {
  using pins = new PinFolder();
  const open = () => readdirSync("/proc/self/fd").length;
  loadObject({ file: sample, pinned: pins.path }).close();
  const before = open();
  const object = loadObject({ file: sample, pinned: pins.path });
  object.close();
  object.close();
  assert.throws(() => loadObject({ file: refused }));
  assert.throws(() => loadObject({ file: wide, pinned: pins.path }));
  assert.throws(() => loadObject({ file: sample, programs: ["nobody"], pinned: pins.path }));
  assert.throws(() => loadObject({ file: sample, pinned: "/nowhere" }), /pin the map flows at \/nowhere\/flows/);
  probeBpf();
  networkNamespaceCookie();
  assert.equal(open(), before);
});

test("a test run gives the program its context and gives back packet, mark and verdict", needsBpf, () => {
  using object = loadObject({ file: sample });
  const packet = new Uint8Array(60).map((_, index) => index);
  const cb = new Uint8Array(20);
  cb[0] = 41;
  const counted = testRun(object.program("count_packets"), { packet, mark: 8, ingressInterface: 77, cb, repeat: 3 });
  assert.equal(counted.verdict, 0);
  assert.equal(count(object, 1), 3n);
  assert.equal(count(object, 3), 231n, "three times the interface");
  assert.equal(counted.mark, 11, "the context is kept from run to run");
  assert.equal(counted.cb[0], 44);
  assert.deepEqual(counted.packet, packet);
  const turned = testRun(object.program("turn_address"), { packet });
  assert.deepEqual([...turned.packet.subarray(0, 8)], [2, 0, 0, 0, 0, 9, 6, 7]);
  assert.equal(turned.packet.length, 64);
  assert.equal(testRun(object.program("drop_packets"), { packet }).verdict, 2);
  assert.throws(() => testRun(object.program("drop_packets"), { packet: new Uint8Array(5) }), code("EINVAL"));
});

/** Two hosts on a cable where nothing is said but what the test says: no IPv6, no ARP. `here` is who has programs. */
async function quietPair(network: TestNetwork): Promise<{ here: TestNode; there: TestNode; index: number }> {
  const [here, there] = [await network.node("here"), await network.node("there")];
  const quiet = "for each in all default; do echo 1 >/proc/sys/net/ipv6/conf/$each/disable_ipv6; done";
  for (const node of [here, there]) await node.run("sh", "-c", quiet);
  await network.link(
    { node: here, interface: "eth0", addresses: ["192.0.2.1/24"] },
    { node: there, interface: "eth0", addresses: ["192.0.2.2/24"] },
  );
  const [{ ifindex: index, address }] = await here.ipJson("link", "show", "eth0");
  await there.run("ip", "neighbour", "add", "192.0.2.1", "lladdr", address, "dev", "eth0");
  const [peer] = await there.ipJson("link", "show", "eth0");
  await here.run("ip", "neighbour", "add", "192.0.2.2", "lladdr", peer.address, "dev", "eth0");
  return { here, there, index };
}

/** Sends this many datagrams, each from a socket of its own. */
const send = (node: TestNode, datagrams: number) =>
  node.run("bash", "-c", `for ((i = 0; i < ${datagrams}; i++)); do echo >/dev/udp/192.0.2.1/9; done`);

for (const method of ["tcx", "clsact"] as const) {
  const noTcx = method === "tcx" && needsBpf.skip === false && preferredMethod() !== "tcx";
  const needs = { skip: noTcx ? "no tcx in this kernel (Linux 6.6)" : needsBpf.skip };

  test(`by ${method} a program is attached, found again, replaced and detached`, needs, async () => {
    using pins = new PinFolder();
    await using network = new TestNetwork();
    const { here, there, index } = await quietPair(network);
    const point: AttachPoint = {
      interfaceIndex: index,
      direction: "ingress",
      pin: join(pins.path, "link"),
      priority: 100,
    };
    const counts = (slot: number) => {
      const map = openPinnedMap(join(pins.path, "counts"));
      try {
        return new DataView((map.lookup(u32(slot)) ?? assert.fail()).buffer).getBigUint64(0, true);
      } finally {
        map.close();
      }
    };
    const load = (slot: number, verdict = 0) =>
      loadObject({ file: sample, pinned: pins.path, constants: { slot, verdict } });
    assert.equal(
      here.within(() => attached(point)),
      undefined,
    );
    assert.equal(
      here.within(() => detach(point)),
      false,
    );
    {
      using first = load(0);
      const program = first.program("count_packets");
      assert.equal(
        here.within(() => attach(point, program, method)),
        method,
      );
      const expected = { method, program: addon.bpfProgramId(program) };
      assert.deepEqual(
        here.within(() => attached(point)),
        expected,
      );
    }
    // Nobody holds the object any more.
    await send(there, 5);
    await until("five packets", () => counts(0) === 5n);

    const sender = send(there, 400);
    for (let i = 0; i < 30; i++) {
      using next = load(i % 2);
      here.within(() => attach(point, next.program("count_packets"), method));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await sender;
    await until("every packet seen by one of the programs", () => counts(0) + counts(1) === 405n);

    const second: AttachPoint = { ...point, pin: join(pins.path, "second"), priority: 200 };
    using passing = load(0, -1);
    using beside = load(2, -1);
    here.within(() => {
      attach(point, passing.program("count_packets"), method);
      attach(second, beside.program("count_packets"), method);
    });
    const before = counts(0);
    await send(there, 3);
    await until("three more by the first", () => counts(0) === before + 3n);
    await until("three by the second", () => counts(2) === 3n);

    assert.equal(
      here.within(() => detach(point)),
      true,
    );
    assert.equal(existsSync(point.pin), false);
    assert.equal(
      here.within(() => attached(point)),
      undefined,
    );
    await send(there, 2);
    await until("two more by the second", () => counts(2) === 5n);
    assert.equal(counts(0), before + 3n);

    assert.equal(here.within(() => attached(second))?.method, method);
    await here.run("ip", "link", "del", "eth0");
    assert.equal(
      here.within(() => attached(second)),
      undefined,
      "the interface has gone",
    );
    await here.run("ip", "link", "add", "eth1", "type", "veth", "peer", "name", "eth2");
    const [{ ifindex }] = await here.ipJson("link", "show", "eth1");
    const renewed = { ...second, interfaceIndex: ifindex, direction: "egress" as const };
    here.within(() => attach(renewed, beside.program("drop_packets"), method));
    assert.equal(here.within(() => attached(renewed))?.program, addon.bpfProgramId(beside.program("drop_packets")));
  });
}

test("attaching to an interface that is not there is refused", needsBpf, () => {
  using pins = new PinFolder();
  const program = loadPassProgram();
  const point: AttachPoint = { interfaceIndex: 99_999, direction: "ingress", pin: join(pins.path, "x"), priority: 1 };
  assert.throws(() => attach(point, program), /cannot attach to ingress of interface 99999: .*: ENODEV/);
  assert.throws(() => attach(point, program, "clsact"), /cannot attach to ingress of interface 99999: .*: ENODEV/);
  addon.close(program);
});

test("every feature is said to be there or not, and nothing is left behind", needsBpf, async () => {
  await using network = new TestNetwork();
  const node = await network.node("n");
  const features = node.within(probeBpf);
  assert.deepEqual(
    features.map(({ name }) => name),
    ["bpf", "libbpf", "timer", "redirect_neigh", "loop", "tcx", "clsact", "bpffs"],
  );
  assert.equal(features.find(({ name }) => name === "tcx")?.present, preferredMethod() === "tcx");
  assert.equal(features.find(({ name }) => name === "clsact")?.present, true);
  assert.equal(await node.run("tc", "qdisc", "show", "clsact"), "");
});

test("the first thing that is needed and missing is what is wrong", () => {
  const feature = { name: "timer", present: false, needed: true, says: "Linux 5.10 has no BPF timers" } as const;
  assert.equal(bpfProblem([{ ...feature, needed: false }]), undefined);
  assert.equal(bpfProblem([{ ...feature, present: true }]), undefined);
  assert.equal(bpfProblem([{ ...feature, needed: false }, feature]), "Linux 5.10 has no BPF timers");
});

/** What a module's text prints, as a process that is started by these words. */
function printed(starter: readonly string[], body: string): string {
  const [command = "", ...rest] = [...starter, process.execPath, "--input-type=module-typescript", "--eval", body];
  const { stdout, stderr, status } = spawnSync(command, rest, { encoding: "utf8", timeout: 60_000 });
  assert.equal(status, 0, stderr);
  return stdout.trim();
}
const source = (path: string) => JSON.stringify(new URL(`../../src/${path}`, import.meta.url).href);

test("who may not load programs is told what it takes", () => {
  const starter = ["setpriv", "--inh-caps=-all", "--bounding-set=-all"];
  const body = `import { bpfProblem } from ${source("sys/bpf-probe.ts")}; console.log(bpfProblem());`;
  const expected = /CAP_BPF and CAP_NET_ADMIN are missing|root of a user namespace/;
  assert.match(printed(starter, body), expected);
});

test("a bpffs that is made in a passing mount namespace stays, and is reached from another", needsBpf, async () => {
  await using network = new TestNetwork();
  const node = await network.node("n");
  const path = `/run/bpffs-test-${process.pid}`;
  const body = `
    import { ensureBpffs } from ${source("sys/bpffs.ts")};
    import { loadObject } from ${source("sys/bpf.ts")};
    const folder = ensureBpffs(${JSON.stringify(path)});
    using object = loadObject({ file: ${JSON.stringify(sample)}, pinned: folder });
    console.log(object.adopted.size, folder.endsWith(${JSON.stringify(path)}));`;
  const starter = ["ip", "netns", "exec", node.name];
  assert.equal(findBpffs(path), undefined);
  assert.equal(printed(starter, body), "0 true");
  assert.equal(findBpffs(path), path, "outside it is there");
  assert.equal(printed(starter, body), "4 true");
  assert.equal(ensureBpffs(path), path);
  assert.deepEqual(
    readdirSync(path)
      .filter((name) => !name.includes("."))
      .sort(),
    ["counts", "flows", "prefixes", "scratch"],
  );
  const remove = `import { removeBpffs } from ${source("sys/bpffs.ts")}; console.log(removeBpffs(${JSON.stringify(path)}));`;
  assert.equal(printed(starter, remove), "true");
  assert.equal(findBpffs(path), undefined);
  assert.equal(removeBpffs(path), false);
});

test("in a mount namespace with a folder of its own the bpffs is its own", needsBpf, () => {
  const path = `/run/bpffs-own-${process.pid}`;
  const body = `
    import { ensureBpffs } from ${source("sys/bpffs.ts")};
    console.log(ensureBpffs(${JSON.stringify(path)}));`;
  const starter = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs tmpfs /run && exec "$@"', "sh"];
  assert.equal(printed(starter, body), path);
  assert.equal(existsSync(path), false);
});

test("a network namespace has a number of its own", async () => {
  await using network = new TestNetwork();
  const [a, b] = [await network.node("a"), await network.node("b")];
  const numbers = [networkNamespaceCookie(), ...[a, b, a].map((node) => node.within(networkNamespaceCookie))];
  assert.equal(new Set(numbers).size, 3);
  assert.equal(numbers[1], numbers[3]);
});

test("a lock file has one holder, until that lets go or ends", async () => {
  const path = join(mkdtempSync(join(tmpdir(), "lock-")), "lock");
  const first = tryLockFile(path) ?? assert.fail("it was free");
  assert.equal(tryLockFile(path), undefined);
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  const other = spawn("flock", [path, "sh", "-c", "echo held; sleep 0.2"], { stdio: ["ignore", "pipe", "inherit"] });
  await new Promise((resolve) => other.stdout.once("data", resolve));
  assert.equal(tryLockFile(path), undefined);
  lockFile(path)[Symbol.dispose]();
  using again = tryLockFile(path) ?? assert.fail("it is free again");
  assert.ok(again);
});
