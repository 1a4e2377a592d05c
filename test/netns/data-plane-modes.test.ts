/**
 * Whole TCP and UDP flows through the data plane in every mode and mix of families, under the conditions that have broken
 * such programs: checksums and segments that are left to the device or not (l4.md §4 rows 6, 11), small MTUs (row 12),
 * servers and clients that are the balancer itself (§1.1), and both ways of attaching.
 */

import assert from "node:assert/strict";
import type { OpenedPlane } from "../../src/daemon/plane/open.ts";
import type { ForwardMethod } from "../../src/director/plane.ts";
import { type AttachMethod, preferredMethod } from "../../src/sys/bpf-attach.ts";
import { openPacketSocket } from "../../src/sys/packet-socket.ts";
import { needsBpf } from "../support/bpf.ts";
import { describe, test } from "../support/bpf-tests.ts";
import { type Member, ModesLab, serverAddress, VIP, VIP6 } from "../support/modes-lab.ts";
import { markKey, serverKey, serverSettings, serviceKey, serviceSettings } from "../support/tables.ts";
import { until } from "../support/until.ts";

/** A way from the virtual address to the servers. */
interface Cell {
  readonly name: string;
  readonly method: ForwardMethod;
  readonly family: 4 | 6;
  /** Of the servers' addresses. */
  readonly inner: 4 | 6;
  readonly port: number;
  readonly serverPort: number;
  /** Bytes that the way adds to a packet. */
  readonly overhead: number;
}

const cell = (method: ForwardMethod, family: 4 | 6, inner: 4 | 6, port: number, serverPort = port): Cell => ({
  name: `${method} IPv${family}${family === inner ? "" : ` over IPv${inner}`}`,
  method,
  family,
  inner,
  port,
  serverPort,
  overhead: method === "tun" ? (inner === 4 ? 20 : 40) : 0,
});
const NAT: readonly Cell[] = [cell("nat", 4, 4, 8001, 9000), cell("nat", 6, 6, 8001, 9000)];
const DR: readonly Cell[] = [cell("dr", 4, 4, 8002), cell("dr", 6, 6, 8002)];
const TUN: readonly Cell[] = [
  cell("tun", 4, 4, 8003),
  cell("tun", 6, 6, 8003),
  cell("tun", 4, 6, 8004),
  cell("tun", 6, 4, 8004),
];
const CELLS = [...NAT, ...DR, ...TUN];
const PORTS = [8002, 8003, 8004, 9000];
const MEGABYTE = 1 << 20;
const METHODS: readonly AttachMethod[] =
  needsBpf.skip === false && preferredMethod() === "tcx" ? ["tcx", "clsact"] : ["clsact"];

const vip = (family: 4 | 6) => (family === 4 ? VIP : VIP6);
const clientAddress = (family: 4 | 6) => (family === 4 ? "10.1.0.2" : "fd01::2");
const to = ({ family, port }: Cell) => ({ address: vip(family), port });

function addCell(plane: OpenedPlane, { family, inner, method, port, serverPort }: Cell): void {
  for (const protocol of ["tcp", "udp"] as const) {
    const service = serviceKey(vip(family), port, protocol);
    plane.addService(service, serviceSettings({ scheduler: "rr" }));
    for (const number of [1, 2]) {
      plane.addServer(service, serverKey(serverAddress(number, inner), serverPort), serverSettings({ method }));
    }
  }
}

function openCells(lab: ModesLab, cells: readonly Cell[], options: Parameters<ModesLab["open"]>[0] = {}): OpenedPlane {
  const plane = lab.open(options);
  lab.within(() =>
    plane.exclusively(() => {
      for (const one of cells) addCell(plane, one);
    }),
  );
  return plane;
}

