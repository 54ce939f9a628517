// A program: one step of training as data. Rules write it down with a recorder; backends run it many times.

import { wrong } from "./errors.ts";
import {
  type Attributes,
  type In,
  type InShapes,
  type Kind,
  kinds,
  type Out,
  operationTable,
  type Updated,
} from "./operations.ts";
import { checkShape, type DType, ownerOf, type Role, type Shape, type Tensor } from "./tensor.ts";

/** One recorded operation. `updates` are tensors changed in place. */
export interface Operation<K extends Kind = Kind> {
  readonly kind: K;
  readonly inputs: { readonly [I in In<K>]: Tensor };
  readonly outputs: { readonly [O in Out<K>]: Tensor };
  readonly updates: { readonly [U in Updated<K>]: Tensor };
  readonly attributes: Attributes<K>;
}

/** Any recorded operation; test `kind` to narrow it. */
export type AnyOperation = { [K in Kind]: Operation<K> }[Kind];

/** One step of training as data: operations on named tensors. */
export interface Program {
  readonly name: string;
  readonly operations: readonly AnyOperation[];
  /** Step tensors that the host reads after a run; all else may share memory or never be stored. */
  readonly results: readonly Tensor[];
}

/** An operation that changes synapses. */
export type Plasticity = Operation<"adam"> | Operation<"sgd">;

export const isPlasticity = (operation: AnyOperation): operation is Plasticity =>
  operationTable[operation.kind].computation === "plasticity";

export const inputsOf = (operation: AnyOperation): Tensor[] => Object.values(operation.inputs);
export const outputsOf = (operation: AnyOperation): Tensor[] => Object.values(operation.outputs);
export const updatesOf = (operation: AnyOperation): Tensor[] => Object.values(operation.updates);

/** A name for a new tensor, or a tensor (usually some rows of a larger one) that receives the output. */
type Target = string | Tensor;

type Call<K extends Kind> = [In<K> | Updated<K>] extends [never]
  ? never
  : (
      operands: { readonly [I in In<K> | Updated<K>]: Tensor },
      attributes: Attributes<K>,
      names: { readonly [O in Out<K>]: Target },
    ) => { readonly [O in Out<K>]: Tensor };

/** Records operations in the order in which they are called: `record.conv2d({ x, w }, { stride: 1, padding: 1 }, { y: "conv1" }).y`. */
export type Recorder = { readonly [K in Kind]: Call<K> } & {
  /** An empty step tensor for several operations to fill by rows. */
  readonly tensor: (name: string, shape: Shape, role: Role) => Tensor;
  /** The finished program; `results` are the step tensors that the host will read. */
  readonly finish: (results: readonly Tensor[]) => Program;
};

/**
 * Begins a program: its methods write one operation each and return the tensors that it makes. Throws, with the operation's name, where
 * shapes do not fit.
 */
export function recordProgram(name: string): Recorder {
  const operations: AnyOperation[] = [];
  const known = new Set<Tensor>();
  const names = new Set<string>();

  function create(tensor: Tensor): Tensor {
    checkShape(tensor.name, tensor.shape);
    if (names.has(tensor.name)) throw wrong(name, "a tensor's name", "new to its program", `"${tensor.name}" again`);
    names.add(tensor.name);
    known.add(tensor);
    return tensor;
  }

  function record(
    kind: Kind,
    operands: Record<string, Tensor>,
    attributes: unknown,
    targets: Record<string, Target>,
  ): Record<string, Tensor> {
    const row = operationTable[kind];
    const dtypes: Record<string, DType> = row.dtypes ?? {};
    const shapes: Record<string, Shape> = {};
    const pick = (argument: string): Tensor => {
      const tensor = operands[argument];
      if (tensor === undefined) throw wrong(kind, argument, "a tensor", tensor);
      const owner = ownerOf(tensor);
      if (owner.lifetime === "step" && !known.has(owner))
        throw wrong(kind, argument, "recorded before it is read", `"${tensor.name}"`);
      const wanted = dtypes[argument] ?? "f32";
      if (tensor.dtype !== wanted) throw wrong(kind, argument, `of type ${wanted}`, `${tensor.name}: ${tensor.dtype}`);
      shapes[argument] = tensor.shape;
      return tensor;
    };
    const inputs = Object.fromEntries(row.inputs.map((argument) => [argument, pick(argument)]));
    const updates = Object.fromEntries(row.updated.map((argument) => [argument, pick(argument)]));
    for (const tensor of Object.values(updates))
      if (tensor.lifetime !== "run") throw wrong(kind, tensor.name, "a persistent tensor", "a step tensor");
    // The table's row and the recorder's type were made for the same kind, so the shapes fit the row.
    const shapeRule = row.shapes as (shapes: InShapes<Kind>, attributes: unknown) => Record<string, Shape>;
    const outputs: Record<string, Tensor> = {};
    for (const [output, shape] of Object.entries(shapeRule(shapes as InShapes<Kind>, attributes))) {
      const { role, dtype = "f32" } = (row.outputs as Record<string, { role: Role; dtype?: DType }>)[output] ?? {
        role: "activity" as const,
      };
      const target = targets[output];
      if (target === undefined) throw wrong(kind, output, "given a name or a tensor", target);
      if (typeof target === "string") {
        outputs[output] = create({ name: target, shape, dtype, role, lifetime: "step" });
      } else {
        if (target.dtype !== dtype || target.shape.join() !== shape.join())
          throw wrong(kind, `${output} → ${target.name}`, `${dtype} [${shape.join(", ")}]`, target.shape);
        outputs[output] = target;
      }
    }
    operations.push({ kind, inputs, outputs, updates, attributes } as unknown as AnyOperation);
    return outputs;
  }

  const calls = Object.fromEntries(
    kinds.map((kind) => [
      kind,
      (operands: Record<string, Tensor>, attributes: unknown, targets: Record<string, Target>) =>
        record(kind, operands, attributes, targets),
    ]),
  );
  return {
    ...calls,
    tensor: (tensorName: string, shape: Shape, role: Role) =>
      create({ name: tensorName, shape, dtype: "f32", role, lifetime: "step" }),
    finish: (results: readonly Tensor[]): Program => {
      for (const tensor of results)
        if (ownerOf(tensor).lifetime === "step" && !known.has(ownerOf(tensor)))
          throw wrong(name, "a result", "a tensor of this program", `"${tensor.name}"`);
      return { name, operations: [...operations], results: [...results] };
    },
  } as unknown as Recorder;
}

/** Persistent tensors that a set of programs reads or writes, each once, in order of first use. */
export function persistentTensors(programs: readonly Program[]): Tensor[] {
  const found = new Set<Tensor>();
  for (const { operations } of programs)
    for (const operation of operations)
      for (const tensor of [...inputsOf(operation), ...updatesOf(operation)])
        if (ownerOf(tensor).lifetime === "run") found.add(ownerOf(tensor));
  return [...found];
}

/** FLOPs of one operation, by its row of the table. */
export function flopsOf(operation: AnyOperation): number {
  const shapes = (tensors: Record<string, Tensor>): Record<string, Shape> =>
    Object.fromEntries(Object.entries(tensors).map(([argument, tensor]) => [argument, tensor.shape]));
  const flops = operationTable[operation.kind].flops as (
    inputs: Record<string, Shape>,
    outputs: Record<string, Shape>,
    attributes: unknown,
  ) => number;
  return flops(
    { ...shapes(operation.inputs), ...shapes(operation.updates) },
    shapes(operation.outputs),
    operation.attributes,
  );
}
