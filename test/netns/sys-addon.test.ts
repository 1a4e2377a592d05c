import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { fstatSync } from "node:fs";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { addon, attempt, constants, SystemError } from "../../src/sys/addon.ts";
import { readBatch } from "../../src/sys/receive.ts";
import { inetSockaddr } from "../../src/sys/sockaddr.ts";
import { until } from "../support/until.ts";

const pair = () => addon.socketpair(constants.AF_UNIX, constants.SOCK_SEQPACKET, 0);
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const bytes = (words: string) => new TextEncoder().encode(words);
const isOpen = (fd: number) => {
  try {
    fstatSync(fd);
    return true;
  } catch {
    return false;
  }
};

test("what the operating system refuses has syscall, errno and code, and says what was tried", () => {
  assert.throws(
    () => addon.close(9999),
    (error: unknown) =>
      error instanceof Error &&
      Object.entries({ syscall: "close", errno: 9, code: "EBADF", message: "close: EBADF" }).every(
        ([key, value]) => (error as unknown as Record<string, unknown>)[key] === value,
      ),
  );
  assert.throws(
    () => attempt("open the door", () => addon.socket(12345, constants.SOCK_RAW, 0)),
    (error: unknown) =>
      error instanceof SystemError &&
      error.message === "cannot open the door: socket: EAFNOSUPPORT" &&
      error.tried === "open the door" &&
      error.errno === 97,
  );
  assert.equal(addon.errorName(105), "ENOBUFS");
  assert.equal(addon.errorName(98_765), "E98765");
});

test("every function refuses arguments of the wrong shape with TypeError", () => {
  const junk: unknown[] = [
    undefined,
    null,
    "1",
    1.5,
    Number.NaN,
    2 ** 40,
    -1,
    {},
    [],
    [{}],
    new Float64Array(2),
    () => 0,
  ];
  const functions = Object.entries(addon).filter(
    (entry): entry is [string, (...given: unknown[]) => unknown] => typeof entry[1] === "function",
  );
  assert.ok(functions.length > 15);
  // These change this process when their arguments happen to be right; the last one takes none.
  const skipped = new Set([
    "setNoNewPrivileges",
    "errorName",
    "setgroups",
    "setParentDeathSignal",
    "mlockall",
    "unshare",
    "timerfdCreate",
  ]);
  for (const [name, call] of functions) {
    if (skipped.has(name)) continue;
    for (const first of junk) {
      for (const second of junk) {
        assert.throws(
          () => call(first, second, first, second),
          (error: unknown) => error instanceof TypeError || (error instanceof Error && "errno" in error),
          `${name}(${String(first)}, ${String(second)})`,
        );
      }
    }
    assert.throws(() => call(), TypeError, name);
  }
  for (const name of ["setgroups", "setParentDeathSignal", "unshare", "errorName"] as const) {
    assert.throws(() => (addon[name] as (given: unknown) => unknown)("junk"), TypeError, name);
  }
  assert.throws(() => addon.setgroups([-1]), TypeError);
});

test("sizes out of bounds are refused before they reach the kernel", () => {
  const [a, b] = pair();
  const huge = new Uint8Array(5000);
  const one = bytes("x");
  assert.throws(() => addon.bind(a, huge), /address must have at most 128 bytes/);
  assert.throws(() => addon.send(a, one, huge), /address must have at most 128 bytes/);
  assert.throws(() => addon.setsockopt(a, 1, 1, huge), /value must have at most 4096 bytes/);
  assert.throws(() => addon.attachFilter(a, new Uint8Array(12)), /instructions of 8 bytes/);
  assert.throws(() => addon.attachFilter(a, new Uint8Array(0)), /instructions of 8 bytes/);
  assert.throws(() => addon.attachFilter(a, new Uint8Array(8 * 4097)), /instructions of 8 bytes/);
  assert.throws(() => addon.send(a, one, undefined, [{ level: 0, type: 0, data: huge }]), /at most 256/);
  assert.throws(() => addon.send(a, one, undefined, new Array(9).fill({ level: 0, type: 0, data: one })), /at most 8/);
  assert.throws(() => addon.send(a, one, undefined, undefined, new Array(254).fill(0)), /at most 253/);
  for (const [slotBytes, slots] of [
    [0, 1],
    [1, 0],
    [1 << 21, 1],
    [1, 257],
    [1 << 20, 17],
  ] as const) {
    assert.throws(() => addon.receive(a, slotBytes, slots), TypeError);
    assert.throws(() => addon.watch(a, slotBytes, slots, () => {}), TypeError);
  }
  addon.close(a);
  addon.close(b);
});

