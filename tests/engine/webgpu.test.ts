// The WebGPU backend beyond single operations: fused stages and whole steps, the same bits every time, and what it refuses in plain words.

import { beforeAll, describe, expect, test } from "vitest";
import type { Backend, Engine, Numbers } from "../../src/backends/backend.ts";
import { referenceBackend } from "../../src/backends/reference/backend.ts";
import { webgpuBackend } from "../../src/backends/webgpu/backend.ts";
import { tryDevice } from "../../src/backends/webgpu/trial.ts";
import { decide } from "../../src/cli/choose-device.ts";
import { adamLosses, openStep, small, startWide } from "../../src/conformance/step.ts";
import { contrastiveHinge } from "../../src/losses/contrastive-hinge.ts";
import { type Program, persistentTensors, type Recorder, recordProgram } from "../../src/program/program.ts";
import { randomStream } from "../../src/program/random.ts";
import { persistent, rows, type Shape, sizeOf, type Tensor } from "../../src/program/tensor.ts";
import { backpropagation } from "../../src/rules/backpropagation.ts";
import { compare } from "../support/tolerances.ts";
import { webgpuObstacle, webgpuUnderTest } from "../support/webgpu.ts";

const here = webgpuObstacle === undefined;

const input = (name: string, shape: Shape): Tensor => persistent(name, shape, "input");

/** Random numbers for every persistent tensor, the same in every engine. */
function fill(engine: Engine, program: Program): void {
  persistentTensors([program]).forEach((tensor, i) => {
    const random = randomStream(5, i);
    engine.write(
      tensor,
      Float32Array.from({ length: sizeOf(tensor.shape) }, () => random.normal()),
    );
  });
}

async function results(backend: Backend, program: Program): Promise<Numbers[]> {
  const engine = await backend.prepare([program]);
  try {
    fill(engine, program);
    await engine.run(program);
    return await Promise.all(program.results.map((tensor) => engine.read(tensor)));
  } finally {
    await engine.dispose();
  }
}

/** A convolution and what a stage can hold around it, there and back. */
type Chain = (
  record: Recorder,
  y: Tensor,
  b: Tensor,
) => { output: Tensor; back: (dy: Tensor) => Tensor; more: Tensor[] };

const chains: Record<string, Chain> = {
  "bias → hardtanh → 2 × 2 pooling": (record, y, b) => {
    const biased = record.addBias({ x: y, b }, {}, { y: "biased" }).y;
    const active = record.activation({ x: biased }, { kind: "hardtanh" }, { y: "active" }).y;
    const pooled = record.maxPool({ x: active }, { size: 2 }, { y: "pooled", argmax: "argmax" });
    const [, height, width] = active.shape;
    return {
      output: pooled.y,
      more: [pooled.argmax],
      back: (dy) => {
        const { argmax } = pooled;
        const error = record.maxPoolGradient({ dy, argmax }, { size: 2, height, width }, { dx: "unpooled" }).dx;
        return record.activationGradient({ dy: error, y: active }, { kind: "hardtanh" }, { dx: "through" }).dx;
      },
    };
  },
  "2 × 2 pooling → tanh": (record, y) => {
    const pooled = record.maxPool({ x: y }, { size: 2 }, { y: "pooled", argmax: "argmax" });
    const active = record.activation({ x: pooled.y }, { kind: "tanh" }, { y: "active" }).y;
    const [, height, width] = y.shape;
    return {
      output: active,
      more: [pooled.argmax],
      back: (dy) => {
        const error = record.activationGradient({ dy, y: active }, { kind: "tanh" }, { dx: "through" }).dx;
        const { argmax } = pooled;
        return record.maxPoolGradient({ dy: error, argmax }, { size: 2, height, width }, { dx: "unpooled" }).dx;
      },
    };
  },
  "3 × 3 pooling": (record, y) => {
    const { y: output, argmax } = record.maxPool({ x: y }, { size: 3 }, { y: "pooled", argmax: "argmax" });
    const [, height, width] = y.shape;
    return {
      output,
      more: [argmax],
      back: (dy) => record.maxPoolGradient({ dy, argmax }, { size: 3, height, width }, { dx: "unpooled" }).dx,
    };
  },
};

