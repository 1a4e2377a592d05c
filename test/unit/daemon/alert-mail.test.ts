/** Subjects and bodies of smtp_alert for VRRP, as keepalived 2.2.7 sent them to a relay. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { alertMail } from "../../../src/daemon/vrrp/alert-mail.ts";

const text = (kind: "INSTANCE" | "GROUP", name: string, state: Parameters<typeof alertMail>[0]["state"]) => {
  const mail = alertMail({ kind, name, state });
  return mail && `${mail.subject} | ${mail.text}`;
};

test("An alert about an instance has keepalived's words", () => {
  assert.deepEqual(
    (["MASTER", "BACKUP", "FAULT", "STOP", "DELETED"] as const).map((state) => text("INSTANCE", "I1", state)),
    [
      "VRRP Instance I1 - Entering MASTER state | => VRRP Instance is now owning VRRP VIPs <=",
      "VRRP Instance I1 - Entering BACKUP state | => VRRP Instance is no longer owning VRRP VIPs <=",
      "VRRP Instance I1 - Entering FAULT state | => VRRP Instance is no longer owning VRRP VIPs <=",
      "VRRP Instance I1 - Stopping | => VRRP Instance stopping <=",
      "VRRP Instance I1 - Deleted | => VRRP Deleted at reload <=",
    ],
  );
});

test("An alert about a sync group has keepalived's words", () => {
  assert.deepEqual(
    (["MASTER", "BACKUP", "FAULT", "STOP", "DELETED"] as const).map((state) => text("GROUP", "G", state)),
    [
      "VRRP Group G - Entering MASTER state | => All VRRP group instances are now in MASTER state <=",
      "VRRP Group G - Entering BACKUP state | => All VRRP group instances are now in BACKUP state <=",
      "VRRP Group G - Entering FAULT state | => All VRRP group instances are now in FAULT state <=",
      "VRRP Group G - Stopping | => All VRRP group instances are now stopping <=",
      undefined,
    ],
  );
});

test("Nobody is written to about priorities and lower ones that were heard", () => {
  for (const state of ["MASTER_RX_LOWER_PRI", "MASTER_PRIORITY", "BACKUP_PRIORITY"] as const)
    assert.equal(alertMail({ kind: "INSTANCE", name: "I1", state }), undefined);
});
