// The reference backend: runs a program operation by operation in float64. Slow, and right by inspection.

import { wrong } from "../../program/errors.ts";
import { type AnyOperation, type Program, persistentTensors } from "../../program/program.ts";
import { offsetOf, ownerOf, sizeOf, type Tensor } from "../../program/tensor.ts";
import { type Backend, type Engine, type Numbers, notesAtHand, notHere } from "../backend.ts";
import { type Kernel, type Operand, referenceKernels } from "./kernels.ts";

type Store = Map<Tensor, Operand["data"]>;

/** The specification: float64, plain loops, one operation at a time. Slow, and right by inspection. */
export const referenceBackend: Backend = {
  name: "reference",
  description: "float64, one thread, plain loops",
  arithmetic: "float64",
  prepare: async (programs) => referenceEngine(programs),
};

function allocate(tensor: Tensor): Operand["data"] {
  const size = sizeOf(tensor.shape);
  return tensor.dtype === "u8"
    ? new Uint8Array(size)
    : tensor.dtype === "i32"
      ? new Int32Array(size)
      : new Float64Array(size);
}

function referenceEngine(programs: readonly Program[]): Engine {
  const persistent: Store = new Map(persistentTensors(programs).map((tensor) => [tensor, allocate(tensor)]));
  let step: Store = new Map();

  const numbersOf = (tensor: Tensor): Operand["data"] => {
    const owner = ownerOf(tensor);
    let data = persistent.get(owner) ?? step.get(owner);
    if (data === undefined) {
      data = allocate(owner);
      step.set(owner, data);
    }
    return data.subarray(offsetOf(tensor), offsetOf(tensor) + sizeOf(tensor.shape));
  };

  function execute({ kind, inputs, outputs, updates, attributes }: AnyOperation): void {
    const operands = Object.fromEntries(
      Object.entries<Tensor>({ ...inputs, ...outputs, ...updates }).map(([argument, tensor]): [string, Operand] => [
        argument,
        { data: numbersOf(tensor), shape: tensor.shape },
      ]),
    );
    // Kernel and operation are of one kind; the table's type holds both together.
    (referenceKernels[kind] as unknown as Kernel<"adam">)(operands as never, attributes as never);
  }

  const read = async (tensor: Tensor): Promise<Numbers> => {
    if (!persistent.has(ownerOf(tensor)) && !step.has(ownerOf(tensor))) throw notHere(tensor);
    return numbersOf(tensor).slice();
  };
  const { note, notes } = notesAtHand(read);

  return {
    bytes: [...persistent.values()].reduce((sum, { byteLength }) => sum + byteLength, 0),
    write: (tensor, numbers) => writeInto(persistent.get(ownerOf(tensor)), tensor, numbers),
    run: async (program, noted = []) => {
      step = new Map();
      for (const operation of program.operations) execute(operation);
      await note(noted);
    },
    notes,
    read,
    dispose: async () => {
      persistent.clear();
      step.clear();
    },
  };
}

/** Shared by backends: copies the host's numbers into a persistent tensor's place, or says what does not fit. */
export function writeInto(data: Numbers | undefined, tensor: Tensor, numbers: Numbers): void {
  if (data === undefined) throw notHere(tensor);
  if (numbers.length !== sizeOf(tensor.shape))
    throw wrong("write", tensor.name, `${sizeOf(tensor.shape)} numbers`, `${numbers.length}`);
  data.set(numbers, offsetOf(tensor));
}
