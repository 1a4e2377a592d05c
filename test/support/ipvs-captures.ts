/** What the kernel's IPVS chose (test/fixtures/ipvs/, written by scripts/oracle). */

import { readFileSync } from "node:fs";
import type { Capture, Scenario } from "./ipvs-scenario.ts";

export type CaptureName = "turns" | "loads" | "hashes" | "persistence" | "locality";

export function capturedScenarios(name: CaptureName): readonly Scenario[] {
  const text = readFileSync(new URL(`../fixtures/ipvs/${name}.json`, import.meta.url), "utf8");
  return (JSON.parse(text) as Capture).scenarios;
}
