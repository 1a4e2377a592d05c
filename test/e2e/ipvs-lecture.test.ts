/** The IPVS half of scenario S4 from the files in examples/ipvs-lecture: direct routing by hand, and the ARP trap. */

import assert from "node:assert/strict";
import type { LabNode } from "../../src/lab/node.ts";
import { test } from "../support/bpf-tests.ts";
import { exampleLab, ipvsadm, pages, serverRows, tally } from "../support/ipvs-lab.ts";
import { peerPath } from "../support/peers.ts";

const VIP = "172.28.128.200";
const URL = `http://${VIP}/`;
const MAC_OF = { lb: "02:42:ac:1c:80:0a", web: "02:42:ac:1c:80:3c" };

/** MAC addresses that answer a broadcast for the VIP. */
async function answerers(client: LabNode): Promise<readonly string[]> {
  const { stdout } = await client.exec([peerPath("arping"), "-b", "-c", "3", "-w", "4", "-I", "eth1", VIP]);
  return [...new Set([...stdout.matchAll(/\[([0-9A-F:]{17})\]/gi)].map(([, mac = ""]) => mac.toLowerCase()))].sort();
}

test("two hosts answer ARP for the VIP until the real server is guarded, then the load is even", async () => {
  const lab = await exampleLab("ipvs-lecture");
  try {
    const client = lab.node("client");
    const lb = lab.node("lb");
    assert.deepEqual(await answerers(client), [MAC_OF.lb, MAC_OF.web].sort());

    // Whoever the client believes serves all: nothing passes the balancer when it is the other.
    await client.exec(["ip", "neigh", "replace", VIP, "lladdr", MAC_OF.web, "dev", "eth1", "nud", "reachable"]);
    assert.deepEqual(tally(await pages(client, URL, 100)), { web: 100 });
    assert.deepEqual(await serverRows(lb), ["172.28.128.10:80 Route 1 0 0", "172.28.128.60:80 Route 1 0 0"]);

    const guarded = await lab.node("web").exec(["evenkeel", "real", "--vip", VIP]);
    assert.equal(guarded.status, 0, guarded.stderr);
    await client.exec(["ip", "neigh", "flush", "dev", "eth1"]);
    assert.deepEqual(await answerers(client), [MAC_OF.lb]);
    const order = await pages(client, URL, 50);
    const listed = await ipvsadm(lb, "-Ln", "--stats");
    assert.deepEqual(tally(order), { lb: 25, web: 25 }, `${order.join(" ")}\n${listed}`);

    const stats = listed.split("\n").filter((line) => line.includes("172.28.128."));
    for (const line of stats) {
      const [connections, packetsIn, packetsOut, bytesIn, bytesOut] = line.trim().split(/\s+/).slice(-5).map(Number);
      assert.equal(connections, line.startsWith("TCP") ? 50 : 25, line);
      assert.deepEqual([packetsOut, bytesOut], [0, 0], "a balancer sees no replies in direct routing");
      assert.ok(Number(packetsIn) > 25 && Number(bytesIn) > 1000, line);
    }
    assert.equal(stats.length, 3);
  } finally {
    await lab.down();
  }
});
