/** Words about the processes themselves: outside every block, and in global_defs (keepalived.conf(5), "Global definitions"). */

import { type Duration, seconds } from "../../base/time.ts";
import type { DaemonSettings } from "../model/daemon.ts";
import { quote, type Report } from "./report.ts";
import type { Statement } from "./tree.ts";
import { integer } from "./values.ts";
import type { Handlers } from "./walk.ts";

/** S_IRUSR and its like, by their names without S_. */
const BITS: Readonly<Record<string, number>> = {
  ...{ IRUSR: 0o400, IWUSR: 0o200, IXUSR: 0o100, IRWXU: 0o700, IRGRP: 0o040, IWGRP: 0o020, IXGRP: 0o010 },
  ...{ IRWXG: 0o070, IROTH: 0o004, IWOTH: 0o002, IXOTH: 0o001, IRWXO: 0o007 },
};

const USUAL_UMASK = 0o177;
const LONGEST_WAIT_SECONDS = 60;

export class DaemonSettingsReader {
  readonly #report: Report;
  readonly #names = {
    ...{ parent: undefined as string | undefined, vrrp: undefined as string | undefined },
    ...{ checker: undefined as string | undefined, bfd: undefined as string | undefined },
  };
  readonly #dumps = {
    ...{ useInstance: false, jsonVersion: 1 as 1 | 2, state: undefined as string | undefined },
    ...{ stats: undefined as string | undefined, json: undefined as string | undefined },
  };
  #instance: string | undefined;
  #usePidDir = false;
  #childWaitTime: Duration = seconds(5);
  #umask = USUAL_UMASK;

  constructor(report: Report) {
    this.#report = report;
  }

  /** Outside every block. */
  get blockHandlers(): Handlers {
    return {
      instance: ({ words: [name] }) => {
        if (name === undefined) return;
        if (/^[^\s/]{1,64}$/.test(name.text)) this.#instance = name.text;
        else {
          const message = `${quote(name.text)} cannot be part of a file's name`;
          this.#report.warning("keepalived/unknown-option", name, message, "Write a word without slashes");
        }
      },
      use_pid_dir: () => {
        this.#usePidDir = true;
      },
      child_wait_time: ({ words: [time] }) => {
        const value = time && integer(time, 0, LONGEST_WAIT_SECONDS, this.#report, "5");
        if (value !== undefined) this.#childWaitTime = seconds(value);
      },
    };
  }

  /** Of global_defs. */
  get globalHandlers(): Handlers {
    const path =
      (key: "state" | "stats" | "json") =>
      ({ words: [word] }: Statement) => {
        if (word !== undefined) this.#dumps[key] = word.text;
      };
    const name =
      (key: keyof DaemonSettings["processNames"]) =>
      ({ words: [word] }: Statement) => {
        if (word !== undefined) this.#names[key] = word.text;
      };
    return {
      umask: (statement) => this.#readUmask(statement),
      data_use_instance: () => {
        this.#dumps.useInstance = true;
      },
      json_version: ({ words: [version] }) => {
        const value = version && integer(version, 1, 2, this.#report, "1");
        if (value === 1 || value === 2) this.#dumps.jsonVersion = value;
      },
      state_dump_file: path("state"),
      stats_dump_file: path("stats"),
      json_dump_file: path("json"),
      process_names: () => {
        this.#names.vrrp ??= "keepalived_vrrp";
        this.#names.checker ??= "keepalived_lvs";
        this.#names.bfd ??= "keepalived_bfd";
      },
      process_name: name("parent"),
      vrrp_process_name: name("vrrp"),
      checker_process_name: name("checker"),
      lvs_process_name: name("checker"),
      bfd_process_name: name("bfd"),
    };
  }

  complete(): DaemonSettings {
    return {
      instance: this.#instance,
      usePidDir: this.#usePidDir,
      childWaitTime: this.#childWaitTime,
      umask: this.#umask,
      processNames: { ...this.#names },
      dumps: { ...this.#dumps },
    };
  }

  /** A number as C writes it, or names of bits with `|` between them. */
  #readUmask({ words }: Statement): void {
    const text = words.map((word) => word.text).join("");
    const number = /^0[0-7]{0,6}$/.test(text) ? Number.parseInt(text, 8) : Number(text);
    if (/^(0x[0-9a-fA-F]{1,4}|[0-9]{1,7})$/.test(text)) {
      if (number <= 0o777) this.#umask = number;
      else this.#say(words[0], `invalid umask value ${text}`);
      return;
    }
    let mask = 0;
    for (const part of text.split("|")) {
      const bit = Object.hasOwn(BITS, part) ? BITS[part] : undefined;
      if (bit === undefined) {
        this.#say(words[0], `Unknown umask bit ${part}`);
        return;
      }
      mask |= bit;
    }
    this.#umask = mask;
  }

  #say(at: Statement["keyword"] | undefined, message: string): void {
    const help = "Write an octal number such as 022, or IRUSR | IWUSR and so on";
    if (at !== undefined) this.#report.warning("keepalived/bad-umask", at, message, help);
  }
}
