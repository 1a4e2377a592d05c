import assert from "node:assert/strict";
import { appendFileSync, copyFileSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openPlane, PlaneUnavailable } from "../../src/daemon/plane/open.ts";
import { numberKey } from "../../src/director/layouts.ts";
import { linkedInterface } from "../../src/sys/bpf-attach.ts";
import { openPinnedMap } from "../../src/sys/bpf-map.ts";
import { describe, test } from "../support/bpf-tests.ts";
import { DIRECTOR_OBJECT } from "../support/memory-maps.ts";
import { TestNetwork, type TestNode } from "../support/namespace.ts";
import { echoes, PlaneLab, type PlaneProcess, SERVER, serve, VIP, WEB } from "../support/plane-lab.ts";
import { markKey, serverKey, serverSettings, serviceKey, serviceSettings } from "../support/tables.ts";
import { until } from "../support/until.ts";

describe("the data plane in the kernel", () => {
  test("forwards without any process, and who opens it next finds connections and counts", async () => {
    await using lab = await PlaneLab.start();
    const daemon = lab.process("daemon");
    assert.equal(await daemon.answer(), "open");
    assert.deepEqual(await daemon.call("addService", WEB, serviceSettings()), {});
    assert.deepEqual(await daemon.call("addServer", WEB, SERVER, serverSettings()), {});
    const socket = await lab.connect();
    await echoes(socket, "one");
    await daemon.kill();
    await echoes(socket, "two");
    const plane = lab.open();
    const entry = plane.service(WEB);
    assert.deepEqual([entry?.servers[0]?.active, entry?.counters.connections], [1, 1n]);
    assert.ok((entry?.counters.packetsIn ?? 0n) >= 4n);
    const [connection] = plane.connections();
    assert.deepEqual(connection?.destination, SERVER);
    assert.equal(connection?.state, "ESTABLISHED");
    assert.equal(connection?.client.address, "10.1.0.2");
    assert.ok((connection?.expiresInMs ?? 0) > 890_000 && (connection?.expiresInMs ?? 0) <= 900_000);
    await echoes(await lab.connect(), "three");
    assert.equal(plane.service(WEB)?.counters.connections, 2n);
  });

  test("a second daemon is refused and told who the first is", async () => {
    await using lab = await PlaneLab.start();
    const first = lab.process("daemon");
    assert.equal(await first.answer(), "open");
    assert.throws(
      () => lab.open({ role: "daemon" }),
      (error) =>
        error instanceof PlaneUnavailable &&
        error.reason === "held" &&
        /process \d+ runs as the director/.test(error.message),
    );
    await first.kill();
    lab.open({ role: "daemon" });
  });

  test("two processes that change it at once lose nothing", async () => {
    await using lab = await PlaneLab.start();
    const plane = lab.open();
    lab.within(() => plane.addService(WEB, serviceSettings()));
    const [a, b] = [lab.process("command"), lab.process("command")];
    await Promise.all([a.answer(), b.answer()]);
    const add = async (process: PlaneProcess, net: number) => {
      for (let host = 1; host <= 40; host++) {
        const key = serverKey(`10.${net}.0.${host}`, 80);
        assert.deepEqual(await process.call("addServer", WEB, key, serverSettings()), {});
      }
    };
    await Promise.all([add(a, 3), add(b, 4)]);
    const servers = plane.service(WEB)?.servers ?? [];
    assert.equal(new Set(servers.map(({ key }) => key.address)).size, 80);
  });

  test("another object with the same layout takes over under traffic", async () => {
    await using lab = await PlaneLab.start();
    const plane = lab.open();
    serve(lab, plane);
    lab.within(() => plane.setTimeouts({ tcp: 3, tcpFin: 0, udp: 0 }));
    // Its rules are pinned beside the layouts.
    lab.within(() => plane.addService(markKey(5), serviceSettings()));
    const socket = await lab.connect();
    await echoes(socket, "before");
    const folder = mkdtempSync(join(tmpdir(), "ek-object-"));
    try {
      const object = join(folder, "director.bpf.o");
      copyFileSync(DIRECTOR_OBJECT, object);
      // Sections are found by the header, so what follows the last one changes nothing but the object's hash.
      appendFileSync(object, "\n");
      const said: string[] = [];
      const upgraded = lab.open({ object, say: (text) => said.push(text) });
      assert.deepEqual(said, ["the data plane has been upgraded; its connections go on"]);
      await echoes(socket, "after");
      assert.equal(upgraded.service(WEB)?.counters.connections, 1n);
      await echoes(await lab.connect(), "new");
      assert.equal(upgraded.service(WEB)?.servers[0]?.active, 2);
      assert.deepEqual(said.length, 1);
      await until("both connections have ended", () => upgraded.table().connections === 0);
      assert.deepEqual([...upgraded.connections()], []);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("connections end although what turns their wheel was lost and no other packet comes", async () => {
    await using lab = await PlaneLab.start();
    const plane = lab.open();
    serve(lab, plane);
    lab.within(() => plane.setTimeouts({ tcp: 1, tcpFin: 0, udp: 0 }));
    await echoes(await lab.connect(), "the last");
    const wheel = openPinnedMap(lab.map("wheel"));
    // Takes the timer away.
    wheel.update(numberKey(0), new Uint8Array(wheel.information.valueBytes));
    wheel.close();
    assert.equal(plane.table().connections, 1);
    const daemon = lab.process("daemon");
    assert.equal(await daemon.answer(), "open");
    await until("it has ended", () => plane.table().connections === 0);
  });

  test("from another layout services and servers are copied", async () => {
    await using lab = await PlaneLab.start();
    const plane = lab.open();
    serve(lab, plane);
    lab.within(() => plane.setTimeouts({ tcp: 77, tcpFin: 0, udp: 0 }));
    const [cookie = ""] = lab.pins();
    const root = join(lab.folder, "bpf", cookie, "director");
    const layout = readdirSync(root).find((name) => name !== "links") ?? "";
    renameSync(join(root, layout), join(root, "older"));
    const beside = (name: string) => join(lab.folder, `plane-${cookie}.layout-${name}`);
    renameSync(beside(layout), beside("older"));
    const said: string[] = [];
    const copied = lab.open({ say: (text) => said.push(text) });
    assert.match(said.join(), /another version has been replaced: 1 services were copied/);
    assert.deepEqual(copied.service(WEB)?.servers[0]?.key, SERVER);
    assert.equal(copied.timeouts().tcp, 77);
    assert.deepEqual(readdirSync(root).sort(), [layout, "links"].sort());
    await echoes(await lab.connect(), "on the new maps");
  });

  test("-C leaves nothing behind, and the next command starts afresh", async () => {
    await using lab = await PlaneLab.start();
    const sysctl = () => lab.within(() => readFileSync("/proc/sys/net/ipv4/conf/lo/forwarding", "utf8").trim());
    const rules = await lab.director.ipJson("rule", "show");
    const before = sysctl();
    const plane = lab.open();
    serve(lab, plane);
    lab.within(() => plane.addService(markKey(5), serviceSettings()));
    assert.equal(sysctl(), "1");
    assert.notDeepEqual(await lab.director.ipJson("rule", "show"), rules);
    lab.within(() => plane.flush());
    lab.within(() => plane.close());
    assert.deepEqual(lab.pins(), []);
    assert.equal(sysctl(), before);
    assert.deepEqual(await lab.director.ipJson("rule", "show"), rules);
    assert.deepEqual((await lab.director.ipJson("route", "show", "table", "17739")).length, 0);
    assert.deepEqual(lab.open().services(), []);
  });

  test("-C ends all connections, so that nothing of them counts when the same services are made again", async () => {
    await using lab = await PlaneLab.start();
    const plane = lab.open();
    serve(lab, plane);
    lab.within(() => plane.setTimeouts({ tcp: 77, tcpFin: 0, udp: 0 }));
    const idle = await lab.connect();
    await echoes(idle, "hello");
    const reset = new Promise<NodeJS.ErrnoException>((resolve) => idle.once("error", resolve));
    lab.within(() => plane.flush());
    assert.deepEqual(lab.pins(), []);
    assert.equal((await reset).code, "ECONNRESET");
    serve(lab, plane);
    const [server] = plane.service(WEB)?.servers ?? [];
    assert.deepEqual([plane.table().connections, server?.active, server?.counters.connections], [0, 0, 0n]);
    assert.equal(plane.timeouts().tcp, 77, "IPVS's -C leaves them too");
    await echoes(await lab.connect(), "served again");
  });

  test("-C leaves connections that their service keeps, and those of a plane that a daemon holds", async () => {
    await using lab = await PlaneLab.start();
    const plane = lab.open();
    lab.within(() => plane.addService(WEB, serviceSettings({ onServerDown: "keep" })));
    lab.within(() => plane.addServer(WEB, SERVER, serverSettings()));
    const kept = await lab.connect();
    await echoes(kept, "hello");
    lab.within(() => plane.flush());
    assert.equal(plane.table().connections, 1);
    // Those of a server that went before still count on it.
    lab.within(() => plane.flush());
    lab.within(() => plane.addService(WEB, serviceSettings({ onServerDown: "keep" })));
    lab.within(() => plane.addServer(WEB, SERVER, serverSettings()));
    await echoes(kept, "goes on");
    const daemon = lab.process("daemon");
    assert.equal(await daemon.answer(), "open");
    lab.within(() => plane.editService(WEB, serviceSettings({ onServerDown: "reset" })));
    lab.within(() => plane.flush());
    assert.equal(lab.pins().length, 1);
    assert.equal(plane.services().length, 0);
  });

  test("clear ends what a daemon holds, kept connections and time-outs too, and it goes on with an empty plane", async () => {
    await using lab = await PlaneLab.start();
    const plane = lab.open({ role: "daemon" });
    lab.within(() => plane.addService(WEB, serviceSettings({ onServerDown: "keep" })));
    lab.within(() => plane.addServer(WEB, SERVER, serverSettings()));
    lab.within(() => plane.setTimeouts({ tcp: 77, tcpFin: 0, udp: 0 }));
    await echoes(await lab.connect(), "hello");
    lab.within(() => plane.clear());
    assert.deepEqual(lab.pins(), []);
    serve(lab, plane);
    assert.deepEqual([plane.table().connections, plane.timeouts().tcp], [0, 900]);
    await echoes(await lab.connect(), "served again");
  });

  test("a command that found nothing in use does not take the plane from under another's feet", async () => {
    await using lab = await PlaneLab.start();
    const plane = lab.open();
    lab.open().close();
    assert.deepEqual(lab.pins(), []);
    serve(lab, plane);
    assert.equal(lab.open().services().length, 1);
    await echoes(await lab.connect(), "served");
  });

  test("who loads a plane removes those whose network namespace is gone, and those that nobody uses, and no others", async () => {
    await using lab = await PlaneLab.start();
    const other = await lab.second();
    const passing = new TestNetwork();
    const node = await passing.node("passing");
    const openIn = (where: TestNode) => where.within(() => openPlane({ role: "command", capacity: 256 }));
    const gone = openIn(node);
    node.within(() => gone.addService(WEB, serviceSettings()));
    gone.close();
    const [cookie = ""] = lab.pins();
    const used = openIn(other);
    other.within(() => used.addService(WEB, serviceSettings()));
    const [kept] = lab.pins().filter((name) => name !== cookie);
    await passing[Symbol.asyncDispose]();
    const link = join(lab.folder, "bpf", cookie, "director", "links", "ingress1");
    await until("the kernel has taken the namespace away", () => linkedInterface(link) === 0);
    const said: string[] = [];
    // Not closed: neither services nor connections are in it, and nobody would miss them.
    const unused = lab.open({ say: (text) => said.push(text) });
    assert.deepEqual(said, [`the data plane of network namespace ${cookie}, which is gone, has been removed`]);
    assert.equal(lab.pins().includes(cookie), false);
    assert.deepEqual(
      readdirSync(lab.folder).filter((name) => name.includes(cookie)),
      [],
    );
    assert.equal(lab.pins().length, 2);
    openIn(lab.client).close();
    assert.deepEqual(lab.pins(), [kept]);
    serve(lab, unused);
    await echoes(await lab.connect(), "made again");
    assert.equal(used.services().length, 1);
    other.within(() => used.clear());
    used.close();
  });

  test("all tables of connections grow with the size that is asked for", async () => {
    await using lab = await PlaneLab.start();
    lab.open({ capacity: 2048 });
    const sizes = ["connections4", "connections6", "replies4", "replies6", "tokens4", "tokens6"].map((name) => {
      const map = openPinnedMap(lab.map(name));
      map.close();
      return map.information.maxEntries;
    });
    assert.deepEqual(sizes, [2048, 2048, 2048, 2048, 4096, 4096]);
  });

  test("shorter time-outs count for connections that are there, idle or not; longer ones too", async () => {
    await using lab = await PlaneLab.start();
    const plane = lab.open();
    serve(lab, plane);
    const talking = await lab.connect();
    await echoes(talking, "one");
    await echoes(await lab.connect(), "the other");
    lab.within(() => plane.setTimeouts({ tcp: 2, tcpFin: 0, udp: 0 }));
    let said = 0;
    await until("the idle one has ended", async () => {
      await echoes(talking, `${said++}`);
      return plane.table().connections === 1;
    });
    assert.equal(plane.service(WEB)?.servers[0]?.active, 1);
    lab.within(() => plane.setTimeouts({ tcp: 900, tcpFin: 0, udp: 0 }));
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    await echoes(talking, "goes on");
    assert.equal(plane.table().connections, 1);
  });

  test("interfaces that appear later forward after attachMissing", async () => {
    await using lab = await PlaneLab.start();
    const plane = lab.open();
    serve(lab, plane);
    const late = await lab.network.node("late");
    await lab.network.link(
      { node: late, interface: "eth0", addresses: ["10.3.0.2/24"] },
      { node: lab.director, interface: "eth2", addresses: ["10.3.0.1/24"] },
    );
    await late.run("ip", "route", "add", "default", "via", "10.3.0.1");
    lab.within(() => plane.attachMissing());
    await echoes(await lab.connect(80, late), "late");
  });

  test("clients who only wait learn that their server is gone", async () => {
    await using lab = await PlaneLab.start();
    const plane = lab.open();
    serve(lab, plane);
    const socket = await lab.connect();
    await echoes(socket, "hello");
    const failed = new Promise<NodeJS.ErrnoException>((resolve) => socket.once("error", resolve));
    lab.within(() => plane.deleteServer(WEB, SERVER));
    assert.equal((await failed).code, "ECONNRESET");
  });

  test("the balancer's own connections to its service reach the real server", async () => {
    await using lab = await PlaneLab.start();
    const plane = lab.open();
    serve(lab, plane);
    await echoes(await lab.connect(80, lab.director), "by the balancer");
    const [one] = [...plane.connections()];
    assert.deepEqual([one?.client.address, one?.state, one?.destination], [VIP, "ESTABLISHED", SERVER]);
  });

  test("what leaves is seen only while a service needs it: an address elsewhere, or a NAT server on the machine", async () => {
    await using lab = await PlaneLab.start();
    const plane = lab.open();
    const outward = () =>
      readdirSync(lab.folder, { recursive: true, encoding: "utf8" }).filter((path) => /\/links\/egress\d+$/.test(path));
    serve(lab, plane);
    assert.deepEqual(outward(), []);
    const elsewhere = serviceKey("10.9.0.2", 80);
    lab.within(() => plane.addService(elsewhere, serviceSettings()));
    assert.equal(outward().length, 2, "of eth0 and eth1, not of lo");
    await lab.director.run("ip", "addr", "add", "10.9.0.2/32", "dev", "lo");
    lab.within(() => plane.attachMissing());
    assert.deepEqual(outward(), []);
    lab.within(() => plane.addServer(elsewhere, serverKey("10.1.0.1", 8080), serverSettings({ method: "nat" })));
    assert.equal(outward().length, 2);
  });

  test("packets with a firewall mark reach its service", async () => {
    await using lab = await PlaneLab.start();
    // Of the interface where they come in; that of the machine may stay off.
    await lab.director.run("sysctl", "-qw", "net.ipv4.conf.eth0.forwarding=1");
    await lab.director.run("nft", "add table ip t");
    await lab.director.run("nft", "add chain ip t c { type filter hook prerouting priority mangle; }");
    await lab.director.run("nft", "add rule ip t c tcp dport { 81, 82 } mark set 5");
    const said: string[] = [];
    const plane = lab.open({ say: (text) => said.push(text) });
    lab.within(() => {
      plane.addService(markKey(5), serviceSettings());
      plane.addServer(markKey(5), SERVER, serverSettings());
    });
    assert.deepEqual(said, []);
    for (const port of [81, 82]) await echoes(await lab.connect(port), `by port ${port}`);
    assert.equal(plane.service(markKey(5))?.counters.connections, 2n);
  });

  test("what services by mark lack is said when the first of them is made, and not again", async () => {
    await using lab = await PlaneLab.start();
    const said: string[] = [];
    const six = () => said.filter((text) => text.includes("IPv6 firewall mark")).length;
    const plane = lab.open({ say: (text) => said.push(text) });
    lab.within(() => plane.addService(markKey(5), serviceSettings()));
    assert.equal(said.length, 1);
    assert.match(said[0] ?? "", /net\.ipv4\.conf\.INTERFACE\.forwarding=1/);
    lab.within(() => {
      plane.addService(markKey(6, 6), serviceSettings({ netmaskBits: 128 }));
      plane.addServer(markKey(5), SERVER, serverSettings());
      plane.addService(markKey(7), serviceSettings());
    });
    assert.deepEqual([said.length, six()], [2, 1]);
    assert.match(said[1] ?? "", /^packets with an IPv6 firewall mark .* tcx program that comes first/);
    lab.within(() => {
      plane.deleteService(markKey(6, 6));
      plane.addService(markKey(6, 6), serviceSettings({ netmaskBits: 128 }));
    });
    assert.equal(six(), 2);
    lab.within(() => plane.flush());
    lab.within(() => plane.close());
    assert.deepEqual(lab.pins(), []);
  });
});
