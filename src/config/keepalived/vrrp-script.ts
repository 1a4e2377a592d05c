/** `vrrp_script NAME { … }` (keepalived.conf(5), "VRRP script(s)"). */

import { type Duration, seconds } from "../../base/time.ts";
import type { ScriptCommand, ScriptUser, VrrpScript } from "../model/vrrp.ts";
import { quote, type Report } from "./report.ts";
import { commandOf, scriptUser } from "./script.ts";
import type { Statement } from "./tree.ts";
import { integer } from "./values.ts";
import { walk } from "./walk.ts";

const MOST_SECONDS = 4_294;
const MOST_RUNS = 2_147_483_647;

/** Undefined when the block gives no command that could be run. */
export function readVrrpScript(statement: Statement, report: Report): VrrpScript | undefined {
  const name = statement.words[0];
  if (name === undefined) return undefined;
  let command: ScriptCommand | undefined;
  let user: ScriptUser | undefined;
  let interval = seconds(1);
  let timeout: Duration | undefined;
  let [weight, reverse, rise, fall, initFail] = [0, false, 1, 1, false];

  walk(
    statement.block ?? [],
    "vrrp_script",
    {
      script: (line) => {
        command = commandOf(line, "ignored", report);
      },
      interval: ({ words: [word] }) => {
        if (word?.text === "0") {
          const message = `(${name.text}): vrrp script interval must be greater than 0, setting to 1`;
          report.warning("keepalived/out-of-range", word, message, "Give whole seconds from 1 on");
          return;
        }
        const value = word && integer(word, 1, MOST_SECONDS, report, "1");
        if (value !== undefined) interval = seconds(value);
      },
      timeout: ({ words: [word] }) => {
        const value = word && integer(word, 1, MOST_SECONDS, report, "the interval");
        if (value !== undefined) timeout = seconds(value);
      },
      weight: ({ words: [word, direction] }) => {
        weight = (word && integer(word, -253, 253, report, "0")) ?? weight;
        if (direction === undefined) return;
        reverse = direction.text === "reverse";
        if (!reverse && direction.text !== "noreverse")
          report.warning(
            "keepalived/unknown-option",
            direction,
            `unknown weight option ${quote(direction.text)} - ignoring`,
          );
      },
      rise: ({ words: [word] }) => {
        rise = (word && integer(word, 1, MOST_RUNS, report, "1")) ?? rise;
      },
      fall: ({ words: [word] }) => {
        fall = (word && integer(word, 1, MOST_RUNS, report, "1")) ?? fall;
      },
      user: ({ words: [word, group] }) => {
        if (word !== undefined) user = scriptUser(word.text, group?.text);
      },
      init_fail: () => {
        initFail = true;
      },
    },
    report,
  );

  if (command === undefined) {
    const message = `No script set for vrrp_script ${quote(name.text)} - removing`;
    report.warning("keepalived/no-script", name, message, 'Add script "/path/to/command argument"');
    return undefined;
  }
  const run = { argv: command.argv, user };
  return {
    name: name.text,
    command: run,
    interval,
    timeout: timeout ?? interval,
    weight,
    reverse,
    rise,
    fall,
    initFail,
  };
}
