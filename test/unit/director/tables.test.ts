import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { currentCursor, encodeCursor } from "../../../src/balance/ipvs/cursor.ts";
import { numberKey } from "../../../src/director/layouts.ts";
import { PlaneError } from "../../../src/director/plane.ts";
import { memoryMaps } from "../../support/memory-maps.ts";
import { markKey, openTables, serverKey, serverSettings, serviceKey, serviceSettings } from "../../support/tables.ts";

const refused = (code: string) => (error: unknown) => error instanceof PlaneError && error.code === code;
const WEB = serviceKey("10.0.0.1", 80);
const A = serverKey("10.1.0.1", 80);
const B = serverKey("10.1.0.2", 80);
const C = serverKey("10.1.0.3", 80);

describe("services", () => {
  test("a service is listed with everything that was said of it", () => {
    const { tables, again } = openTables();
    const settings = serviceSettings({
      scheduler: "sh",
      persistence: 360,
      netmaskBits: 24,
      onePacket: true,
      flags: { fallback: true, port: false, flag3: true },
      onServerDown: "keep",
      owner: "daemon",
    });
    tables.addService(WEB, settings);
    assert.deepEqual(tables.services(), again().services());
    const [entry] = again().services();
    assert.deepEqual(entry?.key, WEB);
    assert.deepEqual(entry?.settings, settings);
    assert.deepEqual(entry?.servers, []);
    assert.equal(entry?.noDestination, 0n);
  });

  test("IPv6 services, marks and UDP are services of their own", () => {
    const { tables } = openTables();
    const keys = [WEB, serviceKey("10.0.0.1", 80, "udp"), serviceKey("2001:db8::1", 80), markKey(7), markKey(7, 6)];
    for (const key of keys) tables.addService(key, serviceSettings({ netmaskBits: 32 }));
    assert.deepEqual(
      tables.services().map(({ key }) => key),
      keys,
    );
  });

  test("a service that is there already is refused with EEXIST, one that is not with ESRCH", () => {
    const { tables } = openTables();
    tables.addService(WEB, serviceSettings());
    assert.throws(() => tables.addService(WEB, serviceSettings()), refused("EEXIST"));
    const other = serviceKey("10.0.0.2", 80);
    assert.throws(() => tables.editService(other, serviceSettings()), refused("ESRCH"));
    assert.throws(() => tables.deleteService(other), refused("ESRCH"));
    assert.throws(() => tables.zero(other), refused("ESRCH"));
    assert.throws(() => tables.addServer(other, A, serverSettings()), refused("ESRCH"));
    assert.equal(tables.service(other), undefined);
  });

  test("what cannot be is refused: netmasks, marks, schedulers", () => {
    const { tables } = openTables();
    assert.throws(() => tables.addService(WEB, serviceSettings({ netmaskBits: 33 })), refused("EINVAL"));
    assert.throws(() => tables.addService(markKey(0), serviceSettings()), refused("EINVAL"));
    assert.throws(() => tables.addService(WEB, serviceSettings({ scheduler: "best" as never })), refused("ENOENT"));
    assert.deepEqual(tables.services(), []);
  });

  test("more services than there is room for are refused with ENOMEM, and what is there stays", () => {
    const { tables } = openTables({ services: 2, service_states: 2 });
    tables.addService(WEB, serviceSettings());
    tables.addService(serviceKey("10.0.0.2", 80), serviceSettings());
    assert.throws(() => tables.addService(serviceKey("10.0.0.3", 80), serviceSettings()), refused("ENOMEM"));
    assert.equal(tables.services().length, 2);
    tables.deleteService(WEB);
    tables.addService(serviceKey("10.0.0.3", 80), serviceSettings());
    assert.equal(tables.services().length, 2);
  });
});

