/** Talks to the control socket of a running evenkeel. */

import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";
import type { ControlAnswer, ControlRequest } from "../daemon/supervisor/control.ts";

export const socketPath = (option: string | undefined): string =>
  option ?? process.env.EVENKEEL_SOCKET ?? "/run/evenkeel/control.sock";

/** Why there is no answer, in words for the person at the terminal. */
export class ControlUnavailable extends Error {}

/** Nobody answers there. */
export class NotRunning extends ControlUnavailable {}

/** @throws {ControlUnavailable} when nobody answers at `path`, or the answer is an error. */
export async function ask(path: string, request: ControlRequest): Promise<unknown> {
  for await (const line of lines(path, request)) {
    const answer = JSON.parse(line) as ControlAnswer;
    if (answer.ok) return answer.value;
    throw new ControlUnavailable(answer.error);
  }
  throw new ControlUnavailable(`${path}: closed without an answer`);
}

/** The lines that come back, until the other side closes or the caller stops reading. */
export async function* lines(path: string, request: ControlRequest): AsyncGenerator<string> {
  const socket = await open(path);
  try {
    socket.write(`${JSON.stringify(request)}\n`);
    yield* createInterface({ input: socket });
  } finally {
    socket.destroy();
  }
}

function open(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once("connect", () => resolve(socket));
    socket.once("error", (error: NodeJS.ErrnoException) => {
      const { code } = error;
      if (code === "ENOENT" || code === "ECONNREFUSED") {
        reject(new NotRunning(`${path}: evenkeel is not running (or listens elsewhere: --socket)`));
      } else {
        const why = code === "EACCES" ? "not allowed; the control socket is for root" : error.message;
        reject(new ControlUnavailable(`${path}: ${why}`));
      }
    });
  });
}

/** Runs a command; what went wrong with the socket is one line on standard error and exit status 1. */
export async function withControl(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof ControlUnavailable)) throw error;
    process.stderr.write(`evenkeel: ${error.message}\n`);
    process.exitCode = 1;
  }
}