/** Both servers get a flow whole in both directions, and echo datagrams, as from the client itself. */
async function flows(lab: ModesLab, one: Cell, bytes = 2 * MEGABYTE): Promise<void> {
  const { agent } = lab.client;
  const calls = [await agent.transfer(to(one), bytes, bytes), await agent.transfer(to(one), bytes, bytes)];
  calls.push(...(await agent.echo(to(one), [1, 100, 1400])), ...(await agent.echo(to(one), [1400])));
  assert.deepEqual(
    new Set(calls.slice(0, 2).map(({ server }) => server)),
    new Set(["1", "2"]),
    "flows go to both servers",
  );
  for (const { from, samePort } of calls) assert.deepEqual([from, samePort], [clientAddress(one.family), true]);
}

async function checksumErrors(lab: ModesLab): Promise<Record<string, number>[]> {
  return Promise.all([lab.client, ...lab.servers].map(({ agent }) => agent.ask({ do: "checksumErrors" })));
}

async function noChecksumErrors(lab: ModesLab): Promise<void> {
  for (const counters of await checksumErrors(lab)) {
    assert.ok("Tcp:InCsumErrors" in counters && "Udp6InCsumErrors" in counters);
    for (const [name, count] of Object.entries(counters)) assert.equal(count, 0, name);
  }
}

/** Interfaces on the path, by who has them. */
const PATH = { client: ["eth0"], director: ["eth0", "eth1", "eth2"], one: ["eth0"], two: ["eth0"] } as const;

async function offload(lab: ModesLab, who: readonly (keyof typeof PATH)[], ...words: string[]): Promise<void> {
  const nodes = { client: lab.client, director: lab.director, one: lab.servers[0], two: lab.servers[1] };
  if (words.length === 0) return;
  for (const name of who)
    for (const device of PATH[name]) await nodes[name].node.run("ethtool", "-K", device, ...words);
}

const EVERYBODY = ["client", "director", "one", "two"] as const;
const OFF = ["tx", "off", "tso", "off", "gso", "off", "gro", "off"];
const ON = ["tx", "on", "tso", "on", "gso", "on"];
const OFFLOADS: readonly (readonly [string, readonly (keyof typeof PATH)[], readonly string[]])[] = [
  ["as they are", [], []],
  ["with the director's checksum offload off", ["director"], ["tx", "off"]],
  ["with the client's checksum offload off", ["client"], ["tx", "off"]],
  ["with segmentation left to nobody", EVERYBODY, ["tso", "off", "gso", "off", "gro", "off"]],
  ["with all offloads off", EVERYBODY, OFF],
];

describe("flows are whole", () => {
  test("in every mode, whatever is left to the device", async (t) => {
    await using lab = await ModesLab.start(PORTS);
    openCells(lab, CELLS);
    for (const [title, who, words] of OFFLOADS) {
      await offload(lab, who, ...words);
      for (const one of CELLS) await t.test(`${one.name} ${title}`, () => flows(lab, one));
      await t.test(`no checksum was wrong ${title}`, () => noChecksumErrors(lab));
      if (words.length > 0) await offload(lab, who, ...ON);
    }
  });
});

/** Frames that a node gets while `work` is done. */
async function framesAt(member: Member, work: () => Promise<unknown>, isWanted: (frame: Uint8Array) => boolean) {
  const seen: Uint8Array[] = [];
  const socket = member.node.within(() =>
    openPacketSocket({
      interfaceIndex: 0,
      protocol: 3,
      onFrames: (frames) => {
        for (const { bytes, outgoing } of frames) if (!outgoing && isWanted(bytes)) seen.push(Uint8Array.from(bytes));
      },
      onError: (error) => assert.fail(error),
    }),
  );
  try {
    await work();
    await until("the frame", () => seen.length > 0);
    return seen;
  } finally {
    socket.close();
  }
}

const UDP = 17;
const [ICMP, TIME_EXCEEDED] = [1, 11];
const [ICMPV6, TIME_EXCEEDED6] = [58, 3];
const protocolOf = (frame: Uint8Array, family: 4 | 6) =>
  frame[14] === undefined || frame[14] >> 4 !== family ? undefined : family === 4 ? frame[23] : frame[20];
