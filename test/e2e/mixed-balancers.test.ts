/**
 * The set-up of examples/haproxy-keepalived with one balancer run by evenkeel and the other by Debian's keepalived and
 * haproxy, from the same files: whichever dies, in whichever way, the other takes over, and a client with a cookie stays on
 * its server.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { CLIENT_VIP } from "../../src/lab/scenarios/haproxy-keepalived.ts";
import { startProbe, type Traffic } from "../../src/lab/scenarios/observers.ts";
import { answered, DEATHS, die, held, ownedBy, recover, up } from "../support/balancers.ts";
import { until } from "../support/until.ts";

for (const [first, second] of [
  ["evenkeel", "keepalived"],
  ["keepalived", "evenkeel"],
] as const) {
  test(`lb1 run by ${first}, lb2 by ${second}: the VIPs move and come back for every kind of death`, async () => {
    const lab = await up(first, second);
    try {
      const [lb1, lb2] = [lab.node("lb1"), lab.node("lb2")];
      await ownedBy(lb1, lb2);
      const target = `http://${CLIENT_VIP}/`;
      const pace = { kind: "http", target, intervalMs: 25, timeoutMs: 500, count: 10_000 } as const;
      const sticky = await startProbe(lab.node("h1"), { ...pace, keepCookies: true });
      const plain = await startProbe(lab.node("h2"), pace);
      // Probes do not wait for each other: the first few may all go without a cookie.
      await answered(sticky, plain);
      const cookieSince = sticky.records().length;
      for (const death of DEATHS) {
        await die(lb1, death);
        await until(`lb2 (${second}) holds both VIPs after ${death}`, async () => (await held(lb2)) === 2);
        // keepalived leaves its addresses behind when it is killed or frozen; evenkeel's go by themselves.
        if (first === "evenkeel") await until(`lb1 has let go after ${death}`, async () => (await held(lb1)) === 0);
        await answered(sticky, plain);
        await recover(lb1, death);
        await ownedBy(lb1, lb2);
        await answered(sticky, plain);
      }
      await Promise.all([sticky.stop(), plain.stop()]);
      assert.equal(
        servers(sticky, cookieSince).length,
        1,
        `the cookie's client was answered by ${servers(sticky, cookieSince)}`,
      );
      assert.deepEqual(servers(plain, 0), ["s1", "s2", "s3"]);
    } finally {
      await lab.down();
    }
  });
}

/** Who answered from probe number `since` on. */
function servers(traffic: Traffic, since: number): (string | undefined)[] {
  const answers = traffic
    .records()
    .slice(since)
    .filter((one) => one.ok);
  return [...new Set(answers.map((one) => one.by))].sort();
}
