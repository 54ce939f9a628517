// saccade train --dry-run: what a run will take, printed, and no run made.

import type { ProbedSets } from "../../evaluation/memory.ts";
import { duration } from "../../program/duration.ts";
import { formatBytes, formatCount } from "../../program/explain.ts";
import {
  augmentedProbeFlops,
  type Evaluated,
  flopsPerStep,
  type Needs,
  type Room,
  timeSteps,
} from "../../runs/forecast.ts";
import type { Trainer } from "../../training/trainer.ts";

/** Seconds of steps that are timed. */
const budget = 5;

export async function printForecast(
  trainer: Trainer,
  needs: Needs,
  room: Room,
  probed: ProbedSets | undefined,
  evaluated: Evaluated | undefined,
  { json, runs }: { readonly json?: boolean; readonly runs: string },
): Promise<void> {
  const { totalSteps: steps, stepsPerEpoch } = trainer;
  const perStep = flopsPerStep(trainer);
  const readOut = probed ? augmentedProbeFlops(trainer.config, probed.train) : 0;
  const before = process.memoryUsage.rss();
  const time = await timeSteps(trainer, budget, evaluated);
  const memory = { ...needs.memory, peak: before + needs.memory.peak };
  if (json) {
    const flops = { perStep, total: perStep * steps, readOut };
    process.stdout.write(
      `${JSON.stringify({ steps, stepsPerEpoch, flops, time, memory, disk: needs.disk, free: room })}\n`,
    );
    return;
  }
  const free = (bytes: number | undefined): string => (bytes === undefined ? "" : `, ${formatBytes(bytes)} free`);
  const { checkpoints, metrics, events, figures, total } = needs.disk;
  const lines = [
    `steps    ${steps}, ${stepsPerEpoch} an epoch`,
    `FLOP     ${formatCount(perStep)} a step, ${formatCount(perStep * steps)} in all`,
    ...(readOut > 0
      ? [`         (and ${formatCount(readOut)} for the read-out, which learns from new crops in every epoch)`]
      : []),
    `time     ${duration(time.seconds)} ± ${duration(time.spread)} of training, if the machine stays as busy`,
    ...(evaluated ? [`         (of which ${duration(time.evaluating)} are evaluations on held-out labels)`] : []),
    `         (${time.stepsTimed} steps timed; plus checkpoints, figures and the probe)`,
    `memory   about ${formatBytes(memory.peak)} at its peak${free(room.memory)}`,
    `disk     ${formatBytes(total)} in ${runs}${free(room.disk)}`,
    `         (checkpoints ${formatBytes(checkpoints)}, metrics ${formatBytes(metrics + events)}, figures ${formatBytes(figures)})`,
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
}
