/** Virtual addresses that are renewed in the background, and let go at the same moment. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { seconds } from "../../src/base/time.ts";
import type { Log } from "../../src/daemon/log/log.ts";
import { HostNetwork } from "../../src/daemon/vrrp/network.ts";
import type { Input } from "../../src/vrrp/messages.ts";
import { TestNetwork } from "../support/namespace.ts";
import { until } from "../support/until.ts";
import { configuration, instance } from "../support/vrrp-configuration.ts";

const QUIET: Log = { write: () => {} };

test("an address that is let go while it is renewed goes once and does not come back", async () => {
  await using network = new TestNetwork();
  const [a, b] = [await network.node("a"), await network.node("b")];
  await network.link({ node: a, interface: "eth0", addresses: ["10.9.0.1/24"] }, { node: b, interface: "eth0" });
  const inputs: Input[] = [];
  const router = instance();
  const [vip] = router.virtualAddresses;
  if (vip === undefined) throw new Error("the instance has no address");
  const host = a.within(
    () =>
      new HostNetwork(
        configuration([router]),
        QUIET,
        (input) => void inputs.push(input),
        () => undefined,
      ),
  );
  const told = () =>
    inputs.flatMap((input) => (input.type === "address" && input.address === vip.address ? [input.present] : []));
  try {
    for (let round = 1; round <= 5; round++) {
      inputs.length = 0;
      host.holdAddress(vip, seconds(4));
      await until("the kernel has it", () => told().includes(true));
      host.renewAddress(vip, seconds(4));
      host.dropAddress(vip);
      await host.renewed();
      await until("the kernel has it no more", () => told().at(-1) === false);
      assert.deepEqual(told(), [true, false]);
    }
  } finally {
    await host.close();
  }
  const [link] = await a.ipJson("addr", "show", "dev", "eth0");
  assert.equal(link.addr_info.filter(({ local }: { local: string }) => local === vip.address).length, 0);
});