const ttlOf = (frame: Uint8Array, family: 4 | 6) => (family === 4 ? frame[22] : frame[21]);
const icmpType = (frame: Uint8Array, family: 4 | 6) =>
  protocolOf(frame, family) === (family === 4 ? ICMP : ICMPV6) ? frame[family === 4 ? 34 : 54] : undefined;

describe("each packet", () => {
  test("has its TTL lowered by one, or its sender told that it ended", async (t) => {
    await using lab = await ModesLab.start(PORTS);
    openCells(lab, CELLS);
    for (const one of CELLS.filter(({ method }) => method !== "tun")) {
      const { family } = one;
      await t.test(one.name, async () => {
        const frames = await Promise.all(
          lab.servers.map((server) =>
            framesAt(
              server,
              async () => {
                for (let n = 0; n < 2; n++) await lab.client.agent.echo(to(one), [10], { ttl: 40 });
              },
              (frame) => protocolOf(frame, family) === UDP,
            ),
          ),
        );
        for (const frame of frames.flat()) assert.equal(ttlOf(frame, family), 39);
      });
    }
    for (const one of CELLS) {
      const { family } = one;
      await t.test(`${one.name} with a TTL of 1`, async () => {
        const frames = await framesAt(
          lab.client,
          () => assert.rejects(lab.client.agent.echo(to(one), [10], { ttl: 1, patience: 20 })),
          (frame) => icmpType(frame, family) === (family === 4 ? TIME_EXCEEDED : TIME_EXCEEDED6),
        );
        assert.equal(frames.length, 1);
      });
    }
    await noChecksumErrors(lab);
  });

  test("for a service without a usable server is refused at once", async (t) => {
    await using lab = await ModesLab.start([]);
    const plane = lab.open();
    lab.within(() => {
      for (const protocol of ["tcp", "udp"] as const) {
        for (const family of [4, 6] as const)
          plane.addService(serviceKey(vip(family), 80, protocol), serviceSettings());
      }
    });
    for (const [title, who, words] of OFFLOADS.slice(0, 3)) {
      await offload(lab, who, ...words);
      for (const family of [4, 6] as const) {
        await t.test(`IPv${family} ${title}`, async () => {
          const service = { address: vip(family), port: 80 };
          await assert.rejects(lab.client.agent.transfer(service, 1, 1), /ECONNREFUSED/);
          await assert.rejects(lab.client.agent.echo(service, [10]), /ECONNREFUSED/);
        });
      }
      if (words.length > 0) await offload(lab, who, ...ON);
    }
    for (const { key, noDestination } of plane.services()) {
      // Linux forgets an ICMPv6 error that comes while connect(2) is still sending, and sends its SYN once more.
      const repeats = key.kind === "address" && key.protocol === "tcp" && key.address === VIP6;
      assert.ok(repeats ? noDestination >= 3n : noDestination === 3n, `${noDestination}`);
    }
    await noChecksumErrors(lab);
  });
});

