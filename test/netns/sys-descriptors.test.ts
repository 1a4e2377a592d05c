import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, fstatSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, test } from "node:test";
import type { IpAddress } from "../../src/base/ip.ts";
import { addon, constants, SystemError } from "../../src/sys/addon.ts";
import { channelPair, DescriptorChannel } from "../../src/sys/descriptors.ts";
import { closeDescriptor, listenTcp, listenUnix } from "../../src/sys/listen.ts";
import { readBatch } from "../../src/sys/receive.ts";
import { unixSockaddr } from "../../src/sys/sockaddr.ts";
import { openUnixDatagram } from "../../src/sys/unix-datagram.ts";
import { until } from "../support/until.ts";

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const clean of cleanups.splice(0).reverse()) clean();
});

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "evenkeel-sys-"));
  cleanups.push(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** Both ends, with what arrives at the second. */
function channel() {
  const [a, b] = channelPair();
  const messages: { text: string; descriptors: readonly number[] }[] = [];
  let ended = 0;
  const onError = (error: Error) => assert.fail(error);
  const sender = new DescriptorChannel(a, { onMessage() {}, onEnd() {}, onError });
  const receiver = new DescriptorChannel(b, {
    onMessage: (bytes, descriptors) => messages.push({ text: new TextDecoder().decode(bytes), descriptors }),
    onEnd: () => ended++,
    onError,
  });
  cleanups.push(
    () => sender.close(),
    () => receiver.close(),
  );
  return { sender, receiver, messages, ended: () => ended };
}

const bytes = (text: string) => new TextEncoder().encode(text);

/** A server that greets, on a descriptor. */
async function greeter(fd: number): Promise<Server> {
  const server = createServer((socket) => socket.end("hello"));
  server.listen({ fd });
  await once(server, "listening");
  cleanups.push(() => server.close());
  return server;
}

async function greetingFrom(socket: Socket): Promise<string> {
  let text = "";
  for await (const chunk of socket) text += chunk;
  return text;
}

test("passed descriptors are usable, belong to the receiver and are not inherited by programs", async () => {
  const { sender, messages } = channel();
  const path = join(temporaryFolder(), "file");
  const file = openSync(path, "w");
  sender.send(bytes("a file"), [file]);
  closeSync(file);
  const message = await until("the message", () => messages[0]);
  assert.equal(message.text, "a file");
  const [passed = assert.fail()] = message.descriptors;
  assert.notEqual(passed, undefined);
  writeSync(passed, "written by the receiver");
  const flags = readFileSync(`/proc/self/fdinfo/${passed}`, "utf8").match(/^flags:\s+([0-7]+)$/m)?.[1];
  assert.ok(Number.parseInt(flags ?? "", 8) & 0o2000000, "O_CLOEXEC");
  closeSync(passed);
  assert.equal(readFileSync(path, "utf8"), "written by the receiver");
});

test("messages keep their boundaries and their descriptors, up to 253 of them", async () => {
  const { sender, messages } = channel();
  const file = openSync("/dev/null", "r");
  cleanups.push(() => closeSync(file));
  sender.send(bytes("none"));
  sender.send(bytes("all"), new Array(253).fill(file));
  sender.send(bytes("one"), [file]);
  await until("three messages", () => messages.length === 3);
  assert.deepEqual(
    messages.map(({ text, descriptors }) => [text, descriptors.length]),
    [
      ["none", 0],
      ["all", 253],
      ["one", 1],
    ],
  );
  const device = fstatSync(file).rdev;
  for (const fd of messages.flatMap(({ descriptors }) => descriptors)) {
    assert.equal(fstatSync(fd).rdev, device);
    closeSync(fd);
  }
  assert.throws(() => sender.send(bytes("x"), new Array(254).fill(file)), RangeError);
  assert.throws(() => sender.send(bytes("")), RangeError);
});

test("a channel says once that its other end closed, and sending then fails with EPIPE", async () => {
  const { sender, receiver, messages, ended } = channel();
  sender.send(bytes("last words"));
  sender.close();
  await until("the end", () => ended() > 0);
  assert.deepEqual(
    messages.map(({ text }) => text),
    ["last words"],
  );
  assert.equal(ended(), 1);
  receiver.close();

  const [a, b] = channelPair();
  const left = new DescriptorChannel(a, { onMessage() {}, onEnd() {}, onError() {} });
  cleanups.push(() => left.close());
  closeDescriptor(b);
  assert.throws(
    () => left.send(bytes("x")),
    (error: unknown) => error instanceof SystemError && error.code === "EPIPE",
  );
});

test("a receiver that does not read makes sending fail with EAGAIN, never wait", () => {
  const [a, b] = channelPair();
  const sender = new DescriptorChannel(a, { onMessage() {}, onEnd() {}, onError() {} });
  cleanups.push(
    () => sender.close(),
    () => closeDescriptor(b),
  );
  assert.throws(
    () => {
      for (let i = 0; i < 10_000; i++) sender.send(new Uint8Array(4096));
    },
    (error: unknown) => error instanceof SystemError && error.code === "EAGAIN",
  );
});

test("a listening descriptor takes connections, and a child that inherits it does too", async () => {
  const fd = listenTcp({ address: "127.0.0.1" as IpAddress, port: 20_180 });
  cleanups.push(() => closeDescriptor(fd));
  const program = `require("node:net").createServer((socket) => socket.end("child")).listen({ fd: 3 }, () => console.log("ready"))`;
  const child = spawn(process.execPath, ["--eval", program], { stdio: ["ignore", "pipe", "inherit", fd] });
  const ended = once(child, "exit");
  try {
    await once(child.stdout ?? assert.fail(), "data");
    assert.equal(await greetingFrom(connect(20_180, "127.0.0.1")), "child");
  } finally {
    child.kill();
    await ended;
  }
  // The socket outlives the child, and so does a connection that waits in its queue.
  const waiting = connect(20_180, "127.0.0.1");
  await once(waiting, "connect");
  await greeter(fd);
  cleanups.shift();
  assert.equal(await greetingFrom(waiting), "hello");
});

test("an address in use, a foreign address and a missing interface are refused by name", () => {
  const fd = listenTcp({ address: "127.0.0.1" as IpAddress, port: 20_181 });
  cleanups.push(() => closeDescriptor(fd));
  const refused = (options: Parameters<typeof listenTcp>[0], code: string, message: RegExp) =>
    assert.throws(
      () => listenTcp(options),
      (error: unknown) => error instanceof SystemError && error.code === code && message.test(error.message),
      code,
    );
  refused({ address: "127.0.0.1" as IpAddress, port: 20_181 }, "EADDRINUSE", /^cannot listen on 127\.0\.0\.1:20181: /);
  refused({ address: "192.0.2.1" as IpAddress, port: 20_181 }, "EADDRNOTAVAIL", /192\.0\.2\.1:20181/);
  refused({ address: "2001:db8::1" as IpAddress, port: 80 }, "EADDRNOTAVAIL", /\[2001:db8::1\]:80/);
  refused({ address: "0.0.0.0" as IpAddress, port: 20_182, interface: "nowhere0" }, "ENODEV", /0\.0\.0\.0:20182/);
});

test("freebind and transparent listen on an address that is elsewhere", () => {
  const address = "192.0.2.1" as IpAddress;
  closeDescriptor(listenTcp({ address, port: 20_183, freebind: true }));
  closeDescriptor(listenTcp({ address, port: 20_183, transparent: true }));
  closeDescriptor(listenTcp({ address: "2001:db8::1" as IpAddress, port: 20_183, freebind: true }));
});

test("an IPv6 socket leaves IPv4 alone unless told otherwise", () => {
  const port = 20_184;
  const v6 = listenTcp({ address: "::" as IpAddress, port });
  const v4 = listenTcp({ address: "0.0.0.0" as IpAddress, port });
  closeDescriptor(v6);
  assert.throws(() => listenTcp({ address: "::" as IpAddress, port, v6only: false }), /EADDRINUSE/);
  closeDescriptor(v4);
  closeDescriptor(listenTcp({ address: "::" as IpAddress, port, v6only: false }));
});

test("sockets that share their port do so only when all of them ask", () => {
  const options = { address: "127.0.0.1" as IpAddress, port: 20_185 };
  const first = listenTcp({ ...options, reusePort: true });
  const second = listenTcp({ ...options, reusePort: true });
  assert.throws(() => listenTcp(options), /EADDRINUSE/);
  closeDescriptor(first);
  closeDescriptor(second);
});

test("a unix listener has its mode and takes the place of what was there", async () => {
  const folder = temporaryFolder();
  const path = join(folder, "control.sock");
  const old = listenUnix(path, 0o600);
  const fd = listenUnix(path, 0o660);
  closeDescriptor(old);
  assert.equal(statSync(path).mode & 0o7777, 0o660);
  await greeter(fd);
  assert.equal(await greetingFrom(connect(path)), "hello");
  assert.throws(() => listenUnix(join(folder, "x".repeat(120)), 0o600), RangeError);
  assert.throws(
    () => listenUnix(join(folder, "missing", "control.sock"), 0o600),
    (error: unknown) => error instanceof SystemError && error.code === "ENOENT",
  );
});

test("datagrams reach a unix socket that is there; one that is missing or full is told by false", () => {
  const path = join(temporaryFolder(), "log");
  const socket = openUnixDatagram(path);
  assert.equal(socket.send("nobody listens"), false);
  const listen = () => {
    const fd = addon.socket(constants.AF_UNIX, constants.SOCK_DGRAM, 0);
    addon.bind(fd, unixSockaddr(path));
    return fd;
  };
  const texts = (fd: number) =>
    readBatch(addon.receive(fd, 100, 8) ?? assert.fail("nothing came")).map(({ bytes }) =>
      new TextDecoder().decode(bytes),
    );
  const first = listen();
  assert.equal(socket.send("<134>one"), true);
  assert.equal(socket.send("<134>two"), true);
  assert.deepEqual(texts(first), ["<134>one", "<134>two"]);
  let sent = 0;
  while (sent < 100_000 && socket.send("x")) sent++;
  assert.ok(sent < 100_000, "the queue is full at some time");
  addon.close(first);
  assert.equal(socket.send("gone again"), false);
  rmSync(path);
  const second = listen();
  assert.equal(socket.send("a new receiver on the same path"), true);
  assert.deepEqual(texts(second), ["a new receiver on the same path"]);
  addon.close(second);
  socket.close();
  socket.close();
  assert.equal(socket.send("closed"), false);
});
