/**
 * node:test's words for files whose every test loads programs into the kernel: where that is not to be had (no root, an
 * old kernel), each test is skipped with the reason in words, and no hook runs.
 */

import * as runner from "node:test";
import { needsBpf } from "./bpf.ts";

const { skip } = needsBpf;

/** The same word for a test or suite that is only named. */
function naming<Word extends (name: string, options: { skip: string }) => Promise<void>>(word: Word): Word {
  if (skip === false) return word;
  return Object.assign((name?: unknown) => word(String(name), { skip }), word);
}

function unheard(hook: typeof runner.before): typeof runner.before {
  return skip === false ? hook : () => {};
}

export const test = naming(runner.test);
export const describe = naming(runner.describe);
export const before = unheard(runner.before);
export const after = unheard(runner.after);
