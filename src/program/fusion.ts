// Fusion: which operations of a program stand together, so that what lies between them is never stored.
//
// Forward: convolution → bias → activation / max pooling. Backward: unpooling and activation derivative → the three
// gradients of a convolution → optimiser. Rows gathered for products with few units: the gather stands in each product's stage.
// A backend may run a stage's operations one after another; the result is the same.

import {
  type AnyOperation,
  inputsOf,
  isPlasticity,
  type Operation,
  outputsOf,
  type Plasticity,
  type Program,
  updatesOf,
} from "./program.ts";
import { ownerOf, type Tensor } from "./tensor.ts";

/** conv2d → addBias? → (activation | maxPool)*. */
export interface ConvolutionStage {
  readonly kind: "convolution";
  readonly convolution: Operation<"conv2d">;
  readonly bias?: Operation<"addBias">;
  readonly epilogue: readonly (Operation<"activation"> | Operation<"maxPool">)[];
}

/** (activationGradient | maxPoolGradient)* → biasGradient? conv2dWeightGradient? conv2dInputGradient? → (adam | sgd)*. */
export interface ConvolutionBackwardStage {
  readonly kind: "convolutionBackward";
  readonly routing: readonly (Operation<"activationGradient"> | Operation<"maxPoolGradient">)[];
  readonly bias?: Operation<"biasGradient">;
  readonly weight?: Operation<"conv2dWeightGradient">;
  readonly input?: Operation<"conv2dInputGradient">;
  readonly optimiser: readonly Plasticity[];
}

/** gatherRows? → linearWeightGradient → adam | sgd. */
export interface LinearUpdateStage {
  readonly kind: "linearUpdate";
  readonly gather?: Operation<"gatherRows">;
  readonly gradient: Operation<"linearWeightGradient">;
  readonly optimiser: Plasticity;
}

/** gatherRows → a product whose wide side is what was gathered. */
export interface GatheredStage {
  readonly kind: "gathered";
  readonly gather: Operation<"gatherRows">;
  readonly product: NarrowProduct;
}

/** The products that read the rows of `dy` where they stand, if there are few units on the other side. */
export type NarrowProduct = Operation<"linearInputGradient"> | Operation<"linearWeightGradient">;

/** Units up to which a product reads its wide side in place rather than pack it. */
const fewUnits = 32;

/** The operation, if it is a product with few units: w [c, o] of an input gradient, or x [n, c] of a weight gradient, with few c. */
export function narrowProduct(operation: AnyOperation): NarrowProduct | undefined {
  switch (operation.kind) {
    case "linearInputGradient":
      return (operation.inputs.w.shape[0] ?? 0) <= fewUnits ? operation : undefined;
    case "linearWeightGradient":
      return (operation.inputs.x.shape[1] ?? 0) <= fewUnits ? operation : undefined;
    default:
      return undefined;
  }
}

export interface SingleStage {
  readonly kind: "single";
  readonly operation: AnyOperation;
}

type Kinds = ConvolutionStage | ConvolutionBackwardStage | LinearUpdateStage | GatheredStage | SingleStage;

export type Stage = Kinds & {
  /** Every operation of the stage, in an order in which they may run. */
  readonly operations: readonly AnyOperation[];
  /** Tensors that only this stage writes and reads: they need no memory outside it. */
  readonly elided: ReadonlySet<Tensor>;
};

