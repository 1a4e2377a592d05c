/** `evenkeel events`: state changes with their causes as JSON lines. */

import { lines, socketPath, withControl } from "./control-client.ts";

export interface EventsOptions {
  readonly follow: boolean;
  readonly socket?: string;
}

export function events(options: EventsOptions): Promise<void> {
  return withControl(async () => {
    const command = options.follow ? "events" : "recent-events";
    process.stdout.on("error", () => process.exit());
    for await (const line of lines(socketPath(options.socket), { command })) process.stdout.write(`${line}\n`);
  });
}