test("NAT keeps the sums that a device has made of frames for servers of the director itself", async (t) => {
  await using lab = await ModesLab.start([], { real: false });
  // Out of a tunnel with checksums packets come with the sum of their bytes (CHECKSUM_COMPLETE), as some devices give it.
  await offload(lab, ["client"], "tx", "off");
  for (const [{ node }, own, other] of [
    [lab.client, 2, 1],
    [lab.director, 1, 2],
  ] as const) {
    const ends = ["remote", `10.1.0.${other}`, "local", `10.1.0.${own}`];
    await node.run("ip", "link", "add", "vx0", "type", "vxlan", "id", "5", ...ends, "dstport", "4789", "udpcsum");
    for (const address of [`10.6.0.${own}/24`, `fd06::${own}/64`]) {
      await node.run("ip", "addr", "add", address, "dev", "vx0");
    }
    await node.run("ip", "link", "set", "vx0", "up");
  }
  await lab.client.node.run("ip", "route", "add", VIP, "via", "10.6.0.1");
  await lab.client.node.run("ip", "route", "add", VIP6, "via", "fd06::1");
  const plane = lab.open();
  for (const one of NAT) {
    const own = one.family === 4 ? "10.1.0.1" : "fd01::1";
    await lab.director.agent.ask({ do: "serve", name: "director", at: [{ address: own, port: one.serverPort }] });
    lab.within(() => {
      for (const protocol of ["tcp", "udp"] as const) {
        const service = serviceKey(vip(one.family), one.port, protocol);
        plane.addService(service, serviceSettings());
        plane.addServer(service, serverKey(own, one.serverPort), serverSettings());
      }
    });
    await t.test(one.name, async () => {
      await lab.client.agent.transfer(to(one), MEGABYTE, MEGABYTE);
      await lab.client.agent.echo(to(one), [10, 1000]);
      const errors: Record<string, number> = await lab.director.agent.ask({ do: "checksumErrors" });
      for (const [name, count] of Object.entries(errors)) assert.equal(count, 0, name);
    });
  }
});

/** What the client has learnt of the path to the virtual address; undefined: nothing. */
async function learntMtu({ node }: Member, family: 4 | 6): Promise<number | undefined> {
  const [route] = await node.ipJson(`-${family}`, "route", "get", vip(family));
  return route.metrics?.[0]?.mtu;
}

async function forgetMtu({ node }: Member): Promise<void> {
  for (const family of ["-4", "-6"]) await node.run("ip", family, "route", "flush", "cache");
}

describe("a path with a small MTU", () => {
  for (const [title, words] of [
    ["with segments as large as the sender likes", []],
    ["with segmentation left to nobody", OFF],
  ] as const) {
    test(`behind the director is told to the client, ${title}`, async (t) => {
      await using lab = await ModesLab.start(PORTS, { back: 1400 });
      openCells(lab, CELLS);
      await offload(lab, EVERYBODY, ...words);
      for (const one of CELLS) {
        await t.test(one.name, async () => {
          await forgetMtu(lab.client);
          assert.equal(await learntMtu(lab.client, one.family), undefined);
          await flows(lab, one);
          assert.equal(await learntMtu(lab.client, one.family), 1400 - one.overhead);
        });
      }
      await noChecksumErrors(lab);
    });

    test(`before the director is told to a NAT server, ${title}`, async (t) => {
      await using lab = await ModesLab.start(PORTS, { front: 1400 });
      openCells(lab, NAT);
      await offload(lab, EVERYBODY, ...words);
      for (const one of NAT) {
        await t.test(one.name, async () => {
          await lab.client.agent.transfer(to(one), MEGABYTE, 2 * MEGABYTE);
          await lab.client.agent.transfer(to(one), MEGABYTE, 2 * MEGABYTE);
          for (const { node } of lab.servers) {
            const [route] = await node.ipJson(`-${one.family}`, "route", "get", clientAddress(one.family));
            assert.equal(route.metrics?.[0]?.mtu, 1400);
          }
        });
      }
      await noChecksumErrors(lab);
    });
  }

  test("needs not be told where the servers lower the MSS", async (t) => {
    await using lab = await ModesLab.start(PORTS, { back: 1400 });
    for (const number of [1, 2]) await lab.real(number, "--mss", "1300");
    openCells(lab, [...DR, ...TUN]);
    for (const one of [...DR, ...TUN]) {
      await t.test(one.name, async () => {
        for (let n = 0; n < 2; n++) await lab.client.agent.transfer(to(one), 2 * MEGABYTE, 2 * MEGABYTE);
        assert.equal(await learntMtu(lab.client, one.family), undefined);
      });
    }
  });

  test("of 1500 on both sides of a tunnel lets 100 MB pass", async (t) => {
    await using lab = await ModesLab.start(PORTS);
    openCells(lab, TUN);
    for (const [mss, learns] of [
      ["--no-mss", true],
      ["--mss=1400", false],
    ] as const) {
      for (const number of [1, 2]) await lab.real(number, mss);
      for (const one of TUN) {
        await t.test(`${one.name} with ${mss}`, async () => {
          await forgetMtu(lab.client);
          await lab.client.agent.transfer(to(one), 100 * MEGABYTE, 1);
          assert.equal(await learntMtu(lab.client, one.family), learns ? 1500 - one.overhead : undefined);
        });
      }
    }
  });
});

