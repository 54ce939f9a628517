// Every kernel of the WASM module: what this file exports, a launch can name.
export * from "./convolution";
export * from "./elementwise";
export * from "./inhibition";
export * from "./linear";
export * from "./loss";
export * from "./micro-kernels";
export * from "./narrow";
export * from "./optimiser";
export * from "./packing";
export * from "./pairs";
export * from "./pooling";
export * from "./transposed";
export * from "./views";
export * from "./winograd";

/** First byte that the module's own constants leave free. */
export function firstFreeByte(): usize {
  return __heap_base;
}
