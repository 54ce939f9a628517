// How fast this machine trains: a few steps of the CIFAR network on pictures of noise.

import { randomStream } from "../program/random.ts";
import { flopsPerStep, timeSteps } from "../runs/forecast.ts";
import { parseConfig } from "../training/parse-config.ts";
import { createTrainer } from "../training/trainer.ts";
import { type CommonOptions, openBackend } from "./options.ts";

/** Floating-point operations a second in steps of contrastive hinge under BP, on all threads. */
export async function trainingSpeed(options: CommonOptions): Promise<number> {
  const images = 64;
  const side = 32;
  const random = randomStream(0);
  const dataset = {
    name: "noise",
    pixels: Uint8Array.from({ length: images * side * side * 3 }, () => random.integer(256)),
    labels: new Int32Array(images),
    classes: ["noise"],
    count: images,
    height: side,
    width: side,
    channels: 3,
  } as const;
  const config = parseConfig(
    {
      name: "speed",
      data: { dataset: "procedural-objects" },
      encoder: "cifar",
      batch: images,
      epochs: 8,
      xrayEvery: 0,
    },
    "speed",
  );
  const backend = await openBackend(options);
  const trainer = await createTrainer({ config, dataset, backend });
  try {
    const perStep = flopsPerStep(trainer);
    const { secondsPerStep } = await timeSteps(trainer, 2);
    return perStep / secondsPerStep;
  } finally {
    await trainer.dispose();
  }
}
