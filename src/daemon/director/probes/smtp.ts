/** SMTP_CHECK: 220, HELO, 250, QUIT (RFC 5321 §4.2, replies of several lines included). */

import type { CheckConnection } from "../../../config/model/virtual-server.ts";
import { connectStream } from "../../../sys/outgoing.ts";
import { type Abort, begin, type Report, wordsOf } from "./attempt.ts";

/** keepalived's SMTP_BUFF_MAX. */
const LONGEST_REPLY = 512;

export function probeSmtp(
  check: { readonly connection: CheckConnection; readonly heloName: string },
  report: Report,
): Abort {
  return begin(report, (attempt) => {
    const { connection } = check;
    const server = `[${connection.address}]:${connection.port}`;
    const socket = connectStream(connection);
    let connected = false;
    let asked = false;
    let text = "";
    attempt.afterwards(() => socket.destroy());
    attempt.deadline(connection.timeout, () =>
      connected
        ? attempt.fail("no reply", `SMTP_CHECK Read timeout from server ${server}`)
        : attempt.fail("no answer to the connection", `SMTP_CHECK Connection timeout to server ${server}`),
    );
    socket.once("connect", () => {
      connected = true;
      attempt.deadline(connection.timeout, () =>
        attempt.fail("no reply", `SMTP_CHECK Read timeout from server ${server}`),
      );
    });
    socket.on("error", (error) =>
      attempt.fail(
        wordsOf(error),
        connected
          ? `SMTP_CHECK Read failure from server ${server}`
          : `SMTP_CHECK Could not connect to server ${server}`,
      ),
    );
    socket.on("close", () => attempt.fail("the server closed", `SMTP_CHECK Read failure from server ${server}`));
    socket.on("data", (bytes: Buffer) => {
      text += bytes.toString("latin1");
      const reply = /^(?:\d{3}-[^\n]*\n)*(\d{3})(?: [^\n]*)?\r?\n/.exec(text);
      if (reply === null) {
        if (text.length > LONGEST_REPLY)
          attempt.fail("a reply without an end", `SMTP_CHECK Buffer overflow reading from server ${server}.`);
        return;
      }
      const [whole, code] = reply;
      text = text.slice(whole.length);
      const wanted = asked ? "250" : "220";
      if (code !== wanted) {
        const line = `SMTP_CHECK Bad ${asked ? "HELO response" : "greeting banner"} from server ${server}`;
        attempt.fail(`${asked ? "HELO" : "greeting"} answered with ${code}`, line);
      } else if (asked) {
        socket.end("QUIT\r\n");
        attempt.pass("HELO answered with 250");
      } else {
        asked = true;
        attempt.deadline(connection.timeout, () =>
          attempt.fail("no reply to HELO", `SMTP_CHECK Read timeout from server ${server}`),
        );
        socket.write(`HELO ${check.heloName}\r\n`);
      }
    });
  });
}