/** Odd sides, so that pooling drops a row and a column; more channels than a tile has; five images. */
function recordChain(name: string, [c, o]: readonly [number, number]): Program {
  const record = recordProgram(name);
  const [x, w, b] = [input("x", [5, 9, 7, c]), input("w", [3, 3, c, o]), input("b", [o])];
  const { y } = record.conv2d({ x, w }, { stride: 1, padding: 1 }, { y: "y" });
  const { output, back, more } = chains[name](record, y, b);
  const dy = back(input("dy", output.shape));
  const { db } = record.biasGradient({ dy }, {}, { db: "db" });
  const window = { stride: 1, padding: 1 };
  const { dw } = record.conv2dWeightGradient({ x, dy }, { ...window, kernel: [3, 3] }, { dw: "dw" });
  const { dx } = record.conv2dInputGradient({ dy, w }, { ...window, height: 9, width: 7 }, { dx: "dx" });
  return record.finish([output, ...more, db, dw, dx]);
}

describe.skipIf(!here)(`through Dawn${here ? "" : ` (skipped: ${webgpuObstacle})`}`, () => {
  let backend: Backend;

  beforeAll(() => {
    backend = webgpuUnderTest();
  });

  test.skipIf(process.env.SACCADE_TEST_GPU !== undefined)("its name says that it is software", () => {
    expect(backend.description).toMatch(/^float32, .*(llvmpipe|SwiftShader).* \(software\)$/i);
  });

  test.each([
    ["bias → hardtanh → 2 × 2 pooling", [8, 36]],
    ["2 × 2 pooling → tanh", [3, 5]],
    ["3 × 3 pooling", [4, 8]],
  ] as const)("convolution → %s, there and back, is the reference's", async (name, channels) => {
    const program = recordChain(name, channels);
    const [got, wanted] = [await results(backend, program), await results(referenceBackend, program)];
    program.results.forEach((tensor, i) => {
      expect(compare(got[i], wanted[i], { kind: "conv2d", terms: 9 * 63, what: tensor.name })).toBe("equal");
    });
    expect(await results(backend, program)).toEqual(got);
  });

  test("products that are cut along k give the reference's sums, and the same bits every time", async () => {
    const record = recordProgram("tall");
    const [x, dy] = [input("x", [3000, 5]), input("dy", [3000, 9])];
    const { dw } = record.linearWeightGradient({ x, dy }, {}, { dw: "dw" });
    const { db } = record.biasGradient({ dy }, {}, { db: "db" });
    const { y } = record.reduce({ x }, { kind: "sumOfSquares" }, { y: "y" });
    const program = record.finish([dw, db, y]);
    const [got, wanted] = [await results(backend, program), await results(referenceBackend, program)];
    got.forEach((numbers, i) => {
      expect(compare(numbers, wanted[i], { kind: "linear", terms: 3000, what: program.results[i].name })).toBe("equal");
    });
    expect(await results(backend, program)).toEqual(got);
  });

  test("Adam steps of a whole network follow the reference's, with its state", async () => {
    const loss = contrastiveHinge({ m1: 0.3, m2: 3, negatives: { kind: "all" }, gradientBlock: false });
    const run = async (on: Backend) => {
      const step = await openStep({ encoder: small, loss, update: backpropagation, batch: 4, backend: on });
      startWide(step);
      await step.engine.run(step.gradientProgram);
      const gradients: [string, Numbers][] = [];
      for (const [weight, gradient] of step.gradients) gradients.push([weight.name, await step.engine.read(gradient)]);
      const losses = await adamLosses(step, 3);
      await step.engine.dispose();
      return { gradients, losses };
    };
    const [got, wanted] = [await run(backend), await run(referenceBackend)];
    expect(got.gradients.length).toBeGreaterThan(4);
    got.gradients.forEach(([name, numbers], i) => {
      expect(compare(numbers, wanted.gradients[i][1], { kind: "conv2d", terms: 8 * 64 * 27, what: name })).toBe(
        "equal",
      );
    });
    got.losses.forEach((value, i) => {
      expect(value).toBeCloseTo(wanted.losses[i], 2);
    });
    expect((await run(backend)).losses).toEqual(got.losses);
  });

  test("programs take turns on shared tensors, and windows are read and written in place", async () => {
    const x = input("x", [4, 6]);
    const double = recordProgram("double");
    const doubled = double.combine({ a: x, b: rows(x, 0, 4) }, { alpha: 1, beta: 1 }, { y: "doubled" }).y;
    const halves = recordProgram("halves");
    const mixed = halves.combine({ a: rows(x, 0, 2), b: rows(x, 2, 2) }, { alpha: 1, beta: -1 }, { y: "mixed" }).y;
    const [first, second] = [double.finish([doubled]), halves.finish([mixed])];
    const engine = await backend.prepare([first, second]);
    engine.write(
      x,
      Float32Array.from({ length: 24 }, (_, i) => i),
    );
    engine.write(rows(x, 1, 1), new Float32Array(6).fill(-1));
    await engine.run(first);
    expect([...(await engine.read(rows(doubled, 1, 2)))]).toEqual([-2, -2, -2, -2, -2, -2, 24, 26, 28, 30, 32, 34]);
    await engine.run(second);
    expect([...(await engine.read(mixed))]).toEqual([-12, -12, -12, -12, -12, -12, -19, -20, -21, -22, -23, -24]);
    await expect(engine.read(doubled)).rejects.toThrow('engine: "doubled" is neither a persistent tensor');
    expect(() => engine.write(doubled, new Float32Array(24))).toThrow('engine: "doubled" is neither');
    expect(() => engine.write(x, new Float32Array(5))).toThrow("write: x must be 24 numbers, got 5");
    await engine.dispose();
  });

  test("a number that is none reaches the loss", async () => {
    const record = recordProgram("nan");
    const x = input("x", [3, 4]);
    const active = record.activation({ x }, { kind: "hardtanh" }, { y: "active" }).y;
    const { y } = record.reduce({ x: active }, { kind: "sum" }, { y: "y" });
    const program = record.finish([y]);
    const engine = await backend.prepare([program]);
    engine.write(
      x,
      Float32Array.from({ length: 12 }, (_, i) => (i === 7 ? Number.NaN : i)),
    );
    await engine.run(program);
    expect((await engine.read(y))[0]).toBeNaN();
    await engine.dispose();
  });

  test("a trial finds its product right and takes its time", async () => {
    const { exact, gigaflops } = await tryDevice(backend);
    expect(exact).toBe(true);
    expect(gigaflops).toBeGreaterThan(0.01);
  });
});

