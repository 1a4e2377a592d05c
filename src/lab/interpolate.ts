/**
 * `$NAME`, `${NAME}`, `${NAME:-default}`, `${NAME-default}`, `${NAME:+other}` and `$$`, as docker compose replaces them.
 * A name that is not set and has no default becomes nothing. Does not nest.
 */
export function interpolate(text: string, environment: Readonly<Record<string, string | undefined>>): string {
  return text.replace(
    /\$(?:(\$)|([A-Za-z_]\w*)|\{([A-Za-z_]\w*)(?:(:?[-+?])([^{}]*))?\})/g,
    (_whole, dollar?: string, plain?: string, braced?: string, operator?: string, word = "") => {
      if (dollar !== undefined) return "$";
      const value = environment[plain ?? braced ?? ""];
      const given = operator?.startsWith(":") === true ? value !== undefined && value !== "" : value !== undefined;
      if (operator?.endsWith("+") === true) return given ? word : "";
      if (given) return value ?? "";
      return operator?.endsWith("-") === true ? word : "";
    },
  );
}
