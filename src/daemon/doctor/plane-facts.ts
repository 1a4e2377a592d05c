/** What the layer-4 data plane of this network namespace holds, for the doctor. Loads nothing: what is not there stays so. */

import type { PlaneFacts } from "./facts.ts";

/** Undefined: it is not loaded. */
export function readPlaneFacts(): PlaneFacts | undefined {
  return undefined;
}
