/** Virtual MAC addresses on a switch that snoops multicast (RFC 4541): what kernels report by MLD and IGMP must not mislead it. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Ipv6Address } from "../../src/base/ip.ts";
import { milliseconds } from "../../src/base/time.ts";
import { until } from "../support/until.ts";
import { AgentLan, has } from "../support/vrrp-agent.ts";
import { configuration, instance, vip } from "../support/vrrp-configuration.ts";

const VMAC = { ipv4: "00:00:5e:00:01:05", ipv6: "00:00:5e:00:02:05" };

for (const family of ["ipv4", "ipv6"] as const) {
  test(`on a switch that snoops, adverts and the search for the address find the new master (${family})`, async () => {
    await using lan = await AgentLan.start();
    const snoop = ["mcast_snooping", "1", "mcast_querier", "1", "mcast_query_response_interval", "100"];
    await lan.bridge.run("ip", "link", "set", "br0", "type", "bridge", ...snoop, "mcast_startup_query_interval", "100");
    const there = { interface: "vrrp.5" };
    const address = family === "ipv4" ? "10.9.0.50" : "2001:db8::50";
    const router = instance({
      ...{ version: 3, advertInterval: milliseconds(100), vmac: { ...there, mac: undefined, transmitOnBase: false } },
      ...(family === "ipv4"
        ? { virtualAddresses: [vip(address, there)] }
        : {
            family,
            multicastGroup: "ff02::12" as Ipv6Address,
            virtualAddresses: [vip("fe80::50", there), vip(address, there)],
          }),
    });
    const portOf = async (mac: string): Promise<string | undefined> => {
      const [, port] =
        new RegExp(`^${mac} dev (\\S+) `, "m").exec(await lan.bridge.run("bridge", "fdb", "show", "br", "br0")) ?? [];
      return port;
    };
    const portsOf = async (group: string): Promise<string[]> => {
      const shown = await lan.bridge.run("bridge", "mdb", "show", "dev", "br0");
      return [...shown.matchAll(new RegExp(` port (\\S+) grp ${group} `, "g"))].map(([, port]) => port ?? "");
    };
    const findsItAt = async (port: string) => {
      await lan.client.run("ip", "neigh", "flush", "all");
      await lan.client.run("ping", "-c1", "-W5", address);
      const [neighbour] = await lan.client.ipJson("neigh", "show", address);
      assert.equal(neighbour.lladdr, VMAC[family]);
      assert.equal(await portOf(VMAC[family]), port);
    };
    const a = await lan.agent(lan.a, configuration([{ ...router, priority: 200 }]));
    await a.becomes("MASTER");
    const b = await lan.agent(lan.b, configuration([{ ...router, priority: 100 }]));
    await b.becomes("BACKUP");
    await until("the address", () => has(lan.a, address, "vrrp.5"));
    await findsItAt("p0");
    assert.doesNotMatch(b.program.output, /MASTER STATE/, "adverts pass the switch");

    await lan.a.run("ip", "link", "set", "eth0", "down");
    await b.becomes("MASTER");
    await until("the address", () => has(lan.b, address, "vrrp.5"));
    await findsItAt("p1");

    // As a backup its kernel answers the queries too.
    await a.reload(configuration([{ ...router, priority: 50 }]));
    const before = a.program.output.length;
    await lan.a.run("ip", "link", "set", "eth0", "up");
    await until("BACKUP", () => /Entering BACKUP STATE/.test(a.program.output.slice(before)));
    await lan.bridge.run("ip", "link", "set", "br0", "type", "bridge", "mcast_querier", "0");
    await lan.bridge.run("ip", "link", "set", "br0", "type", "bridge", "mcast_querier", "1");
    await findsItAt("p1");
    assert.doesNotMatch(a.program.output.slice(before), /MASTER STATE/);
    // The group by which the address is searched for; only the macvlan of a master has it and reports it.
    if (family === "ipv6")
      await until("one port in the group", async () => (await portsOf("ff02::1:ff00:50")).join() === "p1");
  });
}
