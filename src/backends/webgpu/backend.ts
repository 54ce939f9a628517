// The WebGPU backend: float32 on a graphics processor, in a browser page and, through Dawn, in Node. Every stage is lowered to kernels once;
// a run is one compute pass and one submission.

import { SaccadeError, wrong } from "../../program/errors.ts";
import { fuse } from "../../program/fusion.ts";
import { type Program, persistentTensors } from "../../program/program.ts";
import { offsetOf, ownerOf, sizeOf, type Tensor } from "../../program/tensor.ts";
import { type Backend, type Engine, type Numbers, notHere } from "../backend.ts";
import { planBuffers, type Slot } from "./buffers.ts";
import { type AdapterFacts, type Device, factsOf, openDevice, requestAdapter, usage } from "./device.ts";
import { type Dispatch, isScratch, type Place } from "./kernel.ts";
import { lowerStage } from "./lower.ts";
import { openNotes, readBack, type Stored, startOf } from "./notes.ts";

/** What an adapter is called: its own name, and that it is none of silicon. */
export const adapterName = ({ name, software }: AdapterFacts): string => (software ? `${name} (software)` : name);

/** `gpu` is a page's navigator.gpu, or what the npm package webgpu creates. Fails where it has no adapter. */
export async function webgpuBackend(gpu: GPU): Promise<Backend> {
  const facts = factsOf(await requestAdapter(gpu));
  // Engines at work share a device, and with it the kernels that they have in common.
  let shared: { readonly device: Promise<Device>; engines: number } | undefined;
  return {
    name: "webgpu",
    description: `float32, ${adapterName(facts)}`,
    arithmetic: `float32, ${adapterName(facts)}`,
    notesEvery: 32,
    prepare: async (programs) => {
      shared ??= { device: openDevice(gpu), engines: 0 };
      const own = shared;
      own.engines++;
      const leave = async (): Promise<void> => {
        own.engines--;
        if (own.engines > 0) return;
        if (shared === own) shared = undefined;
        (await own.device).close();
      };
      try {
        return await webgpuEngine(programs, await own.device, leave);
      } catch (error) {
        await leave().catch(() => {});
        throw error;
      }
    },
  };
}

/** Refuses a buffer that no kernel could bind. */
function requireFit({ place, bytes }: Slot, facts: AdapterFacts): void {
  const most = Math.min(facts.maxStorageBufferBindingSize, facts.maxBufferSize);
  if (bytes <= most) return;
  const mend =
    isScratch(place) || place.lifetime === "step" ? "make the batch smaller" : "take fewer pictures, or --device wasm";
  throw new SaccadeError(
    `webgpu: "${place.name}" needs ${bytes} bytes in one buffer, and ${adapterName(facts)} gives ${most} at most; ${mend}`,
  );
}

/** Buffers for all slots; what they ask for in all can still be more than there is. */
async function allocate({ gpu, facts }: Device, slots: readonly Slot[]): Promise<Map<Slot, GPUBuffer>> {
  const total = slots.reduce((sum, { bytes }) => sum + bytes, 0);
  for (const slot of slots) requireFit(slot, facts);
  gpu.pushErrorScope("out-of-memory");
  const buffers = new Map(
    slots.map((slot) => [
      slot,
      gpu.createBuffer({
        label: slot.place.name,
        size: slot.bytes,
        usage: usage.storage | usage.copySource | usage.copyTarget,
      }),
    ]),
  );
  const error = await gpu.popErrorScope();
  if (error === null) return buffers;
  for (const buffer of buffers.values()) buffer.destroy();
  throw new SaccadeError(
    `webgpu: ${total} bytes (${(total / 2 ** 30).toFixed(1)} GiB) of ${adapterName(facts)}'s memory could not be had; make the batch smaller`,
  );
}

interface Step {
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
  readonly workgroups: Dispatch["workgroups"];
}

/** Runs that may be under way before the next has to wait. */
const mostInFlight = 2;

