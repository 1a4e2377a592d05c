/** evenkeel and Debian's keepalived 2.2.7 together, in both roles: docs/internals/interop.md has the cases and what each side said. */

import { describe, test } from "node:test";
import { INTEROP_ROLES, playInteropCase } from "../support/interop.ts";
import { INTEROP_CASES } from "../support/interop-cases.ts";

// Each waits for timers of the protocol in namespaces of its own.
describe("interoperability with keepalived 2.2.7", { concurrency: 4 }, () => {
  for (const one of INTEROP_CASES) {
    for (const roles of INTEROP_ROLES) {
      test(`${one.name}, ${roles.a} as the better router beside ${roles.b}: ${one.result}`, async () => {
        await playInteropCase(one, roles);
      });
    }
  }
});
