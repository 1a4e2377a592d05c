/** The processes of this machine, for `ProcessTracker`. */

import { commandLine, listProcesses, ProcessEnd, ProcessEvents, processName } from "../../../sys/process-events.ts";
import type { ProcessSource } from "./process-tracker.ts";

export const kernelProcesses: ProcessSource = {
  listen: (handlers) => new ProcessEvents(handlers),
  watchEnd: (pid, ended) => new ProcessEnd(pid, ended),
  list: listProcesses,
  name: processName,
  commandLine,
};
