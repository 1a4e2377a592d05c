/** The pair from the files in examples/vrrp-pair: dual stack with a maintenance script, and the same over unicast. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Lab } from "../../src/lab/lab.ts";
import { exampleLab, holds } from "../support/ipvs-lab.ts";
import { until } from "../support/until.ts";

const [IPV4, IPV6] = ["10.0.0.100", "2001:db8::100"];

async function run(lab: Lab, node: string, ...words: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await lab.node(node).exec(words);
  assert.equal(status, 0, stderr);
  return stdout;
}

const master = (lab: Lab, node: string, addresses: readonly string[]) =>
  until(
    `${node} holds ${addresses.join(" and ")}`,
    async () => (await Promise.all(addresses.map((one) => holds(lab.node(node), one)))).every(Boolean),
    30_000,
  );

/** Ends what runs there cleanly and starts it with another file. */
async function restart(lab: Lab, node: string, file: string): Promise<void> {
  await lab.node(node).signal("evenkeel", "SIGTERM");
  const gone = ["test", "!", "-e", "/run/evenkeel/control.sock"];
  await until(`${node} has stopped`, async () => (await lab.node(node).exec(gone)).status === 0);
  await lab.node(node).spawn(["evenkeel", "run", "-f", file], { name: "again" });
  await until(`${node} answers`, async () => (await lab.node(node).exec(["evenkeel", "status"])).status === 0);
}

test("the addresses of both families go together when a host is taken out for work, and come back", async () => {
  const lab = await exampleLab("vrrp-pair");
  try {
    await master(lab, "lb1", [IPV4, IPV6]);
    await run(lab, "lb1", "touch", "/run/maintenance");
    await master(lab, "lb2", [IPV4, IPV6]);
    assert.deepEqual([await holds(lab.node("lb1"), IPV4), await holds(lab.node("lb1"), IPV6)], [false, false]);
    assert.match(
      await run(lab, "lb1", "evenkeel", "status"),
      /^web6 FAULT since .*: script maintenance exited with status 1 → web4 FAULT → group web$/m,
    );
    await run(lab, "lb1", "rm", "/run/maintenance");
    await master(lab, "lb1", [IPV4, IPV6]);
    assert.match(
      await run(lab, "lb1", "evenkeel", "replay", "/run/vrrp.rec", "--instance", "web4"),
      /web4 MASTER → FAULT, priority 150: script maintenance exited with status 1\n(?:.*\n)* *\d+ inputs, as recorded\n$/,
    );
  } finally {
    await lab.down();
  }
});

test("over unicast the better of the two is master", async () => {
  const lab = await exampleLab("vrrp-pair");
  try {
    await master(lab, "lb1", [IPV4, IPV6]);
    for (const node of ["lb1", "lb2"]) await restart(lab, node, `base/${node}/unicast.conf`);
    await master(lab, "lb1", [IPV4]);
    const heard = /^web4 +BACKUP .* 10\.0\.0\.1 priority 150, every 0\.1 s/m;
    await until("lb2 hears lb1", async () => heard.test(await run(lab, "lb2", "evenkeel", "status")));
  } finally {
    await lab.down();
  }
});

test("a track script that cannot be run is named in status with the reason", async () => {
  const lab = await exampleLab("vrrp-pair");
  try {
    await master(lab, "lb1", [IPV4]);
    const text = "sed s,/usr/bin/test,/nowhere/test, base/lb2/keepalived.conf > /run/lb2.conf";
    await run(lab, "lb2", "sh", "-c", text);
    await restart(lab, "lb2", "/run/lb2.conf");
    assert.match(
      await run(lab, "lb2", "evenkeel", "status"),
      /^script maintenance is not run, and what tracks it goes on without it: .*\/nowhere/m,
    );
  } finally {
    await lab.down();
  }
});
