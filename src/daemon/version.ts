/** The program's version, from package.json. */

import packageDescription from "../../package.json" with { type: "json" };

export const VERSION: string = packageDescription.version;
