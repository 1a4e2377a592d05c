/** Virtual servers over a remembered data plane, with real checks, scripts, FIFOs and files. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, createReadStream, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { milliseconds, seconds } from "../../src/base/time.ts";
import type { DirectorConfiguration, RealServer, VirtualServer } from "../../src/config/model/virtual-server.ts";
import { VirtualServers } from "../../src/daemon/director/virtual-servers.ts";
import type { EventBody } from "../../src/daemon/events.ts";
import { monotonicNow } from "../../src/sys/clock.ts";
import { MemoryPlane } from "../support/memory-plane.ts";
import { until } from "../support/until.ts";
import {
  directorConfiguration,
  realServer,
  SCHEDULE,
  SETTINGS,
  script,
  tcpCheck,
  virtualServer,
} from "../support/virtual-servers.ts";

const ONE = "127.0.1.1";
const TWO = "127.0.1.2";
const quick = { delayLoop: milliseconds(20), delayBeforeRetry: milliseconds(10), warmup: milliseconds(1) };

/** A real server that can be switched off and on. */
class Web {
  readonly address: string;
  #server: Server | undefined;
  readonly #sockets = new Set<Socket>();
  constructor(address: string) {
    this.address = address;
  }
  async up(port: number): Promise<void> {
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on("error", () => undefined).resume();
    }).listen(port, this.address);
    await once(this.#server, "listening");
  }
  async down(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    server.close();
    for (const socket of this.#sockets) socket.destroy();
    await once(server, "close");
  }
}

let folder = "";
let plane = new MemoryPlane();
let lines: string[] = [];
let events: EventBody[] = [];
let local = new Set<string>(["10.0.0.1"]);
let running: VirtualServers | undefined;
const webs = { one: new Web(ONE), two: new Web(TWO) };
const PORT = 18_080;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "virtual-"));
  plane = new MemoryPlane();
  lines = [];
  events = [];
  local = new Set(["10.0.0.1"]);
  await webs.one.up(PORT);
  await webs.two.up(PORT);
});
afterEach(async () => {
  running?.abandon();
  running = undefined;
  await webs.one.down();
  await webs.two.down();
  rmSync(folder, { recursive: true, force: true });
});

function start(configuration: DirectorConfiguration): VirtualServers {
  running = new VirtualServers({
    configuration,
    plane,
    log: { write: (_, line) => void lines.push(line) } as ConstructorParameters<typeof VirtualServers>[0]["log"],
    publish: (event) => void events.push(event),
    now: monotonicNow,
    random: () => 0,
    localAddresses: () => local,
  });
  running.start();
  return running;
}

const server = (ip: string, changed: Partial<RealServer> = {}): RealServer =>
  realServer(ip, { checkers: [tcpCheck(ip, quick, PORT)], ...changed });
const both = (changed: Partial<VirtualServer> = {}): DirectorConfiguration =>
  directorConfiguration([virtualServer([server(ONE), server(TWO)], changed)]);

/** Appends its arguments to a file. */
function recorder(): { command: (...words: string[]) => ReturnType<typeof script>; lines: () => string[] } {
  const file = join(folder, "notify.sh");
  const output = join(folder, "notified");
  writeFileSync(file, `#!/bin/sh\necho "$@" >> ${output}\n`);
  writeFileSync(output, "");
  chmodSync(file, 0o755);
  return {
    command: (...words) => script(file, ...words),
    lines: () =>
      readFileSync(output, "utf8")
        .split("\n")
        .filter((one) => one !== ""),
  };
}

