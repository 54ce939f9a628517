// Reading back: one tensor at once, or what many runs noted. Each run's notes are copied behind those of the run before, into pages that
// are mapped when somebody asks, all at a time, and then used again: a device is not kept waiting for the host after every run.

import { bytesOf, offsetOf, sizeOf, type Tensor } from "../../program/tensor.ts";
import type { Numbers } from "../backend.ts";
import { type Device, mapRead, usage } from "./device.ts";

/** A tensor, and the buffer that holds its owner. */
export interface Stored {
  readonly tensor: Tensor;
  readonly buffer: GPUBuffer;
}

/** Bytes of a page: the notes of some hundred steps. */
const pageBytes = 16384;

interface Page {
  readonly buffer: GPUBuffer;
  readonly bytes: number;
  used: number;
}

interface Note {
  readonly tensor: Tensor;
  readonly page: Page;
  readonly at: number;
}

/** First byte of a tensor inside its owner. */
export const startOf = (tensor: Tensor): number => (offsetOf(tensor) * bytesOf(tensor)) / sizeOf(tensor.shape);

/** The whole words that hold a tensor: a copy takes no less. */
function wordsOf(tensor: Tensor): { readonly from: number; readonly size: number } {
  const start = startOf(tensor);
  const from = Math.floor(start / 4) * 4;
  return { from, size: Math.ceil((start + bytesOf(tensor)) / 4) * 4 - from };
}

export interface Notes {
  /** Has an encoder copy what a run notes, behind what runs before it noted. */
  readonly copy: (encoder: GPUCommandEncoder, noted: readonly Stored[]) => void;
  /** What was noted since this was last asked. */
  readonly take: () => Promise<Numbers[][]>;
  readonly free: () => void;
}

export function openNotes({ gpu, check, failed }: Device): Notes {
  const spare: Page[] = [];
  let pages: Page[] = [];
  let runs: Note[][] = [];

  function pageFor(size: number): Page {
    const last = pages.at(-1);
    if (last && last.used + size <= last.bytes) return last;
    const bytes = Math.max(pageBytes, size);
    const found = spare.findIndex((page) => page.bytes >= bytes);
    const page =
      found >= 0
        ? spare.splice(found, 1)[0]
        : {
            buffer: gpu.createBuffer({ label: "notes", size: bytes, usage: usage.mapRead | usage.copyTarget }),
            bytes,
            used: 0,
          };
    pages.push(page);
    return page;
  }

  return {
    copy: (encoder, noted) => {
      if (noted.length === 0) return;
      runs.push(
        noted.map(({ tensor, buffer }) => {
          const { from, size } = wordsOf(tensor);
          const page = pageFor(size);
          const at = page.used;
          encoder.copyBufferToBuffer(buffer, from, page.buffer, at, size);
          page.used += size;
          return { tensor, page, at };
        }),
      );
    },
    take: async () => {
      const [taken, full] = [runs, pages];
      [runs, pages] = [[], []];
      try {
        await Promise.all(full.map(({ buffer }) => buffer.mapAsync(mapRead)));
      } catch (error) {
        return failed(error);
      }
      const held = new Map(full.map((page) => [page, page.buffer.getMappedRange()]));
      const numbers = taken.map((notes) =>
        notes.map(({ tensor, page, at }) => {
          const first = at + startOf(tensor) - wordsOf(tensor).from;
          return numbersOf(tensor, (held.get(page) as ArrayBuffer).slice(first, first + bytesOf(tensor)));
        }),
      );
      for (const page of full) {
        page.buffer.unmap();
        page.used = 0;
        spare.push(page);
      }
      check();
      return numbers;
    },
    free: () => {
      for (const { buffer } of [...pages, ...spare]) buffer.destroy();
    },
  };
}

/** A copy of a tensor as it is once all that was submitted is done. */
export async function readBack(device: Device, stored: Stored): Promise<Numbers> {
  const notes = openNotes(device);
  try {
    const encoder = device.gpu.createCommandEncoder();
    notes.copy(encoder, [stored]);
    device.gpu.queue.submit([encoder.finish()]);
    const [[numbers]] = await notes.take();
    return numbers;
  } finally {
    notes.free();
  }
}

function numbersOf({ dtype }: Tensor, bytes: ArrayBuffer): Numbers {
  switch (dtype) {
    case "f32":
      return new Float32Array(bytes);
    case "i32":
      return new Int32Array(bytes);
    case "u8":
      return new Uint8Array(bytes);
    default:
      return dtype satisfies never;
  }
}
