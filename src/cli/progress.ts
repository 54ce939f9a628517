// Progress on stderr: one moving line on a terminal, a plain line now and then elsewhere.

export interface Progress {
  readonly update: (done: number, total: number, note: string) => void;
  /** Leaves the line standing. */
  readonly end: () => void;
}

const barWidth = 24;
/** Milliseconds between plain lines, and between redrawings on a terminal. */
const plainEvery = 5000;
const terminalEvery = 100;

/** `unit` counts what is done: images, read-outs. */
export function showProgress(label: string, unit: string, stream: NodeJS.WriteStream = process.stderr): Progress {
  const started = performance.now();
  const terminal = stream.isTTY === true;
  let shown = Number.NEGATIVE_INFINITY;
  let open = false;
  let first: number | undefined;
  return {
    update: (done, total, note) => {
      first ??= done;
      const now = performance.now();
      const wait = terminal ? terminalEvery : plainEvery;
      if (now - shown < wait && done < total) return;
      shown = now;
      const seconds = (now - started) / 1000;
      const rate = seconds > 0 ? (done - first) / seconds : 0;
      const left = rate > 0 ? duration((total - done) / rate) : "?";
      const share = done / total;
      const counts = `${Math.round(100 * share)} %, ${rate >= 10 ? Math.round(rate) : rate.toPrecision(2)} ${unit}/s, ${left} left`;
      if (terminal) {
        const filled = Math.round(barWidth * share);
        const bar = "█".repeat(filled) + "·".repeat(barWidth - filled);
        const line = `${label} ${bar} ${counts}, ${note}`;
        stream.write(`\r\x1b[2K${line.slice(0, Math.max(20, (stream.columns ?? 100) - 1))}`);
        open = true;
      } else stream.write(`${label}: ${counts}, ${note}\n`);
    },
    end: () => {
      if (open) stream.write("\n");
      open = false;
    },
  };
}

/** `45 s`, `3 min 20 s`, `5 h 10 min`. */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}
