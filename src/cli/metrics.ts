/** `evenkeel metrics`: what the control socket gives for Prometheus, as it is. */

import { ask, socketPath, withControl } from "./control-client.ts";

export function metrics(options: { readonly socket?: string }): Promise<void> {
  return withControl(async () => {
    process.stdout.write(String(await ask(socketPath(options.socket), { command: "metrics" })));
  });
}
