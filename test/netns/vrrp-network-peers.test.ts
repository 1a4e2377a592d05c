/** Adverts and addresses on the wire beside Debian's keepalived: IPv6, unicast and virtual MAC addresses. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Ipv6Address } from "../../src/base/ip.ts";
import { milliseconds } from "../../src/base/time.ts";
import { NO_INTERFACE, type VrrpInstance } from "../../src/config/model/vrrp.ts";
import { readInterfaces } from "../../src/sys/interfaces.ts";
import { type Frame, openPacketSocket } from "../../src/sys/packet-socket.ts";
import { decodeIpv4 } from "../../src/wire/ipv4.ts";
import { decodeIpv6 } from "../../src/wire/ipv6.ts";
import type { TestNode } from "../support/namespace.ts";
import { until } from "../support/until.ts";
import { AgentLan, addressesOf, has } from "../support/vrrp-agent.ts";
import { addressOf, instance as anyInstance, configuration, vip } from "../support/vrrp-configuration.ts";

/** Version 3 at 100 ms, so that nobody waits long. */
const instance = (more: Partial<VrrpInstance>): VrrpInstance =>
  anyInstance({ version: 3, advertInterval: milliseconds(100), ...more });

const conf = (lines: string) => `vrrp_instance V {
  interface eth0
  virtual_router_id 5
  version 3
  advert_int 0.1
${lines}
}
`;

const ipv6 = (more: Partial<VrrpInstance>) =>
  instance({
    family: "ipv6",
    multicastGroup: "ff02::12" as Ipv6Address,
    virtualAddresses: [vip("fe80::50"), vip("2001:db8::50")],
    ...more,
  });

const VIPS6 = "  virtual_ipaddress {\n    fe80::50/64\n    2001:db8::50/64\n  }\n";

/** Every frame that a node gets, until the test ends. */
function capture(node: TestNode): Frame[] & Disposable {
  const frames: Frame[] = [];
  const socket = node.within(() => {
    const eth0 = readInterfaces()
      .values()
      .find(({ name }) => name === "eth0");
    assert.ok(eth0);
    return openPacketSocket({
      interfaceIndex: eth0.index,
      protocol: 3,
      onFrames: (received) => frames.push(...received),
      onError: (error) => assert.fail(error),
    });
  });
  return Object.assign(frames, { [Symbol.dispose]: () => socket.close() });
}

const destinationOf = ({ bytes }: Frame): string => bytes.subarray(0, 6).toHex();

test("a backup of keepalived accepts our IPv6 adverts, takes over when we stop, and gives way when we are back", async () => {
  await using lan = await AgentLan.start();
  using frames = capture(lan.client);
  const ours = await lan.agent(lan.a, configuration([ipv6({ priority: 200 })]));
  await ours.becomes("MASTER");
  const peer = lan.keepalived(lan.b, conf(`${VIPS6}  priority 100`));
  await peer.sees(/Entering BACKUP STATE/);
  const held = await until("the VIPs", async () => {
    const all = await addressesOf(lan.a);
    const ours = all.filter(({ local }) => local.endsWith("::50"));
    return ours.length === 2 && ours;
  });
  for (const { preferred_life_time, valid_life_time, local } of held) {
    assert.equal(preferred_life_time, 0, `${local} is never chosen as a source`);
    assert.ok(valid_life_time <= 4, `${valid_life_time}`);
  }
  const advert = frames.find((frame) => destinationOf(frame) === "333300000012");
  const packet = decodeIpv6((advert?.bytes ?? new Uint8Array(0)).subarray(14));
  assert.ok(packet.ok);
  assert.equal(packet.value.hopLimit, 255);
  assert.equal(packet.value.trafficClass, 0xc0);
  assert.match(packet.value.source, /^fe80::/);
  const claims = frames.filter(({ bytes }) => bytes[20] === 58 && bytes[54] === 136);
  assert.ok(claims.length >= 2, "neighbour advertisements for both VIPs");
  await ours.stop();
  await peer.sees(/Entering MASTER STATE/);
  assert.doesNotMatch(peer.output, /bad|invalid|checksum|incorrect/i);
  const again = await lan.agent(lan.a, configuration([ipv6({ priority: 200 })]));
  await again.program.sees(/lower priority/);
  await again.becomes("MASTER");
  await peer.sees(/higher priority/);
  await until("keepalived lets go", async () => !(await has(lan.b, "2001:db8::50")));
});

