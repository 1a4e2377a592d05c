/** Runs nft(8): a script is one transaction. */

import { spawn } from "node:child_process";
import process from "node:process";

export type NftOutcome =
  | { readonly type: "done"; readonly output: string }
  /** There is no nft on this machine. */
  | { readonly type: "missing" }
  | { readonly type: "refused"; readonly message: string };

const LONGEST_MS = 5_000;
const LONGEST_OUTPUT = 65_536;

/** A script by standard input, or with `argv` a question. Never rejects. */
export function nft(script: string, argv: readonly string[] = ["-f", "-"]): Promise<NftOutcome> {
  const { promise, resolve } = Promise.withResolvers<NftOutcome>();
  // An ordinary PATH leaves out the folders where Debian puts it.
  const env = { ...process.env, PATH: `${process.env.PATH ?? ""}:/usr/local/sbin:/usr/sbin:/sbin` };
  const child = spawn("nft", argv, { env, timeout: LONGEST_MS, killSignal: "SIGKILL" });
  let [output, said] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output = (output + text).slice(0, LONGEST_OUTPUT);
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(0, LONGEST_OUTPUT);
  });
  child.once("error", (error: NodeJS.ErrnoException) =>
    resolve(error.code === "ENOENT" ? { type: "missing" } : { type: "refused", message: error.message }),
  );
  child.once("close", (status) =>
    resolve(
      status === 0 ? { type: "done", output } : { type: "refused", message: said.trim() || `it ended with ${status}` },
    ),
  );
  // It may end without having read all.
  child.stdin.on("error", () => undefined);
  child.stdin.end(script);
  return promise;
}