describe("real servers", () => {
  test("the newest comes first, and an edit leaves it where it is", () => {
    const { tables } = openTables();
    tables.addService(WEB, serviceSettings());
    for (const key of [A, B, C]) tables.addServer(WEB, key, serverSettings());
    tables.editServer(WEB, B, serverSettings({ weight: 5, upperThreshold: 100 }));
    const servers = tables.service(WEB)?.servers ?? [];
    assert.deepEqual(
      servers.map(({ key }) => key),
      [C, B, A],
    );
    assert.equal(servers[1]?.settings.weight, 5);
    assert.equal(servers[1]?.settings.upperThreshold, 100);
  });

  test("one that is there already is refused with EEXIST, one that is not with ENOENT", () => {
    const { tables } = openTables();
    tables.addService(WEB, serviceSettings());
    tables.addServer(WEB, A, serverSettings());
    assert.throws(() => tables.addServer(WEB, A, serverSettings()), refused("EEXIST"));
    assert.throws(() => tables.editServer(WEB, B, serverSettings()), refused("ENOENT"));
    assert.throws(() => tables.deleteServer(WEB, B), refused("ENOENT"));
  });

  test("DR and TUN take the service's port; NAT and services by mark keep the server's", () => {
    const { tables } = openTables();
    tables.addService(WEB, serviceSettings());
    tables.addService(markKey(1), serviceSettings());
    tables.addServer(WEB, serverKey("10.1.0.1", 8080), serverSettings({ method: "dr" }));
    tables.addServer(WEB, serverKey("10.1.0.1", 8080), serverSettings({ method: "nat" }));
    tables.addServer(markKey(1), serverKey("10.1.0.1", 8080), serverSettings({ method: "dr" }));
    const ports = (key: Parameters<typeof tables.service>[0]) =>
      tables.service(key)?.servers.map((each) => each.key.port);
    assert.deepEqual(ports(WEB), [8080, 80]);
    assert.deepEqual(ports(markKey(1)), [8080]);
    tables.editServer(WEB, serverKey("10.1.0.1", 1), serverSettings({ method: "tun", weight: 9 }));
    assert.equal(tables.service(WEB)?.servers[1]?.settings.weight, 9);
  });

  test("weights and thresholds out of range are refused with ERANGE, strange addresses with EINVAL", () => {
    const { tables } = openTables();
    tables.addService(WEB, serviceSettings());
    const add = (address: string, change: Parameters<typeof serverSettings>[0]) => () =>
      tables.addServer(WEB, serverKey(address, 80), serverSettings(change));
    assert.throws(add("10.1.0.1", { weight: -1 }), refused("ERANGE"));
    assert.throws(add("10.1.0.1", { upperThreshold: 1, lowerThreshold: 2 }), refused("ERANGE"));
    assert.throws(add("224.0.0.1", {}), refused("EINVAL"));
    assert.throws(add("0.0.0.0", {}), refused("EINVAL"));
    assert.throws(add("2001:db8::1", { method: "dr" }), refused("EINVAL"));
    add("2001:db8::1", { method: "tun" })();
    assert.throws(
      add("2001:db8::2", { method: "tun", tunnel: { type: "gue", port: 0, checksum: "none" } }),
      refused("EINVAL"),
    );
    assert.equal(tables.service(WEB)?.servers.length, 1);
  });

  test("a lower threshold that was not given is shown as 0 and counts as three quarters of the upper one", () => {
    const { tables, maps, decodeServer } = openTables();
    tables.addService(WEB, serviceSettings());
    tables.addServer(WEB, A, serverSettings({ upperThreshold: 100 }));
    assert.equal(tables.service(WEB)?.servers[0]?.settings.lowerThreshold, 0);
    const counted = () => decodeServer(maps.servers.lookup(numberKey(0))).lower_threshold;
    assert.equal(counted(), 75);
    // Below 2.25 there is 2, below 0.75 there is 0.
    for (const [upper, lower] of [
      [3, 3],
      [1, 1],
      [4, 3],
    ] as const) {
      tables.editServer(WEB, A, serverSettings({ upperThreshold: upper }));
      assert.equal(counted(), lower);
    }
    tables.editServer(WEB, A, serverSettings({ upperThreshold: 100, lowerThreshold: 75 }));
    assert.equal(tables.service(WEB)?.servers[0]?.settings.lowerThreshold, 75);
  });

  test("replacing the list keeps who stays, with number and connections, and is refused as a whole", () => {
    const { tables, connect, again } = openTables();
    tables.addService(WEB, serviceSettings());
    for (const key of [A, B]) tables.addServer(WEB, key, serverSettings());
    connect(1, { active: 3 });
    const spec = (key: typeof A, weight = 1) => ({ key, settings: serverSettings({ weight }) });
    assert.throws(() => tables.replaceServers(WEB, [spec(C), spec(B, 7), spec(C)]), refused("EEXIST"));
    assert.throws(() => tables.replaceServers(WEB, [spec(C), spec(B, -7)]), refused("ERANGE"));
    assert.deepEqual(
      tables.service(WEB)?.servers.map(({ key }) => key),
      [B, A],
    );
    tables.replaceServers(WEB, [spec(C), spec(B, 7)]);
    const servers = tables.service(WEB)?.servers ?? [];
    assert.deepEqual(
      servers.map(({ key, active, settings }) => [key, active, settings.weight]),
      [
        [C, 0, 1],
        [B, 3, 7],
      ],
    );
    assert.deepEqual(again().services(), tables.services());
  });

  test("no room for a list: nothing was changed", () => {
    const { tables } = openTables({ lists: 5 });
    tables.addService(WEB, serviceSettings({ scheduler: "dh" }));
    // The table of dh has 4 chunks, a list 1: the first server needs 5 beside the 4 that are in use.
    assert.throws(() => tables.addServer(WEB, A, serverSettings()), refused("ENOMEM"));
    assert.deepEqual(tables.service(WEB)?.servers, []);
    tables.editService(WEB, serviceSettings({ scheduler: "rr" }));
    tables.addServer(WEB, A, serverSettings());
    assert.equal(tables.service(WEB)?.servers.length, 1);
  });
});