test("a control message whose getter detaches the bytes does no harm", () => {
  const [a, b] = pair();
  const payload = bytes("hello");
  const control = {
    level: constants.SOL_SOCKET,
    type: 0,
    get data() {
      structuredClone(payload.buffer, { transfer: [payload.buffer] });
      return bytes("");
    },
  };
  assert.throws(() => addon.send(a, payload, undefined, [control]), /sendmsg|EINVAL/);
  assert.equal(payload.length, 0);
  addon.close(a);
  addon.close(b);
});

test("what waits on a socket is received with one call, and nothing waiting is undefined", () => {
  const [a, b] = pair();
  for (const word of ["one", "two", "three"]) assert.equal(addon.send(a, bytes(word)), word.length);
  const batch = addon.receive(b, 100, 8);
  assert.ok(batch);
  assert.deepEqual(
    readBatch(batch).map((each) => text(each.bytes)),
    ["one", "two", "three"],
  );
  assert.equal(addon.receive(b, 100, 8), undefined);
  addon.send(a, bytes("a longer message"));
  const [cut] = readBatch(addon.receive(b, 8, 1) ?? assert.fail());
  assert.equal(text(cut?.bytes ?? assert.fail()), "a longer");
  assert.equal(cut?.wireLength, 16);
  addon.close(a);
  addon.close(b);
});

test("a watch may be ended, and its descriptor closed, from within its own call", async () => {
  const [a, b] = pair();
  addon.send(a, bytes("one"));
  addon.send(a, bytes("two"));
  let calls = 0;
  const watch = addon.watch(b, 100, 1, () => {
    calls++;
    addon.unwatch(watch);
    addon.close(b);
  });
  await until("the call", () => calls > 0);
  for (let i = 0; i < 5; i++) await turn();
  assert.equal(calls, 1);
  assert.throws(() => addon.unwatch(watch), /no such watch/);
  addon.close(a);
});

test("a watch that is ended while its message waits is not called", async () => {
  const [a, b] = pair();
  const [c, d] = pair();
  let seen = "";
  const first = addon.watch(b, 100, 1, () => {
    seen += "first";
    addon.unwatch(second);
  });
  const second = addon.watch(d, 100, 1, () => {
    seen += "second";
    addon.unwatch(first);
  });
  addon.send(a, bytes("x"));
  addon.send(c, bytes("x"));
  await until("either", () => seen !== "");
  for (let i = 0; i < 5; i++) await turn();
  assert.ok(seen === "first" || seen === "second", seen);
  addon.unwatch(seen === "first" ? first : second);
  for (const fd of [a, b, c, d]) addon.close(fd);
});

test("a descriptor has one watch, and is not closed under it", () => {
  const [a, b] = pair();
  const watch = addon.watch(b, 100, 1, () => {});
  assert.throws(() => addon.watch(b, 100, 1, () => {}), /watched already/);
  assert.throws(() => addon.close(b), /unwatch it first/);
  addon.unwatch(watch);
  const again = addon.watch(b, 100, 1, () => {});
  assert.notEqual(again, watch);
  addon.unwatch(again);
  addon.close(a);
  addon.close(b);
  assert.throws(() => addon.watch(b, 100, 1, () => {}), /EBADF/);
  assert.throws(() => addon.watch(-1, 100, 1, () => {}), /EBADF/);
});

/** Runs a module's text in a process of its own, with the addon's module imported. */
function run(body: string): { status: number | null; stderr: string; stdout: string } {
  const script = `import { addon, constants } from ${JSON.stringify(new URL("../../src/sys/addon.ts", import.meta.url).href)};\n${body}`;
  const result = spawnSync(process.execPath, ["--input-type=module-typescript", "--eval", script], {
    encoding: "utf8",
    timeout: 60_000,
  });
  return { status: result.status, stderr: result.stderr, stdout: result.stdout };
}

