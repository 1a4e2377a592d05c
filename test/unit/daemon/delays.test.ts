/** What is waited for before the VRRP machine hears of it. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { instantAt, seconds } from "../../../src/base/time.ts";
import { LinkDelays, withDelayAfterBoot } from "../../../src/daemon/vrrp/delays.ts";
import type { Input, LinkLack } from "../../../src/vrrp/messages.ts";
import { configuration } from "../../support/vrrp-configuration.ts";

const link = (name: string, up: boolean): Extract<Input, { type: "link" }> => ({ type: "link", interface: name, up });

describe("A link with interface_up_down_delays", () => {
  const setUp = () => {
    const passed: Input[] = [];
    const delays = new LinkDelays((input) => passed.push(input));
    delays.configure([{ interface: "eth0", down: seconds(2), up: seconds(5) }]);
    delays.begin(["eth0", "eth1"].map((name) => ({ name, up: true, addresses: [] })));
    return { passed, delays };
  };

  test("is down or up when it has been for so long", (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const { passed, delays } = setUp();
    delays.handle(link("eth0", false));
    t.mock.timers.tick(1_999);
    assert.deepEqual(passed, []);
    t.mock.timers.tick(1);
    assert.deepEqual(passed, [link("eth0", false)]);
    delays.handle(link("eth0", true));
    t.mock.timers.tick(4_999);
    assert.equal(passed.length, 1);
    t.mock.timers.tick(1);
    assert.deepEqual(passed[1], link("eth0", true));
  });

  test("that comes back in time has never been down", (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const { passed, delays } = setUp();
    delays.handle(link("eth0", false));
    t.mock.timers.tick(1_000);
    delays.handle(link("eth0", true));
    t.mock.timers.tick(60_000);
    assert.deepEqual(passed, []);
    delays.handle(link("eth0", false));
    t.mock.timers.tick(2_000);
    assert.deepEqual(passed, [link("eth0", false)]);
  });

  test("lacks something else without delay once it is down, and in its time before", (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const { passed, delays } = setUp();
    const down = (lack: LinkLack): Input => ({ ...link("eth0", false), lack });
    delays.handle(down("carrier"));
    delays.handle(down("up"));
    t.mock.timers.tick(2_000);
    assert.deepEqual(passed, [down("up")]);
    delays.handle(down("interface"));
    assert.deepEqual(passed[1], down("interface"));
    delays.handle(link("eth0", true));
    t.mock.timers.tick(5_000);
    assert.deepEqual(passed[2], link("eth0", true));
  });

  test("holds back no other link and nothing else", () => {
    const { passed, delays } = setUp();
    delays.handle(link("eth1", false));
    delays.handle({ type: "timer" });
    assert.deepEqual(passed, [link("eth1", false), { type: "timer" }]);
  });
});

describe("vrrp_delay_after_boot", () => {
  const delayOf = (delayAfterBoot: number, startupDelay: number, sinceBoot: number) =>
    withDelayAfterBoot(
      configuration([], { global: { delayAfterBoot: seconds(delayAfterBoot), startupDelay: seconds(startupDelay) } }),
      instantAt(sinceBoot * 1_000_000),
    ).global.startupDelay;

  test("delays the start by what is left of it, if vrrp_startup_delay is not longer", () => {
    assert.equal(delayOf(60, 0, 45), seconds(15));
    assert.equal(delayOf(60, 20, 45), seconds(20));
    assert.equal(delayOf(60, 0, 61), seconds(0));
  });
});
