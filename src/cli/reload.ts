/**
 * `evenkeel reload`: what SIGHUP does, with an answer. Exit 0 applied or unchanged, 2 refused. With `--dry-run` it only says
 * what it would do.
 */

import { planLines } from "../config/reload-plan.ts";
import type { ReloadOutcome, ReloadPlan } from "../daemon/supervisor/status.ts";
import { ask, socketPath, withControl } from "./control-client.ts";

export interface ReloadOptions {
  readonly json?: boolean;
  readonly socket?: string;
  readonly dryRun?: boolean;
}

export function reload(options: ReloadOptions): Promise<void> {
  return withControl(async () => {
    const request = { command: "reload", ...(options.dryRun ? { dryRun: true } : {}) } as const;
    const answer = (await ask(socketPath(options.socket), request)) as ReloadOutcome | ReloadPlan;
    if (answer.result === "refused") process.exitCode = 2;
    if (options.json) process.stdout.write(`${JSON.stringify(answer)}\n`);
    else process.stdout.write(`${lines(answer).join("\n")}\n`);
  });
}

function lines(answer: ReloadOutcome | ReloadPlan): string[] {
  if (answer.result !== "planned") return [`reload: ${answer.result}`, ...answer.diagnostics];
  return answer.changes.length === 0 ? ["a reload changes nothing"] : planLines(answer.changes);
}
