/**
 * A small web server for labs on machines without nginx: every page names the server, every request is logged.
 *
 *   node web-server.ts --name s1 [--port 80] [--address 0.0.0.0]
 */

import { createServer, type Server } from "node:http";
import { parseArgs } from "node:util";

export interface WebServerOptions {
  readonly name: string;
  /** One line a request, in the Common Log Format. */
  readonly log: (line: string) => void;
}

/** Answers GET and HEAD of any path; 405 to the rest. */
export function createWebServer({ name, log }: WebServerOptions): Server {
  return createServer((request, response) => {
    const { method = "", url = "", httpVersion } = request;
    const readable = method === "GET" || method === "HEAD";
    const body = readable ? `${name}\n` : "";
    const status = readable ? 200 : 405;
    response.on("close", () => {
      const from = request.socket.remoteAddress?.replace(/^::ffff:/, "") ?? "-";
      const when = new Date().toISOString();
      log(
        `${from} - - [${when}] "${method} ${url} HTTP/${httpVersion}" ${status} ${method === "HEAD" ? 0 : body.length}`,
      );
    });
    request.resume();
    response.writeHead(status, { "content-type": "text/plain", "content-length": body.length, "x-served-by": name });
    response.end(body);
  });
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      name: { type: "string", default: "server" },
      port: { type: "string", default: "80" },
      address: { type: "string", default: "0.0.0.0" },
    },
  });
  const server = createWebServer({ name: values.name, log: (line) => process.stdout.write(`${line}\n`) });
  server.on("error", (error) => {
    process.stderr.write(`web server ${values.name}: ${error.message}\n`);
    process.exitCode = 1;
  });
  server.listen(Number(values.port), values.address);
}