test("unicast peers hear each other, several virtual routers share one socket, and nothing is sent to the group", async () => {
  await using lan = await AgentLan.start();
  using frames = capture(lan.client);
  const unicastPeers = [{ address: addressOf("10.9.0.2"), minTtl: 0, maxTtl: 255 }];
  const more = { unicastPeers, priority: 200 };
  const second = { ...more, name: "W", virtualRouterId: 6, virtualAddresses: [vip("10.9.0.60")] };
  const ours = await lan.agent(lan.a, configuration([instance(more), instance(second)]));
  await ours.becomes("MASTER");
  await ours.becomes("MASTER", "W");
  assert.equal(ours.program.output.match(/VRRP sockpool/g)?.length, 1);
  const peer = lan.keepalived(
    lan.b,
    conf("  priority 100\n  unicast_peer {\n    10.9.0.1\n  }\n  virtual_ipaddress {\n    10.9.0.50/24\n  }"),
  );
  await peer.sees(/Entering BACKUP STATE/);
  await ours.stop();
  await peer.sees(/Entering MASTER STATE/);
  assert.ok(!frames.some((frame) => destinationOf(frame) === "01005e000012"));
});

test("a unicast router without interface finds its peer by the routing table, and adverts that come by any interface", async () => {
  await using lan = await AgentLan.start();
  // The source address is on no LAN: adverts cannot come in by an interface that has it.
  await lan.a.run("ip", "addr", "add", "10.7.0.1/32", "dev", "lo");
  await lan.b.run("ip", "route", "add", "10.7.0.1", "via", "10.9.0.1", "dev", "eth0");
  const unicastPeers = [{ address: addressOf("10.9.0.2"), minTtl: 0, maxTtl: 255 }];
  const routed = { unicastPeers, interface: NO_INTERFACE, sourceAddress: addressOf("10.7.0.1"), priority: 200 };
  const ours = await lan.agent(lan.a, configuration([instance(routed)]));
  await ours.becomes("MASTER");
  await until("the VIP", () => has(lan.a, "10.9.0.50"));
  const theirs = (priority: number) =>
    conf(`  priority ${priority}\n  unicast_peer {\n    10.7.0.1\n  }\n  virtual_ipaddress {\n    10.9.0.50/24\n  }`);
  const lower = lan.keepalived(lan.b, theirs(100));
  await lower.sees(/Entering BACKUP STATE/);
  await ours.stop();
  await lower.sees(/Entering MASTER STATE/);
  const again = await lan.agent(lan.a, configuration([instance({ ...routed, priority: 90 })]));
  await again.becomes("BACKUP");
  await lower.stop("SIGTERM");
  await again.program.sees(/Backup received priority 0 advertisement/);
  await again.becomes("MASTER");
});

test("with vmac_xmit_base adverts leave by the base, and those from the virtual MAC address are heard all the same", async () => {
  await using lan = await AgentLan.start();
  using frames = capture(lan.client);
  const vmac = { interface: "vrrp.5", mac: undefined, transmitOnBase: true };
  const router = instance({ vmac, virtualAddresses: [vip("10.9.0.50", { interface: "vrrp.5" })] });
  const ours = await lan.agent(lan.a, configuration([{ ...router, priority: 200 }]));
  await ours.becomes("MASTER");
  await until("the VIP", () => has(lan.a, "10.9.0.50", "vrrp.5"));
  const [eth0] = await lan.a.ipJson("link", "show", "eth0");
  const advert = await until("an advert", () => frames.find((frame) => destinationOf(frame) === "01005e000012"));
  assert.equal(advert.sourceMac, eth0.address);
  const claim = await until("an ARP claim", () => frames.find(({ bytes }) => bytes[12] === 8 && bytes[13] === 6));
  assert.equal(claim.sourceMac, "00:00:5e:00:01:05");
  await ours.stop();
  const peer = lan.keepalived(lan.b, conf("  use_vmac\n  priority 220\n  virtual_ipaddress {\n    10.9.0.50/24\n  }"));
  await peer.sees(/Entering MASTER STATE/);
  const again = await lan.agent(lan.a, configuration([{ ...router, priority: 100 }]));
  const stopping = peer.stop("SIGTERM");
  await again.program.sees(/Backup received priority 0 advertisement/);
  await stopping;
});