/** A device that computes nothing and fails as it is told. */
function fakeGpu(
  fails: { readonly lost?: Promise<unknown>; readonly outOfMemory?: boolean; readonly devices?: GPUDevice[] } = {},
): GPU {
  const nothing = new Proxy({}, { get: (_, name) => (name === "then" ? undefined : () => nothing) });
  const device = {
    lost: fails.lost ?? new Promise(() => {}),
    queue: { writeBuffer: () => {}, submit: () => {}, onSubmittedWorkDone: async () => {} },
    pushErrorScope: () => {},
    popErrorScope: async () => (fails.outOfMemory ? { message: "no more" } : null),
    createBuffer: () => nothing,
    createBindGroupLayout: () => nothing,
    createPipelineLayout: () => nothing,
    createShaderModule: () => nothing,
    createComputePipelineAsync: async () => nothing,
    createBindGroup: () => nothing,
    createCommandEncoder: () => nothing,
    destroy: () => {},
  };
  const requestDevice = async () => {
    fails.devices?.push(device as unknown as GPUDevice);
    return device;
  };
  const limits = { maxStorageBufferBindingSize: 4096, maxBufferSize: 8192 };
  const info = { vendor: "acme", architecture: "quick", device: "", description: "", isFallbackAdapter: false };
  return { requestAdapter: async () => ({ info, limits, requestDevice }) } as unknown as GPU;
}

