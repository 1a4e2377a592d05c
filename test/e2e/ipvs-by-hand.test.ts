/** Scenario S1 from the files in examples/ipvs-by-hand: keepalived.conf moves the VIP, layer 4 was set by hand. */

import assert from "node:assert/strict";
import type { Lab } from "../../src/lab/lab.ts";
import { test } from "../support/bpf-tests.ts";
import { exampleLab, holds, ipvsadm, pages, serverRows, tally } from "../support/ipvs-lab.ts";
import { peerPath } from "../support/peers.ts";
import { until } from "../support/until.ts";

const VIP = "172.28.128.200";
const URL = `http://${VIP}/`;

async function masterIs(lab: Lab, name: string): Promise<void> {
  await until(`${name} holds the VIP`, () => holds(lab.node(name), VIP), 30_000);
}

async function everythingOfS1(lab: Lab): Promise<void> {
  const client = lab.node("client");
  const lb1 = lab.node("lb1");
  const lb2 = lab.node("lb2");
  await masterIs(lab, "lb1");
  assert.deepEqual(tally(await pages(client, URL, 50)), { rs1: 25, rs2: 25 });
  assert.deepEqual(await serverRows(lb1), ["172.28.128.110:80 Route 1 0 25", "172.28.128.120:80 Route 1 0 25"]);
  assert.deepEqual(await serverRows(lb2), ["172.28.128.110:80 Route 1 0 0", "172.28.128.120:80 Route 1 0 0"]);
  await lb1.signal("evenkeel", "SIGTERM");
  await masterIs(lab, "lb2");
  assert.deepEqual(tally(await pages(client, URL, 50)), { rs1: 25, rs2: 25 });
  assert.deepEqual(await serverRows(lb2), ["172.28.128.110:80 Route 1 0 25", "172.28.128.120:80 Route 1 0 25"]);
}

test("fifty requests are shared evenly, and go on through the other balancer when keepalived stops", async () => {
  const lab = await exampleLab("ipvs-by-hand");
  try {
    const log = lab.node("lb1").process("evenkeel");
    await everythingOfS1(lab);
    const lines = log.lastLines(200);
    assert.match(lines, /keepalived\.conf:12:.*Truncating auth_pass to 8 characters/);
    assert.match(lines, /\(VI_1\) Entering BACKUP STATE/);
    assert.match(lines, /\(VI_1\) Entering MASTER STATE/);
  } finally {
    await lab.down();
  }
});

test("real servers without the VIP take the connections by a REDIRECT rule", async () => {
  const lab = await exampleLab("ipvs-by-hand");
  try {
    for (const name of ["rs1", "rs2"]) {
      const server = lab.node(name);
      const undone = await server.exec(["evenkeel", "real", "--vip", VIP, "--undo"]);
      assert.equal(undone.status, 0, undone.stderr);
      assert.equal(await holds(server, VIP), false);
      const redirected = await server.exec([peerPath("nft"), "-f", "-"], {
        input: `table ip nat {
  chain prerouting {
    type nat hook prerouting priority dstnat
    ip daddr ${VIP} tcp dport 80 redirect
  }
}
`,
      });
      assert.equal(redirected.status, 0, `${redirected.stderr}; this test needs nft and the kernel's nft_redir`);
    }
    await everythingOfS1(lab);
  } finally {
    await lab.down();
  }
});

test("a balancer that is switched off is replaced by the other", async () => {
  const lab = await exampleLab("ipvs-by-hand");
  try {
    const client = lab.node("client");
    await masterIs(lab, "lb1");
    await lab.node("lb1").link("eth1", "down");
    await masterIs(lab, "lb2");
    assert.deepEqual(tally(await pages(client, URL, 20)), { rs1: 10, rs2: 10 });
    const standby = await ipvsadm(lab.node("lb2"), "-Lnc");
    assert.equal(standby.split("\n").filter((line) => line.includes("FIN_WAIT")).length, 20, standby);
  } finally {
    await lab.down();
  }
});