for (const family of ["ipv4", "ipv6"] as const) {
  test(`a virtual router with its own MAC address sends everything from it (${family})`, async () => {
    await using lan = await AgentLan.start();
    using frames = capture(lan.client);
    const isV4 = family === "ipv4";
    const [address, mac] = isV4 ? ["10.9.0.50", "00:00:5e:00:01:05"] : ["2001:db8::50", "00:00:5e:00:02:05"];
    const vmac = { interface: "vrrp.5", mac: undefined, transmitOnBase: false };
    const there = { interface: "vrrp.5" };
    const base = isV4
      ? instance({ virtualAddresses: [vip(address, there)] })
      : ipv6({ virtualAddresses: [vip("fe80::50", there), vip(address, there)] });
    // The way back to the client leads over another interface than the one that its packets come by.
    await lan.a.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/conf/all/rp_filter");
    const settings = () => lan.a.run("sh", "-c", "cd /proc/sys/net/ipv4/conf && grep . eth0/arp_* */rp_filter");
    const before = await settings();
    const ours = await lan.agent(lan.a, configuration([{ ...base, vmac, priority: 200 }]));
    await ours.becomes("MASTER");
    const peer = lan.keepalived(
      lan.b,
      conf(`  use_vmac\n  priority 100\n${isV4 ? "  virtual_ipaddress {\n    10.9.0.50/24\n  }" : VIPS6}`),
    );
    await peer.sees(/Entering BACKUP STATE/);
    const [macvlan] = await lan.a.ipJson("link", "show", "vrrp.5");
    assert.equal(macvlan.address, mac);
    assert.equal(macvlan.linkinfo.info_kind, "macvlan");
    assert.equal(macvlan.linkinfo.info_data.mode, "private");
    await until("the VIP", () => has(lan.a, address, "vrrp.5"));
    await lan.client.run("ping", "-c1", "-W5", address);
    const [neighbour] = await lan.client.ipJson("neigh", "show", address);
    assert.equal(neighbour.lladdr, mac);
    const group = isV4 ? "01005e000012" : "333300000012";
    const adverts = frames.filter((frame) => destinationOf(frame) === group);
    assert.ok(adverts.length > 0);
    for (const { sourceMac, bytes } of adverts) {
      assert.equal(sourceMac, mac);
      const packet = isV4 ? decodeIpv4(bytes.subarray(14)) : decodeIpv6(bytes.subarray(14));
      assert.ok(packet.ok);
      const hops = "timeToLive" in packet.value ? packet.value.timeToLive : packet.value.hopLimit;
      assert.equal(hops, 255);
    }
    await ours.stop();
    await peer.sees(/Entering MASTER STATE/);
    assert.doesNotMatch(peer.output, /invalid|checksum|incorrect/i);
    await assert.rejects(lan.a.run("ip", "link", "show", "vrrp.5"));
    assert.equal(await settings(), before);
  });

  test(`a virtual router with its own MAC address hears keepalived's (${family})`, async () => {
    await using lan = await AgentLan.start();
    const there = { interface: "vrrp.5" };
    const vmac = { interface: "vrrp.5", mac: undefined, transmitOnBase: false };
    const peer = lan.keepalived(
      lan.b,
      conf(`  use_vmac\n  priority 200\n${family === "ipv4" ? "  virtual_ipaddress {\n    10.9.0.50/24\n  }" : VIPS6}`),
    );
    await peer.sees(/Entering MASTER STATE/);
    const base =
      family === "ipv4"
        ? instance({ virtualAddresses: [vip("10.9.0.50", there)] })
        : ipv6({ virtualAddresses: [vip("fe80::50", there), vip("2001:db8::50", there)] });
    const ours = await lan.agent(lan.a, configuration([{ ...base, vmac, priority: 100 }]));
    await ours.becomes("BACKUP");
    const stopping = peer.stop("SIGTERM");
    await ours.program.sees(/Backup received priority 0 advertisement/);
    await ours.becomes("MASTER");
    await stopping;
  });
}
