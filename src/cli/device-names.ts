// What --device may be.

export const deviceNames = ["wasm", "webgpu", "auto", "reference"] as const;

export type DeviceName = (typeof deviceNames)[number];

/** Whether a device computes with threads of this machine's cores. */
export const takesThreads = (device: string): boolean => device === "wasm" || device === "auto";