/** The director as server `number` 3 of the services: at its own address for NAT, else at the virtual one. */
async function serveAtDirector(lab: ModesLab): Promise<void> {
  const own = ["10.1.0.1", "fd01::1"].map((address) => ({ address, port: 9000 }));
  const virtual = [VIP, VIP6].flatMap((address) => PORTS.map((port) => ({ address, port })));
  await lab.director.agent.ask({ do: "serve", name: "director", at: [...own, ...virtual] });
}

/** The first server gives its place to the director. */
function makeDirectorServer(lab: ModesLab, plane: OpenedPlane, cells: readonly Cell[]): void {
  lab.within(() => {
    for (const { family, inner, method, port, serverPort } of cells) {
      for (const protocol of ["tcp", "udp"] as const) {
        const service = serviceKey(vip(family), port, protocol);
        plane.deleteServer(service, serverKey(serverAddress(1, inner), serverPort));
        const own = inner === 4 ? "10.1.0.1" : "fd01::1";
        plane.addServer(service, serverKey(own, serverPort), serverSettings({ method }));
      }
    }
  });
}

function servedBy(calls: readonly { readonly server: string }[], ...names: string[]): void {
  assert.deepEqual(new Set(calls.map(({ server }) => server)), new Set(names));
}

/** Two flows each way and some datagrams. */
async function calls(member: Member, one: Cell, bytes = MEGABYTE) {
  const { agent } = member;
  const tcp = [await agent.transfer(to(one), bytes, bytes), await agent.transfer(to(one), bytes, bytes)];
  const udp = [...(await agent.echo(to(one), [10, 1400])), ...(await agent.echo(to(one), [1400]))];
  return { tcp, udp };
}

