/** Scenario S2 from the files in examples/ipvs-keepalived: keepalived.conf moves the VIP and drives layer 4. */

import assert from "node:assert/strict";
import type { LabNode } from "../../src/lab/node.ts";
import { test } from "../support/bpf-tests.ts";
import { exampleLab, holds, ipvsadm, pages, serverRows, tally } from "../support/ipvs-lab.ts";
import { until } from "../support/until.ts";

const VIP = "192.168.1.10";
const URL = `http://${VIP}/`;
const ONE = "192.168.1.201:80 Route 1 0 0";
const TWO = "192.168.1.202:80 Route 1 0 0";

async function connectionLines(node: LabNode): Promise<readonly string[]> {
  return (await ipvsadm(node, "-Lnc")).split("\n").slice(2, -1);
}

test("requests alternate, the balancer's table lists them, and the other balancer goes on", async () => {
  const lab = await exampleLab("ipvs-keepalived");
  try {
    const client = lab.node("client");
    const lb1 = lab.node("lb1");
    const lb2 = lab.node("lb2");
    await until("lb1 holds the VIP", () => holds(lb1, VIP), 30_000);
    await until("lb2 knows both servers", async () => (await serverRows(lb2)).join() === [ONE, TWO].join(), 30_000);

    const order = await pages(client, URL, 10);
    const first = order[0] ?? "";
    const second = first === "RealServer 2" ? "RealServer 1" : "RealServer 2";
    assert.deepEqual(
      order,
      order.map((_, index) => (index % 2 === 0 ? first : second)),
    );

    const lines = await connectionLines(lb1);
    assert.equal(lines.length, 10, lines.join("\n"));
    for (const line of lines) {
      assert.match(
        line,
        /^TCP 0[12]:\d\d {2}FIN_WAIT {4}192\.168\.1\.11:\d+ +192\.168\.1\.10:80 +192\.168\.1\.20[12]:80$/,
      );
    }
    assert.deepEqual(await connectionLines(lb2), []);

    await lb1.link("eth1", "down");
    await until("lb2 holds the VIP", () => holds(lb2, VIP), 30_000);
    assert.deepEqual(tally(await pages(client, URL, 10)), { "RealServer 1": 5, "RealServer 2": 5 });
    assert.equal((await connectionLines(lb2)).length, 10);
  } finally {
    await lab.down();
  }
});

test("a web server that stops listening is taken out, and comes back when it listens again", async () => {
  const lab = await exampleLab("ipvs-keepalived");
  try {
    const client = lab.node("client");
    const lb1 = lab.node("lb1");
    await until("lb1 holds the VIP", () => holds(lb1, VIP), 30_000);
    await until("both are in service", async () => (await serverRows(lb1)).length === 2, 30_000);
    await lab.node("web1").signal("web", "SIGKILL");
    await until("web1 is out", async () => (await serverRows(lb1)).length === 1, 30_000);
    assert.deepEqual(tally(await pages(client, URL, 10)), { "RealServer 2": 10 });
    const script = `"$EVENKEEL_PROJECT/examples/web-server.sh"`;
    await lab.node("web1").spawn(["sh", "-c", `exec sh ${script} "RealServer 1"`], { name: "web-again" });
    await until("web1 is back", async () => (await serverRows(lb1)).length === 2, 30_000);
    assert.deepEqual(tally(await pages(client, URL, 10)), { "RealServer 1": 5, "RealServer 2": 5 });
  } finally {
    await lab.down();
  }
});
