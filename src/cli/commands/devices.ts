// saccade devices: what can compute here, which SIMD the fast one takes, and how fast its micro-kernels are.

import { referenceBackend } from "../../backends/reference/backend.ts";
import { defaultThreads } from "../../backends/wasm/backend.ts";
import { askedSimd, chooseSimd, simdKinds, simdNames, simdObstacle, trySimd } from "../../backends/wasm/simd.ts";
import { exitCodes } from "../exit-codes.ts";
import { formatTable } from "../table.ts";

export async function devicesCommand({ json }: { readonly json?: boolean }): Promise<number> {
  const asked = askedSimd();
  const trials = trySimd();
  const simd = asked ?? chooseSimd();
  const candidates = simdKinds.map((kind) => {
    const { exact, gigaflops, tile } = trials.get(kind) ?? {};
    return { simd: kind, tile, exact, gigaflopsPerThread: gigaflops, obstacle: simdObstacle(kind) };
  });
  const threads = defaultThreads();
  if (json) {
    const wasm = { name: "wasm", threads, simd, chosenBy: asked ? "SACCADE_SIMD" : "speed", candidates };
    const { name, description } = referenceBackend;
    process.stdout.write(`${JSON.stringify({ default: "wasm", devices: [wasm, { name, description }] })}\n`);
    return exitCodes.done;
  }
  const rows = candidates.map(({ simd: kind, tile, gigaflopsPerThread }) => [
    kind === simd ? `* ${kind}` : `  ${kind}`,
    tile?.join("×") ?? "–",
    gigaflopsPerThread?.toFixed(0) ?? "–",
  ]);
  const notes = candidates.flatMap(({ simd: kind, exact, obstacle }) =>
    obstacle ? [`  ${kind} does not run here: ${obstacle}`] : exact ? [] : [`  ${kind} computes wrongly here`],
  );
  process.stdout.write(
    [
      `wasm (the default): float32, ${threads} ${threads === 1 ? "thread" : "threads"}, ${simdNames[simd]}`,
      "",
      ...formatTable([["  SIMD", "tile", "GFLOP/s a thread"], ...rows])
        .split("\n")
        .map((line) => `  ${line}`),
      "",
      asked
        ? "  * as SACCADE_SIMD says"
        : "  * the fastest that computes rightly; SACCADE_SIMD=wide, relaxed or plain overrides",
      ...notes,
      "",
      `${referenceBackend.name}: ${referenceBackend.description}`,
      "",
    ].join("\n"),
  );
  return exitCodes.done;
}