function combination(size: number): { x: Tensor; program: Program } {
  const record = recordProgram("combination");
  const x = input("x", [size]);
  return { x, program: record.finish([record.combine({ a: x, b: x }, { alpha: 1, beta: 1 }, { y: "y" }).y]) };
}

describe("refusals", () => {
  test("no adapter", async () => {
    await expect(webgpuBackend({ requestAdapter: async () => null } as unknown as GPU)).rejects.toThrow(
      "webgpu: there is no adapter; install a graphics driver (on Linux, one with Vulkan), or use --device wasm",
    );
  });

  test("a tensor that no binding holds, with both numbers", async () => {
    const backend = await webgpuBackend(fakeGpu());
    await expect(backend.prepare([combination(1025).program])).rejects.toThrow(
      'webgpu: "x" needs 4112 bytes in one buffer, and acme quick gives 4096 at most; take fewer pictures, or --device wasm',
    );
    await (await backend.prepare([combination(1024).program])).dispose();
  });

  test("memory that is not there", async () => {
    const backend = await webgpuBackend(fakeGpu({ outOfMemory: true }));
    await expect(backend.prepare([combination(1024).program])).rejects.toThrow(
      "webgpu: 8192 bytes (0.0 GiB) of acme quick's memory could not be had; make the batch smaller",
    );
  });

  test("a device that is lost", async () => {
    const { promise, resolve } = Promise.withResolvers<unknown>();
    const backend = await webgpuBackend(fakeGpu({ lost: promise }));
    const { x, program } = combination(8);
    const engine = await backend.prepare([program]);
    await engine.run(program);
    resolve({ reason: "unknown", message: "it hung" });
    await promise;
    const told = "webgpu: the device was lost (it hung); go on from the last checkpoint";
    await expect(engine.run(program)).rejects.toThrow(told);
    expect(() => engine.write(x, new Float32Array(8))).toThrow(told);
  });
});

test("memory that runs out while it computes is told, and what to do", async () => {
  class GPUOutOfMemoryError extends Error {}
  const devices: GPUDevice[] = [];
  const backend = await webgpuBackend(fakeGpu({ devices }));
  const { program } = combination(8);
  const engine = await backend.prepare([program]);
  await engine.run(program);
  devices.at(-1)?.onuncapturederror?.call(devices[0], { error: new GPUOutOfMemoryError("no more") } as never);
  await expect(engine.run(program)).rejects.toThrow(
    "webgpu: acme quick ran out of memory (no more); close what else uses it, and go on from the last checkpoint",
  );
});

describe("--device auto", () => {
  const adapter = { name: "acme quick", software: false, maxStorageBufferBindingSize: 0, maxBufferSize: 0 };

  test.each([
    [{ obstacle: "none here" }, "wasm", "none here"],
    [
      { adapter: { ...adapter, software: true }, exact: true, gigaflops: 9999 },
      "wasm",
      "acme quick computes on the CPU",
    ],
    [{ adapter, exact: false, gigaflops: 9999 }, "wasm", "acme quick computes wrongly"],
    [{ adapter, exact: true, gigaflops: 240 }, "wasm", "acme quick makes 240 GFLOP/s, the CPU as much as 250"],
    [{ adapter, exact: true, gigaflops: 260 }, "webgpu", "acme quick makes 260 GFLOP/s, the CPU as much as 250"],
  ] as const)("%j: %s", (seen, device, because) => {
    expect(decide(seen, 100)).toEqual({ device, because });
  });
});