describe("numbers of servers", () => {
  test("a deleted server keeps its number while it has connections, and takes it back with its counters", () => {
    const { tables, maps, connect, count, decodeServer, gone } = openTables({ servers: 2 });
    tables.addService(WEB, serviceSettings({ onServerDown: "move" }));
    tables.addServer(WEB, A, serverSettings());
    connect(0, { active: 1 });
    count(0, { connections: 1n, bytes_in: 100n });
    tables.deleteServer(WEB, A);
    assert.deepEqual(gone, [A]);
    const left = decodeServer(maps.servers.lookup(numberKey(0)));
    assert.equal(left.flags & 3, 2);
    assert.equal(left.on_server_down, 1);
    tables.addServer(WEB, B, serverSettings());
    assert.throws(() => tables.addServer(WEB, C, serverSettings()), refused("ENOMEM"));
    tables.addServer(WEB, A, serverSettings());
    const [first] = tables.service(WEB)?.servers ?? [];
    assert.deepEqual([first?.key, first?.active, first?.counters.bytesIn], [A, 1, 100n]);
    assert.equal(decodeServer(maps.servers.lookup(numberKey(0))).flags & 3, 1);
  });

  test("a number is given out anew when nothing refers to it, and its service keeps what it had counted", () => {
    const { tables, connect, count, settled } = openTables({ servers: 1 });
    tables.addService(WEB, serviceSettings());
    tables.addServer(WEB, A, serverSettings());
    connect(0, { inactive: 1 });
    count(0, { connections: 4n, packets_in: 9n });
    tables.deleteServer(WEB, A);
    assert.throws(() => tables.addServer(WEB, B, serverSettings()), refused("ENOMEM"));
    connect(0, {});
    const before = settled();
    tables.addServer(WEB, B, serverSettings());
    assert.ok(settled() > before, "programs that were under way may still have chosen the old server");
    const entry = tables.service(WEB);
    assert.equal(entry?.servers[0]?.counters.connections, 0n);
    assert.equal(entry?.counters.connections, 4n);
    assert.equal(entry?.counters.packetsIn, 9n);
  });

  test("where no server is gone, one too many is refused at once", () => {
    const { tables, settled } = openTables({ servers: 1 });
    tables.addService(WEB, serviceSettings());
    tables.addServer(WEB, A, serverSettings());
    const before = settled();
    assert.throws(() => tables.addServer(WEB, B, serverSettings()), refused("ENOMEM"));
    assert.equal(settled(), before);
  });

  test("two minutes after a server went its number is free, unless it has connections", () => {
    const { tables, maps, connect, pass, decodeServer } = openTables();
    tables.addService(WEB, serviceSettings());
    for (const key of [A, B]) tables.addServer(WEB, key, serverSettings());
    connect(1, { persistent: 1 });
    for (const key of [A, B]) tables.deleteServer(WEB, key);
    const flags = () => [0, 1].map((number) => decodeServer(maps.servers.lookup(numberKey(number))).flags & 3);
    pass(119);
    tables.editService(WEB, serviceSettings());
    assert.deepEqual(flags(), [2, 2]);
    pass(12);
    tables.editService(WEB, serviceSettings());
    assert.deepEqual(flags(), [0, 2]);
  });

  test("a service that comes back has its servers' numbers and has counted nothing", () => {
    const { tables, connect, count } = openTables();
    tables.addService(WEB, serviceSettings());
    tables.addServer(WEB, A, serverSettings());
    connect(0, { active: 2 });
    count(0, { connections: 2n });
    tables.deleteService(WEB);
    tables.addService(serviceKey("10.0.0.9", 80), serviceSettings());
    tables.addServer(serviceKey("10.0.0.9", 80), A, serverSettings());
    tables.addService(WEB, serviceSettings());
    tables.addServer(WEB, A, serverSettings());
    const entry = tables.service(WEB);
    assert.deepEqual([entry?.servers[0]?.active, entry?.servers[0]?.counters.connections], [2, 0n]);
    assert.equal(entry?.counters.connections, 0n);
    count(0, { connections: 5n });
    assert.equal(tables.service(WEB)?.counters.connections, 3n);
  });
});