describe("a service", () => {
  test("has a virtual address that is routed to the director and is none of its own", async (t) => {
    await using lab = await ModesLab.start(PORTS);
    for (const address of [`${VIP}/32`, `${VIP6}/128`]) {
      await lab.director.node.run("ip", "addr", "del", address, "dev", "lo");
    }
    openCells(lab, CELLS);
    // The director's own packets for it leave by eth0, were they not for the service.
    await lab.director.node.run("ip", "route", "add", VIP, "via", "10.1.0.2");
    await lab.director.node.run("ip", "route", "add", VIP6, "via", "fd01::2");
    for (const { node } of lab.servers) {
      await node.run("ip", "rule", "add", "to", "10.1.0.1", "pref", "11", "lookup", "main");
      await node.run("ip", "-6", "rule", "add", "to", "fd01::1", "pref", "11", "lookup", "main");
    }
    for (const one of CELLS) {
      await t.test(one.name, () => flows(lab, one));
      await t.test(`${one.name} from the director`, async () => {
        const { tcp, udp } = await calls(lab.director, one);
        servedBy(tcp, "1", "2");
        servedBy(udp, "1", "2");
      });
    }
    await noChecksumErrors(lab);
  });

  test("hears how its servers end a connection when their answers pass the director", async (t) => {
    await using lab = await ModesLab.start(PORTS);
    await lab.director.node.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1");
    for (const address of [`${VIP}/32`, `${VIP6}/128`]) {
      await lab.director.node.run("ip", "addr", "del", address, "dev", "lo");
    }
    const plane = openCells(lab, [...DR, ...TUN]);
    for (const [title, state] of [
      ["elsewhere", "FIN_WAIT"],
      ["here", "TIME_WAIT"],
    ] as const) {
      if (title === "here") {
        for (const { node } of lab.servers) {
          for (const family of ["-4", "-6"]) await node.run("ip", family, "rule", "del", "pref", "20");
        }
      }
      for (const one of [...DR, ...TUN]) {
        await t.test(`${one.name}, answers pass ${title}`, async () => {
          const before = new Set(Array.from(plane.connections(), ({ client }) => client.port));
          await lab.client.agent.transfer(to(one), 2 * MEGABYTE, 2 * MEGABYTE);
          await until(`${state}`, () => {
            const made = [...plane.connections()].filter(({ client }) => !before.has(client.port));
            return made.length === 1 && made[0]?.state === state;
          });
        });
      }
    }
  });

  test("by firewall mark takes many ports to the same ones of its servers", async (t) => {
    for (const method of METHODS) {
      await t.test(`attached by ${method}`, async () => {
        await using lab = await ModesLab.start(PORTS);
        await lab.director.node.run("sysctl", "-qw", "net.ipv4.ip_forward=1");
        await lab.director.node.run("nft", "add table ip t");
        await lab.director.node.run("nft", "add chain ip t c { type filter hook prerouting priority mangle; }");
        for (const [protocol, ports] of [
          ["tcp", "8002, 9000"],
          ["udp", "8002, 9000"],
        ] as const) {
          await lab.director.node.run(
            "nft",
            `add rule ip t c ip daddr ${VIP} ${protocol} dport { ${ports} } mark set 5`,
          );
        }
        const plane = lab.open({ method });
        for (const forward of ["nat", "dr", "tun"] as const) {
          lab.within(() => {
            plane.addService(markKey(5), serviceSettings({ scheduler: "rr" }));
            for (const number of [1, 2]) {
              plane.addServer(markKey(5), serverKey(serverAddress(number, 4), 0), serverSettings({ method: forward }));
            }
          });
          for (const port of [8002, 9000]) {
            const { agent } = lab.client;
            const service = { address: VIP, port };
            const tcp = [await agent.transfer(service, MEGABYTE, MEGABYTE), await agent.transfer(service, 1, 1)];
            servedBy(tcp, "1", "2");
            servedBy([...(await agent.echo(service, [10])), ...(await agent.echo(service, [1400]))], "1", "2");
          }
          assert.equal(plane.service(markKey(5))?.counters.connections, 8n);
          lab.within(() => plane.deleteService(markKey(5)));
        }
      });
    }
  });

  test("of single packets spreads a client's datagrams and keeps no connection", async () => {
    await using lab = await ModesLab.start(PORTS);
    const plane = lab.open();
    for (const one of [...DR, ...TUN]) {
      const service = serviceKey(vip(one.family), one.port, "udp");
      lab.within(() => {
        plane.addService(service, serviceSettings({ scheduler: "rr", onePacket: true }));
        for (const number of [1, 2]) {
          const key = serverKey(serverAddress(number, one.inner), one.serverPort);
          plane.addServer(service, key, serverSettings({ method: one.method }));
        }
      });
      const answers = await lab.client.agent.echo(to(one), [10, 10, 1400, 1400]);
      servedBy(answers.slice(0, 2), "1", "2");
      servedBy(answers.slice(2), "1", "2");
      assert.equal(plane.table().connections, 0);
      assert.equal(plane.service(service)?.counters.connections, 4n);
    }
  });

  test("that is persistent keeps the clients of a network at one server", async (t) => {
    await using lab = await ModesLab.start(PORTS);
    const others = { 4: ["10.1.0.3", "10.5.0.1"], 6: ["fd01::3", "fd05::1"] } as const;
    for (const family of [4, 6] as const) {
      const [near, far] = others[family];
      const length = family === 4 ? 32 : 128;
      await lab.client.node.run("ip", "addr", "add", `${near}/${length}`, "dev", "eth0");
      await lab.client.node.run("ip", "addr", "add", `${far}/${length}`, "dev", "lo");
      await lab.director.node.run("ip", "route", "add", `${far}/${length}`, "via", clientAddress(family));
    }
    const plane = lab.open();
    for (const one of CELLS.filter(({ method }) => method !== "dr")) {
      await t.test(one.name, async () => {
        const service = serviceKey(vip(one.family), one.port);
        lab.within(() => {
          const netmaskBits = one.family === 4 ? 24 : 64;
          plane.addService(service, serviceSettings({ scheduler: "rr", persistence: 300, netmaskBits }));
          for (const number of [1, 2]) {
            const key = serverKey(serverAddress(number, one.inner), one.serverPort);
            plane.addServer(service, key, serverSettings({ method: one.method }));
          }
        });
        const [near, far] = others[one.family];
        const { agent } = lab.client;
        const { server } = await agent.transfer(to(one), MEGABYTE, 1);
        for (const from of [near, clientAddress(one.family), near]) {
          assert.equal((await agent.transfer(to(one), 1, 1, { from })).server, server);
        }
        const elsewhere = await agent.transfer(to(one), 1, MEGABYTE, { from: far });
        assert.notEqual(elsewhere.server, server);
        assert.equal((await agent.transfer(to(one), 1, 1, { from: far })).server, elsewhere.server);
        const persistent = plane.service(service)?.servers.map((each) => each.persistent);
        assert.deepEqual(persistent, [1, 1]);
        lab.within(() => plane.deleteService(service));
      });
    }
  });

  test("takes the same client's port again at once", async (t) => {
    await using lab = await ModesLab.start([9000]);
    const plane = openCells(lab, NAT);
    for (const one of NAT) {
      await t.test(one.name, async () => {
        const request = { do: "reuse", to: to(one), ports: 100, times: 2000, first: 20_000 } as const;
        const times: number[] = await lab.client.agent.ask(request);
        const at = (share: number) => times[Math.floor(share * (times.length - 1))]?.toFixed(2);
        t.diagnostic(`${times.length} connects: median ${at(0.5)} ms, p99 ${at(0.99)} ms, longest ${at(1)} ms`);
        assert.equal(plane.service(serviceKey(vip(one.family), one.port))?.counters.connections, 2000n);
        // A lost SYN is repeated after 1 s (RFC 6298 §2).
        assert.ok(Number(at(1)) < 1000);
      });
    }
  });
});