async function webgpuEngine(programs: readonly Program[], device: Device, leave: () => Promise<void>): Promise<Engine> {
  const { gpu, check } = device;
  const lowered = programs.map((program) => ({ program, dispatches: fuse(program).flatMap(lowerStage) }));
  const persistent = persistentTensors(programs);
  const { slots, slotOf } = planBuffers(lowered, persistent);
  const buffers = await allocate(device, slots);
  const free = (): void => {
    for (const buffer of buffers.values()) buffer.destroy();
  };
  // Every place that a kernel binds and every persistent tensor has a slot.
  const bufferOf = (place: Place): GPUBuffer | undefined => {
    const slot = slotOf.get(place);
    return slot && buffers.get(slot);
  };

  async function build({ dispatches }: (typeof lowered)[number]): Promise<Step[]> {
    const pipelines = await Promise.all(dispatches.map(device.pipeline));
    return dispatches.map(({ bindings, workgroups }, i) => {
      const entries = bindings.map(({ place }, binding) => ({
        binding,
        resource: { buffer: bufferOf(place) as GPUBuffer },
      }));
      const pipeline = pipelines[i];
      return { pipeline, group: gpu.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }), workgroups };
    });
  }

  const steps = new Map<Program, readonly Step[]>();
  try {
    for (const entry of lowered) steps.set(entry.program, await build(entry));
  } catch (error) {
    free();
    throw error;
  }
  const known = new Set(persistent);
  const results = new Map(programs.map((program) => [program, new Set(program.results.map(ownerOf))]));
  let ran: Program | undefined;
  const inFlight: Promise<void>[] = [];
  const notes = openNotes(device);

  /** A tensor that may be read, where it is. */
  function stored(tensor: Tensor): Stored {
    const owner = ownerOf(tensor);
    const here = known.has(owner) || (ran !== undefined && results.get(ran)?.has(owner));
    const buffer = here ? bufferOf(owner) : undefined;
    if (buffer === undefined) throw notHere(tensor);
    return { tensor, buffer };
  }

  return {
    bytes: slots.reduce((sum, { bytes }) => sum + bytes, 0),
    write: (tensor, numbers) => {
      check();
      const buffer = known.has(ownerOf(tensor)) ? bufferOf(ownerOf(tensor)) : undefined;
      if (buffer === undefined) throw notHere(tensor);
      if (numbers.length !== sizeOf(tensor.shape))
        throw wrong("write", tensor.name, `${sizeOf(tensor.shape)} numbers`, `${numbers.length}`);
      gpu.queue.writeBuffer(buffer, startOf(tensor), wholeWords(tensor, numbers));
    },
    run: async (program, noted = []) => {
      check();
      const found = steps.get(program);
      if (found === undefined) throw new SaccadeError(`webgpu: program "${program.name}" was not prepared`);
      ran = program;
      const wanted = noted.map(stored);
      const encoder = gpu.createCommandEncoder({ label: program.name });
      const pass = encoder.beginComputePass();
      for (const { pipeline, group, workgroups } of found) {
        pass.setPipeline(pipeline);
        pass.setBindGroup(0, group);
        pass.dispatchWorkgroups(...workgroups);
      }
      pass.end();
      notes.copy(encoder, wanted);
      gpu.queue.submit([encoder.finish()]);
      // The queue keeps the order: what is read or written from now on comes after.
      inFlight.push(gpu.queue.onSubmittedWorkDone());
      if (inFlight.length > mostInFlight) await inFlight.shift()?.catch(device.failed);
      check();
    },
    notes: async () => {
      check();
      return notes.take();
    },
    read: async (tensor): Promise<Numbers> => {
      check();
      return readBack(device, stored(tensor));
    },
    dispose: async () => {
      await Promise.allSettled(inFlight);
      notes.free();
      free();
      await leave();
    },
  };
}

/** The host's numbers as the bytes of whole 32-bit words of the tensor's type. */
function wholeWords(
  tensor: Tensor,
  numbers: Numbers,
): Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer> | Uint8Array<ArrayBuffer> {
  switch (tensor.dtype) {
    case "f32":
      return Float32Array.from(numbers);
    case "i32":
      return Int32Array.from(numbers);
    case "u8": {
      if (tensor.window && (offsetOf(tensor) % 4 !== 0 || numbers.length % 4 !== 0))
        throw wrong(
          "write",
          tensor.name,
          "whole groups of 4 bytes of its owner",
          `${numbers.length} from ${offsetOf(tensor)}`,
        );
      const words = new Uint8Array(Math.ceil(numbers.length / 4) * 4);
      words.set(numbers);
      return words;
    }
    default:
      return tensor.dtype satisfies never;
  }
}
