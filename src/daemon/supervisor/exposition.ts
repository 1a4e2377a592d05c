/**
 * Prometheus' text exposition format 0.0.4: families of samples as text, each with HELP and TYPE once before its samples.
 * Knows nothing of what the figures mean.
 */

export type Labels = Readonly<Record<string, string | number>>;

export interface Sample {
  readonly labels: Labels;
  readonly value: number;
  /** `_bucket`, `_sum`, `_count` of a histogram. */
  readonly suffix?: string;
}

export interface Family {
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly help: string;
  readonly samples: readonly Sample[];
}

/** Ends in a line end. Families without samples are left out. */
export function exposition(families: readonly Family[]): string {
  return families
    .filter(({ samples }) => samples.length > 0)
    .map(({ name, type, help, samples }) =>
      [
        `# HELP ${name} ${help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")}`,
        `# TYPE ${name} ${type}`,
        ...samples.map((one) => `${name}${one.suffix ?? ""}${labelsText(one.labels)} ${numberText(one.value)}`),
        "",
      ].join("\n"),
    )
    .join("");
}

function labelsText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(String(value))}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

const escaped = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");

function numberText(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "+Inf" : "-Inf";
  return String(value);
}

/** Buckets that each count what fell between the bound before and their own; the last without a bound. */
export function histogram(
  labels: Labels,
  buckets: readonly { readonly atMost: number | undefined; readonly count: number }[],
  sum: number,
): Sample[] {
  let total = 0;
  const samples = buckets.map(({ atMost, count }): Sample => {
    total += count;
    return {
      suffix: "_bucket",
      labels: { ...labels, le: atMost === undefined ? "+Inf" : numberText(atMost) },
      value: total,
    };
  });
  return [...samples, { suffix: "_sum", labels, value: sum }, { suffix: "_count", labels, value: total }];
}
