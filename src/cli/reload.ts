/** `evenkeel reload`: what SIGHUP does, with an answer. Exit 0 applied or unchanged, 2 refused. */

import type { ReloadOutcome } from "../daemon/supervisor/status.ts";
import { ask, socketPath, withControl } from "./control-client.ts";

export interface ReloadOptions {
  readonly json?: boolean;
  readonly socket?: string;
}

export function reload(options: ReloadOptions): Promise<void> {
  return withControl(async () => {
    const outcome = (await ask(socketPath(options.socket), { command: "reload" })) as ReloadOutcome;
    if (outcome.result === "refused") process.exitCode = 2;
    if (options.json) process.stdout.write(`${JSON.stringify(outcome)}\n`);
    else process.stdout.write([`reload: ${outcome.result}`, ...outcome.diagnostics, ""].join("\n"));
  });
}
