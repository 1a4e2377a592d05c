/** evenkeel and Debian's keepalived 2.2.7 as one pair, either way round, each dying each way. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { dissectAdverts } from "../support/dissect.ts";
import { type Brand, VrrpPair } from "../support/vrrp-pair.ts";

const VERSION_2 = ["advert_int 1", "authentication {", "  auth_type PASS", "  auth_pass passw123", "}"];
const VERSION_3 = ["version 3", "advert_int 0.2"];

const PAIRS: readonly {
  readonly master: Brand;
  readonly backup: Brand;
  readonly lines: readonly string[];
  readonly name: string;
}[] = [
  { master: "evenkeel", backup: "keepalived", lines: VERSION_2, name: "version 2 with PASS" },
  { master: "keepalived", backup: "evenkeel", lines: VERSION_2, name: "version 2 with PASS" },
  { master: "evenkeel", backup: "keepalived", lines: VERSION_3, name: "version 3 at 200 ms" },
  { master: "keepalived", backup: "evenkeel", lines: VERSION_3, name: "version 3 at 200 ms" },
  { master: "evenkeel", backup: "evenkeel", lines: VERSION_3, name: "version 3 at 200 ms" },
];

for (const options of PAIRS) {
  const { master, backup, name } = options;
  test(`${master} as master and ${backup} as backup, ${name}: the VIP moves for every kind of death and comes back`, async () => {
    await using pair = await VrrpPair.start(options);

    await pair.master.stop();
    await pair.backup.holding();
    assert.equal(await pair.master.holdsVip(), false, "after a clean stop");
    pair.master.start();
    await pair.master.holding();
    await pair.backup.lettingGo();

    await pair.master.kill();
    await pair.backup.holding();
    await pair.master.lettingGo();
    pair.master.start();
    await pair.master.holding();
    await pair.backup.lettingGo();

    await pair.master.cable("down");
    await pair.backup.holding();
    await pair.master.lettingGo();
    await pair.master.cable("up");
    await pair.master.holding();
    await pair.backup.lettingGo();

    pair.master.freeze();
    await pair.backup.holding();
    // keepalived keeps its VIP while it is frozen: two owners until it goes on.
    if (master === "evenkeel") await pair.master.lettingGo();
    pair.master.resume();
    await pair.master.holding();
    await pair.backup.lettingGo();

    await pair.backup.stop();
    assert.equal(await pair.master.holdsVip(), true, "the backup's end moves nothing");
    await pair.endCapture();
    const adverts = dissectAdverts(pair.captureFile);
    assert.ok(adverts.length > 10, `${adverts.length} adverts captured`);
    assert.deepEqual(
      adverts.filter((one) => one.checksum !== "1" || one.expert !== "" || one.ttl !== "255"),
      [],
    );
    assert.deepEqual([...new Set(adverts.map((one) => one.source))].sort(), ["10.9.0.1", "10.9.0.2"]);
  });
}
