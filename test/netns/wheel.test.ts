/** The wheel that ends connections: it looks at each when its time has come, and rests in between. */

import assert from "node:assert/strict";
import { setTimeout as wait } from "node:timers/promises";
import { numberKey } from "../../src/director/layouts.ts";
import { test } from "../support/bpf-tests.ts";
import { DataPlane } from "../support/data-plane.ts";
import { SYN } from "../support/frames.ts";
import { serverKey, serverSettings, serviceKey, serviceSettings } from "../support/tables.ts";

const SLOTS = 4096;

/** Tokens that the wheel has given out for IPv4. */
function tokens(plane: DataPlane): number {
  const slots = plane.object.map("wheel_slots");
  let sum = 0;
  for (let slot = 0; slot < SLOTS; slot++) {
    const value = slots.lookup(numberKey(slot)) ?? new Uint8Array(8);
    sum += new DataView(value.buffer, value.byteOffset).getUint32(0, true);
  }
  return sum;
}

test("A wheel that is new goes round once and does not come back to a connection at once", async () => {
  await using plane = await DataPlane.start();
  const key = serviceKey("10.9.0.1", 80);
  plane.tables.addService(key, serviceSettings({ scheduler: "rr", netmaskBits: 32 }));
  plane.tables.addServer(key, serverKey("10.2.0.2", 80), serverSettings({ method: "dr" }));
  const destination = serverKey("10.9.0.1", 0).address;
  const source = serverKey("10.1.0.2", 0).address;
  plane.receive({ protocol: "tcp", source, sourcePort: 40000, destination, destinationPort: 80 }, { flags: SYN });
  await wait(300);
  // Its first, and one more where the wheel, which begins a round back, has come past its slot.
  assert.ok(tokens(plane) >= 1 && tokens(plane) <= 2, `${tokens(plane)} tokens`);
});
