// WebGPU in a page: every operation held against the float64 reference there, and a training run.

import { referenceBackend } from "../../../src/backends/reference/backend.ts";
import { webgpuBackend } from "../../../src/backends/webgpu/backend.ts";
import { evaluateCase, recordCases } from "../../support/operation-cases.ts";
import { compare } from "../../support/tolerances.ts";
import { layerwise, type Trained, trainOn } from "./training.ts";

/** The adapter's name, or why there is none. */
export async function webgpuHere(): Promise<{ readonly description: string } | { readonly obstacle: string }> {
  if (!navigator.gpu) return { obstacle: "the page has no navigator.gpu" };
  try {
    return { description: (await webgpuBackend(navigator.gpu)).description };
  } catch (error) {
    return { obstacle: String(error) };
  }
}

/** Every operation once: `equal` by kind, or where it is not. */
export async function conformance(): Promise<Record<string, string>> {
  const recorded = recordCases(1);
  const programs = recorded.map(({ program }) => program);
  const engine = await (await webgpuBackend(navigator.gpu)).prepare(programs);
  const oracle = await referenceBackend.prepare(programs);
  const said: Record<string, string> = {};
  for (const entry of recorded) {
    const { kind, terms, read } = entry;
    const [got, wanted] = [await evaluateCase(engine, entry), await evaluateCase(oracle, entry)];
    const sentences = read.map((tensor, i) => compare(got[i], wanted[i], { kind, terms, what: tensor.name }));
    said[kind] = sentences.find((sentence) => sentence !== "equal") ?? "equal";
  }
  await engine.dispose();
  return said;
}

export const trainWebgpu = async (): Promise<Trained> => trainOn(await webgpuBackend(navigator.gpu), layerwise);