describe("where rr stands", () => {
  test("a service does not take over the cursor of one that had its number, not even from a program under way", () => {
    for (const again of [WEB, serviceKey("10.0.0.9", 80)]) {
      const { tables, maps, layouts, pass } = openTables();
      const decode = (value: Uint8Array | undefined) => layouts.service.decode(value ?? new Uint8Array());
      const serve = (key: typeof WEB) => {
        tables.addService(key, serviceSettings({ scheduler: "rr" }));
        for (const server of [A, B, C]) tables.addServer(key, server, serverSettings());
        return decode(maps.services.entries().next().value?.[1]);
      };
      const first = serve(WEB);
      const left = layouts.serviceState.encode({
        cursor: encodeCursor({ position: 2, weight: 0 }, first.generation),
        no_destination: 5n,
      });
      maps.service_states.update(numberKey(first.number), left);
      tables.flush();
      pass(131);
      const second = serve(again);
      assert.equal(second.number, first.number);
      assert.equal(tables.service(again)?.noDestination, 0n);
      maps.service_states.update(numberKey(first.number), left);
      const cursor = layouts.serviceState.decode(left).cursor;
      assert.deepEqual(currentCursor(second, cursor), { position: 0, weight: 0 });
    }
  });
});

describe("counters", () => {
  test("a service has what its servers counted on all processors, those that were removed included", () => {
    const { tables, count } = openTables();
    tables.addService(WEB, serviceSettings());
    for (const key of [A, B]) tables.addServer(WEB, key, serverSettings());
    count(0, { connections: 1n, bytes_out: 10n }, 0);
    count(0, { connections: 2n, bytes_out: 20n }, 1);
    count(1, { connections: 5n });
    tables.deleteServer(WEB, A);
    const entry = tables.service(WEB);
    assert.equal(entry?.counters.connections, 8n);
    assert.equal(entry?.counters.bytesOut, 30n);
    assert.equal(entry?.servers[0]?.counters.connections, 5n);
  });

  test("-Z subtracts what was there, for whoever looks later, and zeroes the rates", () => {
    const { tables, count, rate, again } = openTables();
    tables.addService(WEB, serviceSettings());
    tables.addServer(WEB, A, serverSettings());
    count(0, { connections: 7n });
    rate(0, { connections: 2048n, bytes_in: 320n });
    assert.deepEqual([tables.service(WEB)?.rates.connections, tables.service(WEB)?.rates.bytesIn], [2n, 10n]);
    tables.zero(WEB);
    count(0, { connections: 9n });
    const entry = again().service(WEB);
    assert.equal(entry?.counters.connections, 2n);
    assert.equal(entry?.servers[0]?.counters.connections, 2n);
    assert.equal(entry?.servers[0]?.rates.connections, 0n);
  });
});

describe("several who have the plane open", () => {
  test("each sees what the other did, and a list is written beside the one in use", () => {
    const { tables, again } = openTables();
    const other = again();
    tables.addService(WEB, serviceSettings());
    other.addServer(WEB, A, serverSettings());
    tables.addServer(WEB, B, serverSettings());
    other.deleteServer(WEB, A);
    assert.deepEqual(tables.services(), other.services());
    assert.deepEqual(
      tables.service(WEB)?.servers.map(({ key }) => key),
      [B],
    );
  });

  test("a process that was killed between server and list leaves a server that has gone", () => {
    const { tables, maps, again, decodeServer } = openTables();
    tables.addService(WEB, serviceSettings());
    const services = maps.services.entries().next().value;
    tables.addServer(WEB, A, serverSettings());
    // As it was before the last step.
    if (services !== undefined) maps.services.update(services[0], services[1]);
    const other = again();
    assert.deepEqual(other.service(WEB)?.servers, []);
    assert.equal(decodeServer(maps.servers.lookup(numberKey(0))).flags & 3, 2);
    other.addServer(WEB, A, serverSettings());
    assert.equal(other.service(WEB)?.servers.length, 1);
  });
});

