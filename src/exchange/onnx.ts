// An encoder as an ONNX model (opset 13): pictures [n, c, h, w] in, the output of every block and the features of the last out.

import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { pictures } from "../encoders/encoder.ts";
import { createModel } from "../encoders/model.ts";
import { type NetworkName, networkNamed } from "../encoders/networks.ts";
import type { ActivationKind } from "../program/operations.ts";
import { type Array32, toTorch } from "../training/torch-layout.ts";

export interface OnnxEncoder {
  readonly network: NetworkName;
  /** Synapses by name, in the layout of the programs. */
  readonly weights: ReadonlyMap<string, Float32Array>;
  /** What pixel values 0 and 255 were in training. */
  readonly valueRange: readonly [number, number];
  /** Where it comes from. */
  readonly about: string;
}

/** A message of the format: its fields by number (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto). */
type Field = string | number | Uint8Array | Message | readonly Field[];
interface Message {
  readonly [field: number]: Field;
}

const float = 1;
const maker = { version: 1, opset: 13, irVersion: 7 };

/**
 * Inputs `pictures`, [n, c, h, w]; outputs `features`, [n, d] with channels first as in PyTorch's flatten, and one named after each block.
 */
export function encodeOnnx({ network, weights, valueRange, about }: OnnxEncoder): Uint8Array {
  const { encoder, blocks } = createModel(networkNamed("onnx", network));
  const { channels, height, width, head } = encoder;
  const nodes: Message[] = [];
  const clips = encoder.blocks.some(({ after }) => after.includes("hardtanh"));
  const initializers: Message[] = clips ? [scalar("low", -1), scalar("high", 1)] : [];
  const outputs: Message[] = [];
  const shapes = pictures(encoder);
  /** Writes down an operation and returns the name of its result. */
  const node = (operation: string, inputs: readonly string[], output: string, attributes: readonly Message[] = []) => {
    nodes.push({ 1: inputs, 2: [output], 3: output, 4: operation, 5: attributes });
    return output;
  };
  const activate: Record<ActivationKind, (x: string, y: string) => string> = {
    hardtanh: (x, y) => node("Clip", [x, "low", "high"], y),
    tanh: (x, y) => node("Tanh", [x], y),
    relu: (x, y) => node("Relu", [x], y),
  };
  const pool = (operation: string, x: string, size: number, y: string): string =>
    node(operation, [x], y, [integers("kernel_shape", [size, size]), integers("strides", [size, size])]);

  let value = "pictures";
  for (const [i, { name, kernel, stride, padding, after }] of encoder.blocks.entries()) {
    const synapses = [blocks[i].weight, ...(blocks[i].bias ? [blocks[i].bias] : [])];
    for (const { name: of, shape } of synapses) {
      const data = weights.get(of);
      if (data === undefined) throw new Error(`onnx: no numbers for ${of}`);
      initializers.push(tensor(of, toTorch({ shape, data })));
    }
    const inputs = [value, ...synapses.map(({ name: of }) => of)];
    // The block's last step has the block's name.
    const named = (step: number, operation: string): string => (step === after.length ? name : `${name}.${operation}`);
    value = node("Conv", inputs, named(0, "convolution"), [
      integers("kernel_shape", [kernel, kernel]),
      integers("pads", [padding, padding, padding, padding]),
      integers("strides", [stride, stride]),
    ]);
    for (const [step, kind] of after.entries()) {
      const y = named(step + 1, kind);
      value = kind === "maxPool" ? pool("MaxPool", value, 2, y) : activate[kind](value, y);
    }
    const [h, w, c] = shapes[i + 1];
    outputs.push(valueInfo(name, ["n", c, h, w]));
  }
  if (head.averagePool > 1) value = pool("AveragePool", value, head.averagePool, "pooled");
  node("Flatten", [value], "features");
  const [h, w, c] = shapes[shapes.length - 1].map((extent, i) =>
    i < 2 ? Math.floor(extent / head.averagePool) : extent,
  );

  const [low, high] = valueRange;
  const means = `pictures [n, ${channels}, ${height}, ${width}]${channels === 3 ? " in red, green, blue" : ""}; pixel value 0 is ${low}, 255 is ${high}`;
  const graph: Message = {
    1: nodes,
    2: network,
    5: initializers,
    11: [{ ...valueInfo("pictures", ["n", channels, height, width]), 3: means }],
    12: [
      { ...valueInfo("features", ["n", c * h * w]), 3: "the last block's output, flattened; channels first" },
      ...outputs,
    ],
  };
  const facts = { network, valueRange: JSON.stringify(valueRange) };
  return encode({
    1: maker.irVersion,
    2: "saccade",
    6: `${about}; ${means}`,
    7: graph,
    8: [{ 1: "", 2: maker.opset }],
    14: Object.entries(facts).map(([key, text]) => ({ 1: key, 2: text })),
  });
}

const integers = (name: string, values: readonly number[]): Message => ({ 1: name, 8: values, 20: 7 });

const tensor = (name: string, { shape, data }: Array32): Message => ({
  1: shape,
  2: float,
  8: name,
  9: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
});

const scalar = (name: string, value: number): Message => tensor(name, { shape: [], data: Float32Array.of(value) });

const valueInfo = (name: string, shape: readonly (string | number)[]): Message => ({
  1: name,
  2: { 1: { 1: float, 2: { 1: shape.map((extent) => (typeof extent === "string" ? { 2: extent } : { 1: extent })) } } },
});

/** Fields in ascending order; a list is its field as often as it has members, as ONNX's numbers are not packed. */
function encode(message: Message): Uint8Array {
  const writer = new BinaryWriter();
  const write = (number: number, field: Field): void => {
    if (Array.isArray(field)) for (const one of field) write(number, one);
    else if (typeof field === "number") writer.tag(number, WireType.Varint).int64(field);
    else if (typeof field === "string") writer.tag(number, WireType.LengthDelimited).string(field);
    else
      writer
        .tag(number, WireType.LengthDelimited)
        .bytes(field instanceof Uint8Array ? field : encode(field as Message));
  };
  for (const [number, field] of Object.entries(message)) write(Number(number), field);
  return writer.finish();
}