/** Cuts a program into stages that compute the same tensors in the same order of dependence. */
export function fuse(program: Program): Stage[] {
  const { operations } = program;
  const results = new Set(program.results.map(ownerOf));
  const readers = new Map<Tensor, AnyOperation[]>();
  for (const operation of operations)
    for (const tensor of [...inputsOf(operation), ...updatesOf(operation)]) {
      const list = readers.get(ownerOf(tensor)) ?? [];
      list.push(operation);
      readers.set(ownerOf(tensor), list);
    }
  const taken = new Set<AnyOperation>();
  const stages: Stage[] = [];

  /** A step tensor of its own memory that the host does not read. */
  const internal = (tensor: Tensor): boolean =>
    tensor.window === undefined && tensor.lifetime === "step" && !results.has(tensor);
  const readersOf = (tensor: Tensor): AnyOperation[] => readers.get(ownerOf(tensor)) ?? [];

  /** Gathers that are done anew in the stage of every reader, for all of these read the rows in place, out of what no operation changes. */
  const gathers = new Map<Tensor, Operation<"gatherRows">>();
  const changed = new Set(operations.flatMap(updatesOf).map(ownerOf));
  for (const operation of operations) {
    if (operation.kind !== "gatherRows") continue;
    const { y } = operation.outputs;
    const still = inputsOf(operation).every((tensor) => tensor.lifetime === "run" && !changed.has(ownerOf(tensor)));
    const narrow = readersOf(y).every(
      (reader) => narrowProduct(reader)?.inputs.dy === y && inputsOf(reader).filter((one) => one === y).length === 1,
    );
    if (still && narrow && internal(y) && readersOf(y).length > 0) gathers.set(y, operation);
  }

  /** May `operation` run right after the stage that starts at `start`, ahead of the operations in between? */
  function mayMoveUp(operation: AnyOperation, start: number, stage: readonly AnyOperation[]): boolean {
    const reads = new Set(inputsOf(operation).map(ownerOf));
    const writes = new Set([...outputsOf(operation), ...updatesOf(operation)].map(ownerOf));
    for (const between of operations.slice(start + 1, operations.indexOf(operation))) {
      if (stage.includes(between) || taken.has(between)) continue;
      const written = [...outputsOf(between), ...updatesOf(between)].map(ownerOf);
      if (written.some((tensor) => reads.has(tensor) || writes.has(tensor))) return false;
      if (inputsOf(between).some((tensor) => writes.has(ownerOf(tensor)))) return false;
    }
    return true;
  }

  function push(stage: Kinds): void {
    const members: AnyOperation[] =
      stage.kind === "convolution"
        ? [stage.convolution, ...(stage.bias ? [stage.bias] : []), ...stage.epilogue]
        : stage.kind === "convolutionBackward"
          ? [
              ...stage.routing,
              ...(stage.bias ? [stage.bias] : []),
              ...(stage.weight ? [stage.weight] : []),
              ...(stage.input ? [stage.input] : []),
              ...stage.optimiser,
            ]
          : stage.kind === "linearUpdate"
            ? [...(stage.gather ? [stage.gather] : []), stage.gradient, stage.optimiser]
            : stage.kind === "gathered"
              ? [stage.gather, stage.product]
              : [stage.operation];
    for (const member of members) taken.add(member);
    const elided = members
      .flatMap(outputsOf)
      .filter(
        (tensor) =>
          gathers.has(tensor) || (internal(tensor) && readersOf(tensor).every((reader) => members.includes(reader))),
      );
    // What nobody reads is still written by its own operation, unless it lies between two of the stage's operations.
    stages.push({
      ...stage,
      operations: members,
      elided: new Set(elided.filter((tensor) => readersOf(tensor).length > 0)),
    });
  }

  function forward(start: number, convolution: Operation<"conv2d">): ConvolutionStage {
    const members: AnyOperation[] = [convolution];
    let bias: Operation<"addBias"> | undefined;
    const epilogue: (Operation<"activation"> | Operation<"maxPool">)[] = [];
    let last: Tensor = convolution.outputs.y;
    for (;;) {
      const [next, ...others] = readersOf(last);
      if (next === undefined || others.length > 0 || !internal(last) || !mayMoveUp(next, start, members)) break;
      if (next.kind === "addBias" && bias === undefined && epilogue.length === 0) bias = next;
      else if (
        next.kind === "activation" ||
        (next.kind === "maxPool" && !epilogue.some(({ kind }) => kind === "maxPool"))
      )
        epilogue.push(next);
      else break;
      members.push(next);
      last = next.outputs.y;
    }
    return { kind: "convolution", convolution, ...(bias ? { bias } : {}), epilogue };
  }

  function backward(start: number, first: AnyOperation): ConvolutionBackwardStage | undefined {
    const members: AnyOperation[] = [];
    const routing: (Operation<"activationGradient"> | Operation<"maxPoolGradient">)[] = [];
    let next: AnyOperation | undefined = first;
    let dy: Tensor | undefined;
    while (next?.kind === "activationGradient" || next?.kind === "maxPoolGradient") {
      if (next.kind === "maxPoolGradient" && routing.some(({ kind }) => kind === "maxPoolGradient")) break;
      routing.push(next);
      members.push(next);
      dy = next.outputs.dx;
      const following: AnyOperation[] = readersOf(dy);
      if (!internal(dy)) break;
      next = following.length === 1 ? following[0] : undefined;
      if (next !== undefined && !mayMoveUp(next, start, members)) break;
    }
    // Only a whole chain that ends in a convolution's gradients is a stage; anything else stays single.
    dy ??= first.kind === "conv2dWeightGradient" || first.kind === "conv2dInputGradient" ? first.inputs.dy : undefined;
    if (dy === undefined) return undefined;
    const error = dy;
    if (routing.length > 0 && !internal(error)) return undefined;
    let bias: Operation<"biasGradient"> | undefined;
    let weight: Operation<"conv2dWeightGradient"> | undefined;
    let input: Operation<"conv2dInputGradient"> | undefined;
    for (const reader of readersOf(error)) {
      if (taken.has(reader) || inputsOf(reader).every((tensor) => tensor !== error)) continue;
      if (reader !== first && !mayMoveUp(reader, start, members)) continue;
      if (reader.kind === "biasGradient") bias ??= reader;
      else if (reader.kind === "conv2dWeightGradient" && reader.inputs.dy === error) weight ??= reader;
      else if (reader.kind === "conv2dInputGradient") input ??= reader;
      else continue;
      members.push(reader);
    }
    if (weight === undefined && input === undefined) return undefined;
    if (weight && input && !sameWindow(weight, input)) return undefined;
    // A stage makes the weight gradient first, so that must not read the input gradient's result.
    if (weight && input && ownerOf(weight.inputs.x) === ownerOf(input.outputs.dx)) return undefined;
    if (routing.length > 0 && readersOf(error).some((reader) => !members.includes(reader))) return undefined;
    const optimiser: Plasticity[] = [];
    for (const update of [weight?.outputs.dw, bias?.outputs.db]) {
      if (update === undefined || !internal(update)) continue;
      const [reader, ...others] = readersOf(update);
      if (reader && isPlasticity(reader) && others.length === 0 && mayMoveUp(reader, start, members)) {
        optimiser.push(reader);
        members.push(reader);
      }
    }
    return {
      kind: "convolutionBackward",
      routing,
      ...(bias ? { bias } : {}),
      ...(weight ? { weight } : {}),
      ...(input ? { input } : {}),
      optimiser,
    };
  }

  function linearUpdate(start: number, gradient: Operation<"linearWeightGradient">): LinearUpdateStage | undefined {
    const { dw } = gradient.outputs;
    const [optimiser, ...others] = readersOf(dw);
    if (optimiser === undefined || !isPlasticity(optimiser) || others.length > 0) return undefined;
    const gather = gathers.get(gradient.inputs.dy);
    return internal(dw) && mayMoveUp(optimiser, start, [gradient])
      ? { kind: "linearUpdate", ...(gather ? { gather } : {}), gradient, optimiser }
      : undefined;
  }

  function alone(operation: AnyOperation): GatheredStage | SingleStage {
    const product = narrowProduct(operation);
    const gather = product && gathers.get(product.inputs.dy);
    return product && gather ? { kind: "gathered", gather, product } : { kind: "single", operation };
  }

  for (const [i, operation] of operations.entries()) {
    if (taken.has(operation)) continue;
    switch (operation.kind) {
      case "conv2d":
        push(forward(i, operation));
        break;
      case "activationGradient":
      case "maxPoolGradient":
      case "conv2dWeightGradient":
      case "conv2dInputGradient":
        push(backward(i, operation) ?? { kind: "single", operation });
        break;
      case "linearWeightGradient":
        push(linearUpdate(i, operation) ?? alone(operation));
        break;
      case "gatherRows":
        if (!gathers.has(operation.outputs.y)) push(alone(operation));
        break;
      default:
        push(alone(operation));
    }
  }
  return stages;
}

function sameWindow(weight: Operation<"conv2dWeightGradient">, input: Operation<"conv2dInputGradient">): boolean {
  const [kh, kw] = weight.attributes.kernel;
  const w = input.inputs.w.shape;
  return (
    weight.attributes.stride === input.attributes.stride &&
    weight.attributes.padding === input.attributes.padding &&
    kh === w[0] &&
    kw === w[1] &&
    weight.inputs.x.shape[1] === input.attributes.height &&
    weight.inputs.x.shape[2] === input.attributes.width
  );
}
