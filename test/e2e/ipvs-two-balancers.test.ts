/** Scenario S3 from the files in examples/ipvs-two-balancers. */

import assert from "node:assert/strict";
import { test } from "../support/bpf-tests.ts";
import { exampleLab, holds, pages, serverRows, tally } from "../support/ipvs-lab.ts";
import { until } from "../support/until.ts";

const VIP = "172.28.128.200";

test("of a hundred requests before and a hundred after the take-over none is lost", async () => {
  const lab = await exampleLab("ipvs-two-balancers");
  try {
    const client = lab.node("client");
    await until("lb1 holds the VIP", () => holds(lab.node("lb1"), VIP), 30_000);
    assert.deepEqual(tally(await pages(client, `http://${VIP}/`, 100)), { rs1: 50, rs2: 50 });
    await lab.node("lb1").signal("evenkeel", "SIGTERM");
    await until("lb2 holds the VIP", () => holds(lab.node("lb2"), VIP), 30_000);
    assert.deepEqual(tally(await pages(client, `http://${VIP}/`, 100)), { rs1: 50, rs2: 50 });
    assert.deepEqual(await serverRows(lab.node("lb2")), [
      "172.28.128.31:80 Route 1 0 50",
      "172.28.128.32:80 Route 1 0 50",
    ]);
  } finally {
    await lab.down();
  }
});
