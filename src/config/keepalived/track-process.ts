/** `vrrp_track_process NAME { … }` (keepalived.conf(5), "Process tracking"). It has to stand above its use. */

import { type Duration, seconds } from "../../base/time.ts";
import type { TrackedProcess } from "../model/vrrp.ts";
import { quote, type Report } from "./report.ts";
import { splitCommand } from "./script.ts";
import type { Statement } from "./tree.ts";
import { integer, timer } from "./values.ts";
import { walk } from "./walk.ts";

const GREATEST_WEIGHT = 254;
const MOST_PROCESSES = 65_535;
const LONGEST_DELAY_SECONDS = 3_600;
/** TASK_COMM_LEN without its NUL: the kernel's short name is compared unless something longer is asked for. */
const LONGEST_SHORT_NAME = 15;

/** Undefined when the block names no process that could be found. */
export function readTrackProcess(statement: Statement, report: Report): TrackedProcess | undefined {
  const [name] = statement.words;
  if (name === undefined) return undefined;
  let command: readonly string[] = [];
  let match: TrackedProcess["match"] = "exact";
  let [fullCommand, weight, reverse] = [false, 0, false];
  let quorum = 1;
  let quorumMax: number | undefined;
  let [forkDelay, terminateDelay] = [seconds(0), seconds(0)];
  const delayOf = ({ words: [word] }: Statement): Duration | undefined =>
    word && timer(word, 0.000_001, LONGEST_DELAY_SECONDS, report, "no delay");
  walk(
    statement.block ?? [],
    "vrrp_track_process",
    {
      process: (line) => {
        command = splitCommand(line.line.text)?.slice(1) ?? [];
      },
      param_match: ({ words: [word] }) => {
        if (word?.text === "initial" || word?.text === "partial") match = word.text;
        else if (word !== undefined) {
          const message = `Invalid param_match type ${quote(word.text)} - ignoring`;
          report.warning(
            "keepalived/unknown-option",
            word,
            message,
            "Write initial or partial, or leave the line away",
          );
        }
      },
      full_command: () => {
        fullCommand = true;
      },
      weight: ({ words: [value, direction] }) => {
        weight = (value && integer(value, -GREATEST_WEIGHT, GREATEST_WEIGHT, report, "0")) ?? weight;
        reverse = direction?.text === "reverse";
      },
      quorum: ({ words: [value] }) => {
        quorum = (value && integer(value, 1, MOST_PROCESSES, report, "1")) ?? quorum;
      },
      quorum_max: ({ words: [value] }) => {
        const most = value && integer(value, 0, MOST_PROCESSES, report, "no limit");
        if (value !== undefined && most !== undefined && most < quorum && most !== 0) {
          const message = "quorum_max is less than quorum - ignoring";
          report.warning("keepalived/out-of-range", value, message, `Give a number from ${quorum} on`);
        } else quorumMax = most ?? quorumMax;
      },
      delay: (line) => {
        const delay = delayOf(line);
        if (delay !== undefined) [forkDelay, terminateDelay] = [delay, delay];
      },
      fork_delay: (line) => {
        forkDelay = delayOf(line) ?? forkDelay;
      },
      terminate_delay: (line) => {
        terminateDelay = delayOf(line) ?? terminateDelay;
      },
    },
    report,
  );
  const [program] = command;
  if (program === undefined) {
    const message = `track process ${quote(name.text)} process name not specified`;
    report.warning("keepalived/no-process", name, message, "Add process NAME");
    return undefined;
  }
  // quorum_max 0 means that none may run: keepalived takes it as such, with a quorum of 1 that nothing can meet.
  const full = fullCommand || command.length > 1 || program.includes("/");
  if (!full && program.length > LONGEST_SHORT_NAME) {
    const message = `${quote(program)} is longer than the ${LONGEST_SHORT_NAME} characters that the kernel keeps of a name`;
    report.warning(
      "keepalived/no-process",
      name,
      message,
      "Add full_command, or write the name as ps -o comm shows it",
    );
  }
  return {
    name: name.text,
    command,
    match,
    fullCommand: full,
    weight,
    reverse,
    quorum,
    quorumMax,
    forkDelay,
    terminateDelay,
  };
}
