// What a worker prints of its progress where nobody listens, as in a job of a cluster; and how it is read again.

/** "table1: hinge, GLL, URF, seed 0: 42 %". */
export const shareLine = (title: string, share: number): string => `${title}: ${Math.floor(100 * share)} %`;

/** The share that was printed last of a task; undefined where none was. */
export function shareIn(text: string, title: string): number | undefined {
  const line = text.split("\n").findLast((one) => one.startsWith(`${title}: `) && one.endsWith(" %"));
  const percent = Number(line?.slice(title.length + 2, -2));
  return Number.isNaN(percent) ? undefined : percent / 100;
}