for (const method of METHODS) {
  /** NAT servers that had the virtual address would take the director, which calls from it, for themselves. */
  for (const cells of [NAT, [...DR, ...TUN]]) {
    const names = new Set(cells.map((one) => one.method));
    test(`${[...names].join(" and ")}, attached by ${method}: the director is client, server, and both`, async (t) => {
      await using lab = await ModesLab.start(PORTS, { real: cells !== NAT });
      await serveAtDirector(lab);
      const plane = openCells(lab, cells, { method });
      const filters = await lab.director.node.run("tc", "filter", "show", "dev", "eth0", "ingress");
      assert.equal(filters !== "", method === "clsact");
      for (const step of ["director client", "director server"] as const) {
        if (step === "director server") makeDirectorServer(lab, plane, cells);
        for (const [title, who, words] of OFFLOADS) {
          await offload(lab, who, ...words);
          for (const one of cells) {
            for (const from of ["client", "director"] as const) {
              if (step === "director client" && from === "client" && method === "tcx") continue;
              await t.test(`${one.name} from the ${from}, ${step}, ${title}`, async () => {
                const { tcp, udp } = await calls(lab[from], one);
                const names = step === "director client" ? ["1", "2"] : ["2", "director"];
                servedBy(tcp, ...names);
                servedBy(udp, ...names);
              });
            }
          }
          if (words.length > 0) await offload(lab, who, ...ON);
        }
      }
      await noChecksumErrors(lab);
    });
  }
}
