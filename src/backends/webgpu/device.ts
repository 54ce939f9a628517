// The device behind an engine: asked for with all that the adapter has, its pipelines kept, its loss and its errors told in plain words.

import { SaccadeError } from "../../program/errors.ts";
import type { Dispatch } from "./kernel.ts";

/** Limits that kernels and buffers run into; a device has what it asked for, and not what its adapter could. */
const wanted = ["maxStorageBufferBindingSize", "maxBufferSize"] as const;

export interface AdapterFacts {
  /** As the adapter says it, e.g. `nvidia, ampere`. */
  readonly name: string;
  /** Whether it computes on the CPU. */
  readonly software: boolean;
  readonly maxStorageBufferBindingSize: number;
  readonly maxBufferSize: number;
}

/** Milliseconds in which a device that fails says that it is lost. */
const patience = 200;

/** Drivers that compute on the CPU; only some say so themselves. */
const softwareNames = /llvmpipe|lavapipe|swiftshader|basic render|software/i;

export function factsOf(adapter: GPUAdapter): AdapterFacts {
  const { vendor, architecture, device, description } = adapter.info;
  const words = description || [vendor, architecture, device].filter((word) => word !== "").join(" ");
  const software =
    adapter.info.isFallbackAdapter || softwareNames.test([vendor, architecture, device, description].join(" "));
  return {
    name: words === "" ? "an adapter without a name" : words,
    software,
    maxStorageBufferBindingSize: adapter.limits.maxStorageBufferBindingSize,
    maxBufferSize: adapter.limits.maxBufferSize,
  };
}

/** The adapter that a browser or Dawn prefers for heavy work. */
export async function requestAdapter(gpu: GPU): Promise<GPUAdapter> {
  const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
  if (adapter === null)
    throw new SaccadeError(
      "webgpu: there is no adapter; install a graphics driver (on Linux, one with Vulkan), or use --device wasm",
    );
  return adapter;
}

export interface Device {
  readonly gpu: GPUDevice;
  readonly facts: AdapterFacts;
  /** Throws if the device is gone or has reported an error. */
  readonly check: () => void;
  /** What a command failed of: a device that is lost tells so a moment later. */
  readonly failed: (error: unknown) => Promise<never>;
  readonly pipeline: (dispatch: Dispatch) => Promise<GPUComputePipeline>;
  readonly close: () => void;
}

/** An adapter makes one device, so that every device asks for its own. */
export async function openDevice(gpu: GPU): Promise<Device> {
  const adapter = await requestAdapter(gpu);
  const facts = factsOf(adapter);
  const device = await adapter.requestDevice({
    requiredLimits: Object.fromEntries(wanted.map((limit) => [limit, adapter.limits[limit]])),
  });
  let trouble: string | undefined;
  let closed = false;
  const lost = device.lost.then(({ message }) => {
    if (!closed) trouble = `the device was lost (${message}); go on from the last checkpoint`;
  });
  device.onuncapturederror = ({ error }) => {
    const { name } = error.constructor;
    trouble ??=
      name === "GPUOutOfMemoryError"
        ? `${facts.name} ran out of memory (${error.message}); close what else uses it, and go on from the last checkpoint`
        : error.message;
  };
  const check = (): void => {
    if (trouble !== undefined) throw new SaccadeError(`webgpu: ${trouble}`);
  };
  const pipelines = new Map<string, Promise<GPUComputePipeline>>();

  async function compile({ label, source, bindings }: Dispatch): Promise<GPUComputePipeline> {
    const layout = device.createBindGroupLayout({
      entries: bindings.map(({ access }, binding) => ({
        binding,
        visibility: computeStage,
        buffer: { type: access === "read" ? "read-only-storage" : "storage" },
      })),
    });
    const module = device.createShaderModule({ label, code: source });
    try {
      return await device.createComputePipelineAsync({
        label,
        layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
        compute: { module },
      });
    } catch (error) {
      const { messages } = await module.getCompilationInfo();
      const first = messages.find(({ type }) => type === "error");
      const line = first ? ` (line ${first.lineNum}: ${source.split("\n")[first.lineNum - 1]?.trim()})` : "";
      throw new SaccadeError(
        `webgpu: the kernel ${label} does not compile here: ${first?.message ?? (error instanceof Error ? error.message : error)}${line}`,
      );
    }
  }

  return {
    gpu: device,
    facts,
    check,
    failed: async (error) => {
      await Promise.race([lost, new Promise((resolve) => setTimeout(resolve, patience))]);
      check();
      throw error;
    },
    pipeline: (dispatch) => {
      const known = pipelines.get(dispatch.source) ?? compile(dispatch);
      pipelines.set(dispatch.source, known);
      return known;
    },
    close: () => {
      closed = true;
      device.destroy();
    },
  };
}

/** Flags of WebGPU, whose names Node does not have as globals. */
const computeStage = 4;
export const usage = { mapRead: 1, copySource: 4, copyTarget: 8, storage: 128 } as const;
export const mapRead = 1;
