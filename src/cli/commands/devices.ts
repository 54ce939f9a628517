// saccade devices: what can compute here, which SIMD the fast one takes, and how fast its micro-kernels and the GPU's products are.

import { referenceBackend } from "../../backends/reference/backend.ts";
import { defaultThreads } from "../../backends/wasm/backend.ts";
import { askedSimd, chooseSimd, simdKinds, simdNames, simdObstacle, trySimd } from "../../backends/wasm/simd.ts";
import { formatBytes } from "../../program/explain.ts";
import { decide, seeWebgpu, type WebgpuSeen } from "../choose-device.ts";
import { exitCodes } from "../exit-codes.ts";
import { formatTable } from "../table.ts";

function webgpuLines(seen: WebgpuSeen): string[] {
  if ("obstacle" in seen) return [`webgpu: not here. ${seen.obstacle}`];
  const { adapter, exact, gigaflops } = seen;
  return [
    `webgpu: ${adapter.name}${adapter.software ? " (software: it computes on the CPU)" : ""}`,
    `  ${gigaflops.toFixed(0)} GFLOP/s of matrix products${exact ? "" : ", and they are wrong"}`,
    `  at most ${formatBytes(adapter.maxStorageBufferBindingSize)} for one tensor, ${formatBytes(adapter.maxBufferSize)} for one buffer`,
  ];
}

export async function devicesCommand({ json }: { readonly json?: boolean }): Promise<number> {
  const asked = askedSimd();
  const trials = trySimd();
  const simd = asked ?? chooseSimd();
  const candidates = simdKinds.map((kind) => {
    const { exact, gigaflops, tile } = trials.get(kind) ?? {};
    return { simd: kind, tile, exact, gigaflopsPerThread: gigaflops, obstacle: simdObstacle(kind) };
  });
  const threads = defaultThreads();
  const seen = await seeWebgpu();
  const auto = decide(seen, (trials.get(simd)?.gigaflops ?? 0) * threads);
  if (json) {
    const wasm = { name: "wasm", threads, simd, chosenBy: asked ? "SACCADE_SIMD" : "speed", candidates };
    const { name, description } = referenceBackend;
    const devices = [wasm, { name: "webgpu", ...seen }, { name, description }];
    process.stdout.write(`${JSON.stringify({ default: "wasm", auto, devices })}\n`);
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
      ...webgpuLines(seen),
      "",
      `${referenceBackend.name}: ${referenceBackend.description}`,
      "",
      `--device auto takes ${auto.device} here: ${auto.because}`,
      "",
    ].join("\n"),
  );
  return exitCodes.done;
}
