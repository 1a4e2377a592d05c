/** `notify_fifo`, `vrrp_notify_fifo` and `lvs_notify_fifo` of global_defs, each with its script (keepalived.conf(5)). */

import type { NotifyFifo, ScriptCommand, ScriptUser } from "../model/vrrp.ts";
import type { Report } from "./report.ts";
import { commandOf, scriptUser } from "./script.ts";
import type { Statement } from "./tree.ts";
import type { Handlers } from "./walk.ts";

interface FifoDraft {
  path: string | undefined;
  user: ScriptUser | undefined;
  script: ScriptCommand | undefined;
}

const noFifo = (): FifoDraft => ({ path: undefined, user: undefined, script: undefined });

export class FifoReader {
  readonly #all = noFifo();
  readonly #vrrp = noFifo();
  readonly #lvs = noFifo();
  readonly #report: Report;

  constructor(report: Report) {
    this.#report = report;
  }

  get handlers(): Handlers {
    return {
      ...this.#handlersOf("notify_fifo", this.#all),
      ...this.#handlersOf("vrrp_notify_fifo", this.#vrrp),
      ...this.#handlersOf("lvs_notify_fifo", this.#lvs),
    };
  }

  /** Those that hear of instances and sync groups. */
  get vrrp(): NotifyFifo[] {
    return [this.#all, this.#vrrp].map(completeFifo).filter((fifo) => fifo !== undefined);
  }

  /** Those that hear of virtual and real servers. */
  get lvs(): NotifyFifo[] {
    return [this.#all, this.#lvs].map(completeFifo).filter((fifo) => fifo !== undefined);
  }

  #handlersOf(name: string, into: FifoDraft): Handlers {
    return {
      [name]: ({ words: [path, user, group] }: Statement) => {
        into.path = path?.text;
        into.user = user === undefined ? undefined : scriptUser(user.text, group?.text);
      },
      [`${name}_script`]: (line: Statement) => {
        into.script = commandOf(line, "user", this.#report);
      },
    };
  }
}

const completeFifo = ({ path, user, script }: FifoDraft): NotifyFifo | undefined =>
  path === undefined ? undefined : { path, user, script };
