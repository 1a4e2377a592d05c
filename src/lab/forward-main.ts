/** The forwarder of a published port: accepts on inherited descriptor 3 and connects to `ADDRESS PORT` in its node. */

import { connect, createServer } from "node:net";

const [host = "127.0.0.1", port = "80"] = process.argv.slice(2);

createServer({ allowHalfOpen: true }, (from) => {
  const to = connect({ host, port: Number(port), allowHalfOpen: true });
  from.on("error", () => to.destroy());
  to.on("error", () => from.destroy());
  from.on("close", () => to.destroy());
  to.on("close", () => from.destroy());
  from.pipe(to).pipe(from);
}).listen({ fd: 3 });
