/** rtnetlink requests on another thread, and what the vrrp process does with them. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { IpAddress } from "../../src/base/ip.ts";
import { constants, SystemError } from "../../src/sys/addon.ts";
import { addressRequest } from "../../src/sys/addresses.ts";
import { BackgroundNetlink } from "../../src/sys/background-netlink.ts";
import { Interfaces } from "../../src/sys/interfaces.ts";
import { TestNetwork } from "../support/namespace.ts";

const assignment = (interfaceIndex: number, address: string) =>
  addressRequest({
    interfaceIndex,
    address: address as IpAddress,
    prefixLength: 24,
    validLifetime: 100,
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