describe("virtual servers", () => {
  test("take a server out that dies, bring it back, and say why", async () => {
    start(both());
    assert.deepEqual(plane.take(), ["add tcp 10.0.0.1:80 rr", `all ${TWO} 1, ${ONE} 1`]);
    await until("both were asked", () => lines.filter((line) => line.endsWith("success.")).length === 2);
    await webs.one.down();
    await until("it is out", () => plane.members.length === 1);
    await webs.one.up(PORT);
    await until("it is back", () => plane.members.length === 2);
    assert.deepEqual(plane.take(), [`- ${ONE}`, `+ ${ONE} 1`]);
    const changes = events.filter(({ kind }) => kind === "real-server-state");
    assert.deepEqual(changes, [
      {
        kind: "real-server-state",
        virtualServer: "[10.0.0.1]:tcp:80",
        server: `[${ONE}]:tcp:80`,
        from: "UP",
        to: "DOWN",
        cause: `TCP_CHECK ${ONE}:${PORT}: connection refused`,
      },
      {
        kind: "real-server-state",
        virtualServer: "[10.0.0.1]:tcp:80",
        server: `[${ONE}]:tcp:80`,
        from: "DOWN",
        to: "UP",
        cause: `TCP_CHECK ${ONE}:${PORT}: connected`,
      },
    ]);
  });

  test("run notify scripts in the order of the events, and tell the FIFO", async () => {
    const { command, lines: notified } = recorder();
    const path = join(folder, "fifo");
    const told: string[] = [];
    execFileSync("mkfifo", [path]);
    const configuration = directorConfiguration(
      [
        virtualServer([server(ONE, { notifyUp: command("up"), notifyDown: command("down") })], {
          quorumUp: command("quorum_up"),
          quorumDown: command("quorum_down"),
          omega: true,
        }),
      ],
      { fifos: [{ path, user: undefined, script: undefined }] },
    );
    const servers = start(configuration);
    const reader = createReadStream(path).setEncoding("utf8");
    reader.on("data", (text) =>
      told.push(
        ...String(text)
          .split("\n")
          .filter((one) => one !== ""),
      ),
    );
    await webs.one.down();
    await until("quorum lost", () => lines.some((line) => line.startsWith("Lost quorum")));
    await webs.one.up(PORT);
    await until("quorum gained", () => lines.filter((line) => line.startsWith("Gained quorum")).length === 2);
    await servers.stop();
    assert.deepEqual(notified(), ["quorum_up", "down", "quorum_down", "up", "quorum_up", "down", "quorum_down"]);
    const [rs, vs] = [`RS [${ONE}]:tcp:80 [10.0.0.1]:tcp:80`, "VS [10.0.0.1]:tcp:80"];
    await until("all lines", () => told.length >= 6);
    assert.deepEqual(told.slice(-6), [`${rs} DOWN`, `${vs} DOWN`, `${rs} UP`, `${vs} UP`, `${rs} DOWN`, `${vs} DOWN`]);
    reader.destroy();
    assert.deepEqual(plane.list, []);
  });

  test("follow the number in a track file", async () => {
    const file = join(folder, "weight");
    const check = { ...SCHEDULE, type: "FILE_CHECK", trackFile: "f", weight: 1, reverse: false } as const;
    const track = { name: "f", file, weight: 1, reverse: false, init: { value: 4, overwrite: false } };
    start({ ...directorConfiguration([virtualServer([server(ONE, { checkers: [check] })])]), trackFiles: [track] });
    assert.deepEqual(plane.members, [`${ONE} 5`]);
    writeFileSync(file, "9\n");
    await until("weight 10", () => plane.members[0] === `${ONE} 10`);
    rmSync(file);
    await until("weight 1", () => plane.members[0] === `${ONE} 1`);
  });

  test("ask nobody with ha_suspend while the address is elsewhere", async () => {
    local = new Set();
    const servers = start(both({ haSuspend: true }));
    assert.equal(servers.report().virtualServers[0]?.suspended, true);
    local = new Set(["10.0.0.1"]);
    servers.addressesChanged();
    await until("asked", () => lines.some((line) => line.endsWith("success.")));
  });
});

