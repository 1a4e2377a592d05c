import assert from "node:assert/strict";
import { test } from "node:test";
import { dropScript } from "../../../src/daemon/vrrp/drop-table.ts";
import { configuration, instance, vip } from "../../support/vrrp-configuration.ts";

test("nothing is dropped where every router accepts", () => {
  assert.equal(dropScript(configuration([instance()])), undefined);
});

test("IPv4 virtual and excluded addresses of a router that does not accept are dropped both ways, each named once", () => {
  const closed = instance({
    accept: false,
    virtualAddresses: [vip("10.9.0.60"), vip("10.9.0.61")],
    excludedAddresses: [vip("10.9.0.61", { interface: "eth1" })],
  });
  const open = instance({ name: "W", virtualAddresses: [vip("10.9.0.70")] });
  assert.equal(
    dropScript(configuration([closed, open], { global: { nftables: { table: "lan", priority: 5 } } })),
    `table ip lan {
  set vips { type ipv4_addr; elements = { 10.9.0.60, 10.9.0.61 } }
  chain in { type filter hook input priority 5; policy accept; ip daddr @vips drop; }
  chain out { type filter hook output priority 5; policy accept; ip saddr @vips drop; }
}
`,
  );
});

test("link-local addresses are dropped on their interface alone, and neighbour discovery passes first", () => {
  const closed = instance({ accept: false, virtualAddresses: [vip("fe80::7"), vip("2001:db8::7")] });
  const script = dropScript(configuration([closed])) ?? "";
  assert.match(script, /set vips \{ type ipv6_addr; elements = \{ 2001:db8::7 \} \}/);
  assert.match(script, /set vips_link_local \{ type ipv6_addr \. ifname; elements = \{ fe80::7 \. "eth0" \} \}/);
  const rules = script.split("\n").filter((line) => / (?:accept|drop)$/.test(line));
  assert.deepEqual(
    rules.map((line) => line.trim()),
    [
      "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept",
      "ip6 daddr . iifname @vips_link_local drop",
      "ip6 daddr @vips drop",
      "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept",
      "ip6 saddr . oifname @vips_link_local drop",
      "ip6 saddr @vips drop",
    ],
  );
  assert.doesNotMatch(script, /table ip /);
});
