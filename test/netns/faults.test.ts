/** What goes wrong around the data plane: servers, links and neighbours that go, tables that are full, floods, no rights. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import type { Socket } from "node:net";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { IpAddress } from "../../src/base/ip.ts";
import type { OpenedPlane } from "../../src/daemon/plane/open.ts";
import type { OnServerDown } from "../../src/director/plane.ts";
import { openPacketSocket } from "../../src/sys/packet-socket.ts";
import { needsBpf } from "../support/bpf.ts";
import { frame, SYN } from "../support/frames.ts";
import { echoes, PlaneLab, SERVER, serve, VIP, WEB } from "../support/plane-lab.ts";
import { serverKey, serverSettings, serviceKey, serviceSettings } from "../support/tables.ts";
import { until } from "../support/until.ts";

const SECOND = serverKey("10.3.0.2", 8080);

const failure = async (socket: Socket): Promise<string> =>
  ((await once(socket, "error"))[0] as NodeJS.ErrnoException).code ?? "";

/** A client's connection to the first of two servers, which is then deleted while the second is there. */
async function bereaved(lab: PlaneLab, onServerDown: OnServerDown): Promise<{ plane: OpenedPlane; socket: Socket }> {
  await lab.second();
  const plane = lab.open();
  lab.within(() => {
    plane.addService(WEB, serviceSettings({ onServerDown }));
    plane.addServer(WEB, SERVER, serverSettings());
  });
  const socket = await lab.connect();
  await echoes(socket, "hello");
  lab.within(() => plane.addServer(WEB, SECOND, serverSettings()));
  return { plane, socket };
}

describe("a server is taken out while a client has a connection to it", needsBpf, () => {
  test("reset: a client that waits is told at once, and the next connection goes to another server", async () => {
    await using lab = await PlaneLab.start();
    const { plane, socket } = await bereaved(lab, "reset");
    const failed = failure(socket);
    lab.within(() => plane.deleteServer(WEB, SERVER));
    assert.equal(await failed, "ECONNRESET");
    await echoes(await lab.connect(), "again");
    assert.equal(plane.service(WEB)?.servers[0]?.active, 1);
  });

  test("move: the next packet goes to another server, which knows nothing of the connection and says so", async () => {
    await using lab = await PlaneLab.start();
    const { plane, socket } = await bereaved(lab, "move");
    lab.within(() => plane.deleteServer(WEB, SERVER));
    assert.equal(plane.table().reasons.gone_moved, 0n);
    const failed = failure(socket);
    socket.write("more");
    assert.equal(await failed, "ECONNRESET");
    assert.equal(plane.table().reasons.gone_moved, 1n);
    assert.equal(plane.table().reasons.reset_sent, 0n);
  });

  test("keep: its packets go nowhere, and the connection goes on when the server is back", async () => {
    await using lab = await PlaneLab.start();
    const { plane, socket } = await bereaved(lab, "keep");
    lab.within(() => plane.deleteServer(WEB, SERVER));
    let heard = "";
    socket.on("data", (data) => {
      heard += data;
    });
    socket.write("patience");
    await until("a packet was dropped", () => (plane.table().reasons.gone_dropped ?? 0n) > 0n);
    assert.equal(heard, "");
    lab.within(() => plane.addServer(WEB, SERVER, serverSettings()));
    await until("the kernel sent it again", () => heard === "patience");
  });

  for (const onServerDown of ["reset", "move", "keep"] as const) {
    const goes = onServerDown === "keep" ? "stay with the server that is gone" : "go to another with the next packet";
    test(`${onServerDown}: datagrams of one client ${goes}`, async () => {
      await using lab = await PlaneLab.start();
      const { send, heard } = await lab.datagrams(lab.server, await lab.second());
      const dns = serviceKey(VIP, 53, "udp");
      const plane = lab.open();
      lab.within(() => {
        plane.addService(dns, serviceSettings({ onServerDown }));
        plane.addServer(dns, serverKey("10.2.0.2", 5353), serverSettings());
      });
      send("one");
      await until("it was heard", () => heard.length === 1);
      lab.within(() => {
        plane.addServer(dns, serverKey("10.3.0.2", 5353), serverSettings());
        plane.deleteServer(dns, serverKey("10.2.0.2", 5353));
      });
      send("two");
      if (onServerDown === "keep") {
        await until("it was dropped", () => plane.table().reasons.gone_dropped === 1n);
        assert.deepEqual(heard, ["server: one"]);
      } else {
        await until("it was heard", () => heard.length === 2);
        assert.deepEqual(heard, ["server: one", "second: two"]);
      }
    });
  }
});