describe("what the programs are told", () => {
  test("time-outs are IPVS's, --set changes three of them, and 0 keeps what is", () => {
    const { tables } = openTables();
    assert.deepEqual(tables.timeouts(), { tcp: 900, tcpFin: 120, udp: 300 });
    tables.setTimeouts({ tcp: 0, tcpFin: 30, udp: 10 });
    assert.deepEqual(tables.timeouts(), { tcp: 900, tcpFin: 30, udp: 10 });
    assert.throws(() => tables.setTimeouts({ tcp: -1, tcpFin: 0, udp: 0 }), refused("EINVAL"));
  });

  test("ways that nobody needs are switched off", () => {
    const { tables, features } = openTables();
    assert.deepEqual(features(), []);
    tables.addService(markKey(1), serviceSettings());
    tables.addServer(markKey(1), A, serverSettings({ method: "nat" }));
    tables.addService(serviceKey("10.0.0.1", 0), serviceSettings({ persistence: 300 }));
    assert.deepEqual(features(), ["services", "nat", "mark", "any_port"]);
    tables.deleteService(markKey(1));
    tables.deleteService(serviceKey("10.0.0.1", 0));
    // Its server may have connections yet.
    assert.deepEqual(features(), ["services", "nat"]);
  });

  test("a server whose address is this machine's is marked as local, also when the address comes later", () => {
    const { tables, maps, locals, decodeServer } = openTables();
    tables.addService(WEB, serviceSettings());
    locals.add("10.1.0.1");
    for (const key of [A, B]) tables.addServer(WEB, key, serverSettings());
    const local = () => [0, 1].map((number) => decodeServer(maps.servers.lookup(numberKey(number))).flags & 8);
    assert.deepEqual(local(), [8, 0]);
    locals.delete("10.1.0.1");
    locals.add("10.1.0.2");
    tables.readdress();
    assert.deepEqual(local(), [0, 8]);
  });

  test("the tables of sh, dh and mh hold the servers' numbers", () => {
    for (const [scheduler, size] of [
      ["sh", 256],
      ["dh", 256],
      ["mh", 4093],
    ] as const) {
      const { tables, slots } = openTables({ lists: 512 });
      tables.addService(WEB, serviceSettings({ scheduler }));
      for (const key of [A, B]) tables.addServer(WEB, key, serverSettings());
      const table = slots("table");
      assert.equal(table.length, size);
      assert.deepEqual(new Set(table), new Set([0, 1]));
      tables.editServer(WEB, A, serverSettings({ weight: 3 }));
      const share = slots("table").filter((number) => number === 0).length / size;
      assert.equal(share > 0.7 && share < 0.8, scheduler !== "dh");
      tables.deleteServer(WEB, A);
      assert.deepEqual(new Set(slots("table")), new Set([1]));
    }
  });

  test("the list holds the servers' numbers in scheduling order, over as many chunks as it takes", () => {
    const { tables, slots } = openTables({ servers: 200, server_states: 200, counters: 400, rates: 200, routes: 200 });
    tables.addService(WEB, serviceSettings());
    const spec = (index: number) => ({ key: serverKey(`10.2.0.${index + 1}`, 80), settings: serverSettings() });
    tables.replaceServers(
      WEB,
      Array.from({ length: 150 }, (_, index) => spec(index)),
    );
    assert.deepEqual(
      slots("list"),
      Array.from({ length: 150 }, (_, index) => index),
    );
  });
});

test("memory says no where the kernel would", () => {
  const { maps } = memoryMaps({ services: 1 });
  assert.throws(() => maps.servers.delete(numberKey(0)));
  assert.throws(() => maps.servers.update(numberKey(64), new Uint8Array(maps.servers.information.valueBytes)));
  assert.throws(() => maps.services.lookup(numberKey(0)));
});
