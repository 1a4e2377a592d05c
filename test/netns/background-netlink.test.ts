/** rtnetlink requests on another thread, and what the vrrp process does with them. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { IpAddress } from "../../src/base/ip.ts";
import { constants, SystemError } from "../../src/sys/addon.ts";
import { addressRequest } from "../../src/sys/addresses.ts";
import { BackgroundNetlink } from "../../src/sys/background-netlink.ts";
import { Interfaces } from "../../src/sys/interfaces.ts";
import { TestNetwork } from "../support/namespace.ts";
import { until } from "../support/until.ts";

const assignment = (interfaceIndex: number, address: string, validLifetime = 100) =>
  addressRequest({
    interfaceIndex,
    address: address as IpAddress,
    prefixLength: 24,
    validLifetime,
  });

test("requests made in the background are done when the promise resolves, in order, and those refused are named", async () => {
  await using network = new TestNetwork();
  const [a, b] = [await network.node("a"), await network.node("b")];
  await network.link({ node: a, interface: "eth0" }, { node: b, interface: "eth0" });
  const [background, interfaces] = a.within(() => [
    new BackgroundNetlink(),
    new Interfaces({ onChange: () => {}, onError: () => {} }),
  ]);
  const index = interfaces.byName("eth0")?.index ?? 0;
  const together = background.request([
    assignment(index, "10.9.0.1"),
    assignment(9_999, "10.9.0.3"),
    assignment(index, "10.9.0.2"),
  ]);
  const after = background.request([assignment(index, "10.9.0.4")]);
  const refused = await together;
  assert.deepEqual(
    Array.from(refused, ([position, error]) => [position, error instanceof SystemError, error.errno]),
    [[1, true, constants.ENODEV]],
  );
  assert.equal((await after).size, 0);
  assert.ok(background.port > 0);
  interfaces.refresh();
  const held = interfaces.byName("eth0")?.addresses.map(({ address }) => address);
  assert.deepEqual(
    held?.filter((address) => address.startsWith("10.")),
    ["10.9.0.1", "10.9.0.2", "10.9.0.4"],
  );
  const late = background.request([assignment(index, "10.9.0.5")]);
  await background.close();
  await late;
  await background.close();
  interfaces.close();
  const [link] = await a.ipJson("addr", "show", "dev", "eth0");
  assert.equal(link.addr_info.filter(({ local }: { local: string }) => local === "10.9.0.5").length, 0);
});

test("more requests than are made together are all made", async () => {
  await using network = new TestNetwork();
  const [a, b] = [await network.node("a"), await network.node("b")];
  await network.link({ node: a, interface: "eth0" }, { node: b, interface: "eth0" });
  const background = a.within(() => new BackgroundNetlink());
  const [link] = await a.ipJson("link", "show", "dev", "eth0");
  const all = Array.from({ length: 600 }, (_, at) => `10.9.${1 + (at >> 8)}.${at & 0xff}`);
  const refused = await background.request(all.map((one) => assignment(link.ifindex, one)));
  assert.equal(refused.size, 0);
  const [now] = await a.ipJson("-4", "addr", "show", "dev", "eth0");
  const held = now.addr_info.map(({ local }: { local: string }) => local);
  assert.deepEqual(held.toSorted(), all.toSorted());
  await background.close();
});

test("renewals by the socket that is overlooked are no news; additions by others and removals are", async () => {
  await using network = new TestNetwork();
  const [a, b] = [await network.node("a"), await network.node("b")];
  await network.link({ node: a, interface: "eth0" }, { node: b, interface: "eth0" });
  const seen: string[] = [];
  const [background, interfaces] = a.within(() => [
    new BackgroundNetlink(),
    new Interfaces({
      onChange(event) {
        if ("address" in event && event.address.address.startsWith("10."))
          seen.push(`${event.kind} ${event.address.address} ${event.address.validLifetime}`);
      },
      onError: () => {},
    }),
  ]);
  try {
    const index = interfaces.byName("eth0")?.index ?? 0;
    await background.request([assignment(index, "10.9.0.1")]);
    await until("the addition is seen", () => seen.length === 1);
    interfaces.overlookRenewalsBy(background.port);
    await background.request([assignment(index, "10.9.0.1", 200)]);
    await a.run("ip", "addr", "add", "10.9.0.2/24", "dev", "eth0");
    await a.run("ip", "addr", "del", "10.9.0.2/24", "dev", "eth0");
    await until("the removal is seen", () => seen.some((one) => one.startsWith("address-removed")));
    assert.deepEqual(seen, ["address 10.9.0.1 100", "address 10.9.0.2 forever", "address-removed 10.9.0.2 forever"]);
  } finally {
    interfaces.close();
    await background.close();
  }
});