describe("a table that another process left", () => {
  const left = (owner: "daemon" | "command", ...addresses: string[]) => {
    const [first] = both().virtualServers;
    assert.ok(first !== undefined);
    const { scheduler, persistence, netmaskBits, onePacket, flags, onServerDown } = first;
    const settings = { scheduler, persistence, netmaskBits, onePacket, flags, onServerDown, owner };
    const [service] = first.services;
    assert.ok(service !== undefined);
    plane.addService(service, settings);
    for (const ip of addresses) plane.addServer(service, server(ip).key, SETTINGS);
    return settings;
  };

  test("is taken over as it is", async () => {
    left("daemon", ONE, TWO);
    plane.take();
    start(both());
    assert.deepEqual(plane.take(), []);
    assert.deepEqual(
      lines.filter((line) => line.includes("quorum")),
      [],
    );
  });

  test("loses what is no longer configured, and keeps what was made by hand", () => {
    const settings = left("daemon");
    const key = (port: number) => ({ kind: "address", protocol: "tcp", address: "10.0.0.7", port }) as never;
    plane.addService(key(80), settings);
    plane.addService(key(81), { ...settings, owner: "command" });
    start(both());
    assert.deepEqual(
      plane.list.map(({ key: one }) => one.kind === "address" && `${one.address}:${one.port}`),
      ["10.0.0.1:80", "10.0.0.7:81"],
    );
  });

  test("is replaced where it was made by hand under the same name", () => {
    left("command", ONE, "127.0.1.9");
    start(both());
    assert.deepEqual(plane.members, [`${TWO} 1`, `${ONE} 1`]);
    assert.equal(plane.list[0]?.settings.owner, "daemon");
  });

  test("is put right when somebody empties it behind our back", async () => {
    start(both());
    plane.list.length = 0;
    await webs.one.down();
    await until("put right", () => plane.members.length === 1);
    assert.deepEqual(plane.members, [`${TWO} 1`]);
  });
});

describe("a reload", () => {
  test("touches only what is different", async () => {
    const servers = start(both());
    plane.take();
    const third = server("127.0.1.3");
    servers.reconfigure(directorConfiguration([virtualServer([server(ONE), server(TWO), third])]));
    assert.deepEqual(plane.take(), ["+ 127.0.1.3 1"]);
    servers.reconfigure(directorConfiguration([virtualServer([server(ONE), server(TWO), third])]));
    assert.deepEqual(plane.take(), []);
    servers.reconfigure(directorConfiguration([]));
    assert.deepEqual(plane.take(), ["delete tcp 10.0.0.1:80"]);
  });

  test("goes on asking a server that was being asked", async () => {
    const servers = start(both());
    servers.reconfigure(both({ scheduler: "wlc" }));
    await webs.one.down();
    await until("it is out", () => plane.members.length === 1);
  });
});

describe("a drain", () => {
  const order = (drain: boolean, within?: number) => ({
    virtualServer: "10.0.0.1:80",
    realServer: ONE,
    drain,
    within: within === undefined ? undefined : seconds(within),
  });
  const phases = () => events.flatMap((one) => (one.kind === "drain" ? [one.phase] : []));

  test("waits for the last connection and says so", async () => {
    const servers = start(both());
    plane.active.set(ONE, 2);
    assert.deepEqual(servers.drain(order(true)), {
      ok: true,
      value: { virtualServer: "[10.0.0.1]:tcp:80", realServer: `[${ONE}]:tcp:80` },
    });
    const [, one] = plane.list[0]?.servers ?? [];
    assert.deepEqual([one?.settings.weight, one?.settings.draining], [0, true]);
    const report = servers.report().virtualServers[0]?.servers[0];
    assert.deepEqual([report?.state, report?.active, report?.drain?.done], ["DRAIN", 2, false]);
    plane.active.set(ONE, 0);
    await until("empty", () => phases().includes("empty"));
    servers.drain(order(false));
    assert.deepEqual(phases(), ["started", "empty", "ended"]);
    assert.deepEqual(plane.members, [`${TWO} 1`, `${ONE} 1`]);
  });

  test("resets at the deadline what is left, whatever on_server_down says, and keeps the server drained", async () => {
    const servers = start(both({ onServerDown: "keep" }));
    plane.active.set(ONE, 2);
    servers.drain(order(true, 0.05));
    await until("cut", () => phases().includes("cut"));
    assert.deepEqual(plane.take().slice(-4), [
      "edit tcp 10.0.0.1:80 rr reset",
      `- ${ONE}`,
      `+ ${ONE} 0`,
      "edit tcp 10.0.0.1:80 rr keep",
    ]);
  });

  test("says whom it does not know", () => {
    const servers = start(both());
    assert.deepEqual(servers.drain({ ...order(true), realServer: "10.9.9.9" }), {
      ok: false,
      error: `no real server of [10.0.0.1]:tcp:80 is called 10.9.9.9; there is [${ONE}]:tcp:80, [${TWO}]:tcp:80`,
    });
  });
});
