/** `evenkeel check … | head`: who reads does not read to the end. */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { EVENKEEL } from "../../support/vrrp-pair.ts";

test("a reader that leaves early ends check without a complaint, and with its status", async () => {
  const folder = mkdtempSync(join(tmpdir(), "check-"));
  try {
    const file = join(folder, "keepalived.conf");
    // More than a pipe holds.
    const addresses = Array.from({ length: 1_500 }, (_, n) => `10.9.${Math.floor(n / 200)}.${(n % 200) + 1}`);
    const head = "nosuch_keyword\nvrrp_instance A {\ninterface eth0\nvirtual_router_id 5\nvirtual_ipaddress {\n";
    writeFileSync(file, `${head}${addresses.join("\n")}\n}\n}\n`);
    const command = `set -o pipefail; "${EVENKEEL}" check "${file}" | head -n 1`;
    const error = await promisify(execFile)("bash", ["-c", command]).then(
      () => undefined,
      (failed: { code: number; stderr: string }) => failed,
    );
    assert.equal(error?.stderr, "");
    assert.ok(error?.code === 1 || error?.code === 2);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
