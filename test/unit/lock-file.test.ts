/** package-lock.json is whole. `npm ci` refuses a lock file with gaps, which only shows where node_modules is missing. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

interface Locked {
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
}

const text = readFileSync(new URL("../../package-lock.json", import.meta.url), "utf8");
const packages: Record<string, Locked> = JSON.parse(text).packages;

/** Where Node's resolution would find a package that is asked for in a folder: there, or in a folder above. */
function places(folder: string, name: string): string[] {
  const above = folder.lastIndexOf("node_modules/");
  const here = `${folder ? `${folder}/` : ""}node_modules/${name}`;
  return above < 0 ? [here] : [here, ...places(folder.slice(0, Math.max(above - 1, 0)), name)];
}

test("the lock file has every package that another asks for, also those for other platforms", () => {
  const missing = Object.entries(packages).flatMap(([folder, { dependencies, optionalDependencies }]) =>
    Object.keys({ ...dependencies, ...optionalDependencies })
      .filter((name) => !places(folder, name).some((place) => place in packages))
      .map((name) => `${name} for ${folder}`),
  );
  assert.deepEqual(missing, []);
});
