/** TCP_CHECK: the connection is the answer. */

import type { CheckConnection } from "../../../config/model/virtual-server.ts";
import { connectStream } from "../../../sys/outgoing.ts";
import { type Abort, begin, type Report, target, wordsOf } from "./attempt.ts";

export function probeTcp(connection: CheckConnection, report: Report): Abort {
  return begin(report, (attempt) => {
    const socket = connectStream(connection);
    attempt.afterwards(() => socket.destroy());
    attempt.deadline(connection.timeout, () =>
      attempt.fail("no answer to the connection", `TCP connection to ${target(connection)} timeout.`),
    );
    socket.once("connect", () => attempt.pass("connected"));
    // Stays: a destroyed socket may report a last error.
    socket.on("error", (error) => attempt.fail(wordsOf(error), `TCP connection to ${target(connection)} failed.`));
  });
}
