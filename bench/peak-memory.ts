// A process of its own that trains the CIFAR step and prints what it took: `node bench/peak-memory.ts BATCH STEPS`. Part (e) starts it.

import { wasmDevice } from "./device.ts";
import { openStep } from "./steps.ts";
import { stepCases } from "./workloads.ts";

const [batch, steps] = process.argv.slice(2).map(Number);
const { trainer, engineBytes } = await openStep(wasmDevice, stepCases[0], batch, 2);
for (let i = 0; i < steps; i++) await trainer.step();
await trainer.dispose();
process.stdout.write(`${JSON.stringify({ peakBytes: process.resourceUsage().maxRSS * 1024, engineBytes })}\n`);
