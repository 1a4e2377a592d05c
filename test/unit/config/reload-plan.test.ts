/** What a reload says that it will do. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { seconds } from "../../../src/base/time.ts";
import type { Configuration } from "../../../src/config/model/configuration.ts";
import type { VrrpInstance } from "../../../src/config/model/vrrp.ts";
import { planLines, planReload } from "../../../src/config/reload-plan.ts";
import { configuration, group, instance, ip, script, vip } from "../../support/vrrp-configuration.ts";

const vrrp = (...instances: VrrpInstance[]): Configuration => ({
  daemon: undefined,
  vrrp: configuration(instances),
  director: undefined,
  proxy: undefined,
});

const plan = (before: Configuration, after: Configuration, state = "MASTER") =>
  planLines(planReload(before, after, { stateOf: () => state }));

test("nothing changes when nothing is different", () => {
  assert.deepEqual(plan(vrrp(instance()), vrrp(instance())), []);
});

test("an address more is announced by a master, which misses no advert and moves no other", () => {
  const after = instance({ virtualAddresses: [vip("10.9.0.50"), vip("10.9.0.51")] });
  assert.deepEqual(plan(vrrp(instance()), vrrp(after)), [
    "vrrp_instance V changed: virtual_ipaddress 10.9.0.51/24 dev eth0 is new; stays MASTER, no advert is missed; " +
      "10.9.0.51/24 is added and announced; no other address moves",
  ]);
  assert.deepEqual(plan(vrrp(after), vrrp(instance()), "BACKUP"), [
    "vrrp_instance V changed: virtual_ipaddress 10.9.0.51/24 dev eth0 is gone; stays BACKUP",
  ]);
});

test("a priority, a tracker and a duration are told as the file has them", () => {
  const after = instance({
    priority: 90,
    advertInterval: seconds(2),
    trackScripts: [{ script: "chk", weight: -20, reverse: false }],
    garp: { ...instance().garp, masterRepeat: 2 },
  });
  assert.deepEqual(plan(vrrp(instance()), vrrp(after)), [
    "vrrp_instance V changed: priority 100 → 90; advert_int 1 s → 2 s; track_script chk weight -20 is new; garp master_repeat 5 → 2; " +
      "stays MASTER, no advert is missed; other routers refuse its adverts until their advert_int is the same; " +
      "a router with a higher priority takes over",
  ]);
});

test("another number is another virtual router: the addresses are let go", () => {
  assert.deepEqual(plan(vrrp(instance()), vrrp(instance({ virtualRouterId: 6 }))), [
    "vrrp_instance V changed: virtual_router_id 5 → 6; is a new virtual router to its neighbours: the old one sends priority 0 " +
      "and lets 10.9.0.50/24 go: another router takes over at once; the new one starts as BACKUP",
  ]);
});

test("another name is the same virtual router", () => {
  assert.deepEqual(plan(vrrp(instance()), vrrp(instance({ name: "W" })), "BACKUP"), [
    "vrrp_instance W changed: name V → W; stays BACKUP",
  ]);
});

test("instances come and go", () => {
  const other = instance({ name: "W", virtualRouterId: 6, virtualAddresses: [] });
  assert.deepEqual(plan(vrrp(instance()), vrrp(other)), [
    "vrrp_instance V removed: sends priority 0 and lets 10.9.0.50/24 go: another router takes over at once",
    "vrrp_instance W added: VRID 6 on eth0, priority 100, starts as BACKUP",
  ]);
});

test("a password is never shown", () => {
  const lines = plan(vrrp(instance({ authPass: "secret1" })), vrrp(instance({ authPass: "secret2" })), "BACKUP");
  assert.deepEqual(lines, [
    "vrrp_instance V changed: auth_pass (not shown) is changed; stays BACKUP; " +
      "other routers refuse its adverts until their authentication is the same",
  ]);
});

test("groups, scripts and global settings have their lines", () => {
  const before: Configuration = {
    ...vrrp(),
    vrrp: configuration([], { scripts: [script("a")], syncGroups: [group("G", ["V"])] }),
  };
  const after: Configuration = {
    ...vrrp(),
    vrrp: configuration([], {
      scripts: [script("a", { interval: seconds(5) }), script("b")],
      syncGroups: [group("G", ["V", "W"])],
      global: { mcastGroup4: ip("224.0.0.99") },
    }),
  };
  assert.deepEqual(plan(before, after), [
    "vrrp_sync_group G changed: group W is new; its members keep their states",
    "vrrp_script a changed: interval 1 s → 5 s; runs again at once; its verdict counts on until then",
    "vrrp_script b added: runs again at once; its verdict counts on until then",
    "global_defs changed: vrrp_mcast_group4 224.0.0.18 → 224.0.0.99",
  ]);
});