test("an exception in a call-back is an uncaught exception of the process, and the watch goes on", () => {
  const { status, stdout } = run(`
    const [a, b] = addon.socketpair(constants.AF_UNIX, constants.SOCK_SEQPACKET, 0);
    process.on("uncaughtException", (error) => {
      console.log(error.message);
      if (error.message === "2") { addon.unwatch(watch); } else addon.send(a, Uint8Array.of(1));
    });
    let calls = 0;
    const watch = addon.watch(b, 10, 1, () => { throw new Error(String(++calls)); });
    addon.send(a, Uint8Array.of(1));
  `);
  assert.equal(stdout, "1\n2\n");
  assert.equal(status, 0, "the process ends by itself when nothing is watched");
});

test("a watch keeps the process running, and one that is left open does not keep it from exiting", () => {
  const { status, stdout } = run(`
    const [a, b] = addon.socketpair(constants.AF_UNIX, constants.SOCK_SEQPACKET, 0);
    addon.watch(b, 10, 1, () => { console.log("seen"); process.exit(7); });
    setTimeout(() => addon.send(a, Uint8Array.of(1)), 20).unref();
    process.on("beforeExit", () => console.log("left too early"));
  `);
  assert.equal(stdout, "seen\n");
  assert.equal(status, 7);
});

test("a worker thread that ends with open watches takes nothing down", () => {
  const { status, stdout, stderr } = run(`
    import { Worker } from "node:worker_threads";
    const body = \`import { createRequire } from "node:module";
      const addon = createRequire("/")(\${JSON.stringify(${JSON.stringify(fileURLToPath(new URL("../../build/evenkeel.node", import.meta.url)))})});
      const [a, b] = addon.socketpair(1, 5, 0);
      addon.watch(b, 10, 1, () => process.exit());
      addon.send(a, Uint8Array.of(1));\`;
    for (let i = 0; i < 3; i++) {
      const worker = new Worker(new URL("data:text/javascript," + encodeURIComponent(body)));
      await new Promise((resolve) => worker.on("exit", resolve));
    }
    console.log("alive");
  `);
  assert.equal(stdout, "alive\n", stderr);
  assert.equal(status, 0);
});

test("descriptors are not inherited unless asked, and then they are", () => {
  const [a, b] = pair();
  const see = () => execFileSync("ls", ["/proc/self/fd"], { encoding: "utf8" }).split("\n").includes(String(a));
  assert.equal(see(), false);
  addon.setCloseOnExec(a, false);
  assert.equal(see(), true);
  addon.setCloseOnExec(a, true);
  assert.equal(see(), false);
  addon.close(a);
  addon.close(b);
  assert.equal(isOpen(a), false);
});

test("where a datagram came from, went to and how far it went is told on request", () => {
  const port = 20_112;
  const loopback = inetSockaddr("127.0.0.1" as never, port);
  const receiver = addon.socket(constants.AF_INET, constants.SOCK_DGRAM, 0);
  addon.bind(receiver, loopback);
  addon.setsockopt(receiver, constants.IPPROTO_IP, constants.IP_PKTINFO, 1);
  addon.setsockopt(receiver, constants.IPPROTO_IP, constants.IP_RECVTTL, 1);
  const sender = addon.socket(constants.AF_INET, constants.SOCK_DGRAM, 0);
  addon.bind(sender, inetSockaddr("127.0.0.2" as never, port + 1));
  // IP_TTL 77 for this datagram alone, as a control message.
  const ttl = { level: constants.IPPROTO_IP, type: 2, data: Uint8Array.of(77, 0, 0, 0) };
  addon.send(sender, bytes("ping"), loopback, [ttl]);
  const [datagram] = readBatch(addon.receive(receiver, 100, 4) ?? assert.fail("it is there at once on loopback"));
  assert.equal(datagram?.source, "127.0.0.2");
  assert.equal(datagram?.packetTypeOrPort, port + 1);
  assert.equal(datagram?.destination, "127.0.0.1");
  assert.equal(datagram?.interfaceIndex, 1);
  assert.equal(datagram?.ttl, 77);
  addon.close(receiver);
  addon.close(sender);
});