describe("on the way to the server", needsBpf, () => {
  test("a link that is lost and comes back costs waiting, not the connection", async () => {
    await using lab = await PlaneLab.start();
    const plane = lab.open();
    serve(lab, plane);
    const socket = await lab.connect();
    await echoes(socket, "before");
    await lab.server.run("ip", "link", "set", "eth0", "down");
    let heard = "";
    socket.on("data", (data) => {
      heard += data;
    });
    socket.write("meanwhile");
    const sent = plane.service(WEB)?.counters.packetsIn ?? 0n;
    await until("it was sent again", () => (plane.service(WEB)?.counters.packetsIn ?? 0n) > sent + 1n);
    assert.equal(heard, "");
    await lab.server.run("ip", "link", "set", "eth0", "up");
    await lab.server.run("ip", "route", "add", "default", "via", "10.2.0.1");
    await until("it arrived", () => heard === "meanwhile");
    await echoes(await lab.connect(), "new");
  });

  test("a neighbour entry that has gone is asked for anew, by traffic alone", async () => {
    await using lab = await PlaneLab.start();
    const plane = lab.open();
    serve(lab, plane);
    const socket = await lab.connect();
    await echoes(socket, "before");
    for (const [address, device] of [
      ["10.2.0.2", "eth1"],
      ["10.1.0.2", "eth0"],
    ] as const) {
      await lab.director.run("ip", "neigh", "del", address, "dev", device);
      await echoes(socket, `without ${address}`);
    }
    await lab.director.run("ip", "neigh", "del", "10.2.0.2", "dev", "eth1");
    await echoes(await lab.connect(), "new");
  });
});

test("a full table refuses and counts new connections; the others go on, and IPv6 has its own", needsBpf, async () => {
  await using lab = await PlaneLab.start();
  const plane = lab.open({ capacity: 8 });
  serve(lab, plane);
  const sockets: Socket[] = [];
  for (let i = 0; i < 8; i++) {
    const socket = await lab.connect();
    await echoes(socket, `${i}`);
    sockets.push(socket);
  }
  const { capacity, connections, connectionsIpv4, connectionsIpv6, refusedFull } = plane.table();
  assert.deepEqual([capacity, connections, connectionsIpv4, connectionsIpv6, refusedFull], [8, 8, 8, 0, 0n]);
  const late = lab.connect();
  await until("it was refused", () => plane.table().refusedFull > 0n);
  for (const [i, socket] of sockets.entries()) await echoes(socket, `still ${i}`);
  assert.equal(plane.table().connections, 8);
  // A SYN is sent again, so who waited gets the room of one that ended.
  lab.within(() => plane.setTimeouts({ tcp: 0, tcpFin: 1, udp: 0 }));
  sockets[0]?.resetAndDestroy();
  await echoes(await late, "at last");
});

test("a flood of SYNs takes half of the table at most; live and legitimate clients get through", needsBpf, async () => {
  await using lab = await PlaneLab.start();
  const plane = lab.open({ capacity: 1024 });
  serve(lab, plane);
  const socket = await lab.connect();
  await echoes(socket, "before");
  const [{ ifindex: index }] = await lab.client.ipJson("link", "show", "eth0");
  const [{ address }] = await lab.director.ipJson("link", "show", "eth0");
  const hardwareDestination = Uint8Array.from(String(address).split(":"), (part) => Number.parseInt(part, 16));
  const flood = lab.client.within(() => openPacketSocket());
  const most = 1024 / 2;
  for (let i = 0; i < 50_000; i++) {
    const source = `198.18.${(i >> 8) & 255}.${i & 255}` as IpAddress;
    const flow = { protocol: "tcp", source, sourcePort: 1024 + (i >> 8), destination: VIP as IpAddress } as const;
    flood.send(frame({ ...flow, destinationPort: 80 }, { flags: SYN, hardwareDestination }), index);
    if (i % 10_000 === 0) await echoes(socket, `at ${i}`);
  }
  flood.close();
  const { connections, halfOpen, reasons, refusedFull } = plane.table();
  assert.ok(halfOpen <= most && connections <= most + 1, `${halfOpen} half open of ${connections}`);
  const [refused, taken] = [reasons.flood_refused ?? 0n, plane.service(WEB)?.counters.connections ?? 0n];
  assert.ok(refused > taken && refused + taken <= 50_001n, `${refused} refused, ${taken} taken`);
  assert.equal(refusedFull, 0n);
  await echoes(socket, "after");
  await echoes(await lab.connect(), "a legitimate client, when its SYN comes again");
  assert.ok(plane.table().halfOpen < most);
});

describe("without the right to use BPF", () => {
  const launcher = fileURLToPath(new URL("../../bin/evenkeel", import.meta.url));
  const without = (...capabilities: string[]) => {
    const run = mkdtempSync("/run/ek-rights");
    try {
      const drop = capabilities.map((name) => `-${name}`).join(",");
      const command = ["--bounding-set", drop, "--inh-caps", drop, launcher, "ipvsadm", "-A", "-t", "10.0.0.1:80"];
      const env = { ...process.env, EVENKEEL_RUN: run };
      const { status, stderr } = spawnSync("setpriv", command, { encoding: "utf8", env, timeout: 60_000 });
      return { status, stderr };
    } finally {
      spawnSync("umount", [`${run}/bpf`]);
      rmSync(run, { recursive: true, force: true });
    }
  };

  test("what is missing is named", () => {
    assert.deepEqual(without("bpf", "sys_admin"), {
      status: 2,
      stderr: "Can't initialize ipvs: the data plane needs CAP_BPF and CAP_SYS_ADMIN, which this process lacks\n",
    });
    assert.deepEqual(without("net_admin"), {
      status: 2,
      stderr: "Can't initialize ipvs: the data plane needs CAP_NET_ADMIN, which this process lacks\n",
    });
  });
});
