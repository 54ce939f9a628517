// Parts (c) and (d): the same steps in PyTorch, and PyTorch fed the way the authors' code feeds it, taking turns with Saccade.

import { spawn, spawnSync } from "node:child_process";
import { availableParallelism } from "node:os";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { BenchDevice } from "./device.ts";
import { clock, interleave, type Timing } from "./measure.ts";
import { openStep } from "./steps.ts";
import { type BenchNetwork, batchOf, nameOf, type StepCase, stepCases, workloads } from "./workloads.ts";

export type TorchMode = "eager" | "channels-last" | "compile";

const python = "python3";
const script = (name: string): string => fileURLToPath(new URL(`../tools/peers/${name}.py`, import.meta.url));

/** Versions of PyTorch and torchvision, and the GPU that it sees where one is measured, or why there is no twin to measure beside. */
export function torchVersions({ name }: BenchDevice): { torch: string; torchvision: string } | { missing: string } {
  const asked =
    "import json, torch, torchvision; gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None; print(json.dumps([torch.__version__, torchvision.__version__, gpu]))";
  const { status, stdout, stderr, error } = spawnSync(python, ["-c", asked], { encoding: "utf8" });
  if (status !== 0)
    return { missing: error?.message ?? stderr.trim().split("\n").at(-1) ?? `${python} ended with ${status}` };
  const [torch, torchvision, gpu] = JSON.parse(stdout) as [string, string, string | null];
  if (name === "webgpu" && gpu === null) return { missing: `torch ${torch} sees no GPU` };
  return { torch: name === "webgpu" ? `${torch} on ${gpu}` : torch, torchvision };
}

/** What PyTorch is asked for beside a device: on a GPU it makes its views there, as Saccade does. */
const twinOf = ({ name }: BenchDevice): object => (name === "webgpu" ? { device: "cuda", augment: true } : {});

interface Peer {
  readonly ask: (request: object) => Promise<{ seconds: number[] }>;
  readonly end: () => void;
}

/** A Python process that answers one line of JSON with another. */
function openPeer(name: string): Peer {
  const child = spawn(python, [script(name), "--serve"], { stdio: ["pipe", "pipe", "pipe"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  let complaint = "";
  child.stderr.on("data", (text) => {
    complaint = `${complaint}${text}`.slice(-2000);
  });
  return {
    ask: async (request) => {
      child.stdin.write(`${JSON.stringify(request)}\n`);
      const { value, done } = await lines.next();
      if (done) throw new Error(`${name}.py ended: ${complaint.trim().split("\n").at(-1)}`);
      const answer = JSON.parse(value) as { seconds: number[] } | { error: string };
      if ("error" in answer) throw new Error(answer.error);
      return answer;
    },
    end: () => child.stdin.end(),
  };
}

export interface PeerTime {
  readonly step: StepCase;
  readonly batch: number;
  readonly threads: number;
  /** Augmentation included. */
  readonly saccade: Timing;
  /** On views that lie in memory, on a GPU on views that it makes itself; where a mode does not run here, the reason. */
  readonly torch: Readonly<Partial<Record<TorchMode, Timing | { readonly failed: string }>>>;
}

/** Rounds, and steps of each contender in a round. */
const turns: Readonly<Record<BenchNetwork, { readonly rounds: number; readonly steps: number }>> = {
  cifar: { rounds: 5, steps: 1 },
  vgg6: { rounds: 3, steps: 1 },
  mnist: { rounds: 3, steps: 5 },
};

/** Only backpropagation end to end has a twin in PyTorch. */
const peerCases = stepCases.filter(({ learning, update }) => learning === "E2E" && update === "BP");

export async function measurePeers(
  device: BenchDevice,
  networks: readonly BenchNetwork[],
  threads: number,
  quick: boolean,
  onCase: (name: string) => void,
): Promise<PeerTime[]> {
  const peer = openPeer("torch_step");
  const times: PeerTime[] = [];
  try {
    for (const step of peerCases.filter(({ network }) => networks.includes(network))) {
      onCase(nameOf(step));
      times.push(await measurePeer(device, peer, step, threads, quick));
    }
  } finally {
    peer.end();
  }
  return times;
}

async function measurePeer(
  device: BenchDevice,
  peer: Peer,
  step: StepCase,
  threads: number,
  quick: boolean,
): Promise<PeerTime> {
  const { network } = step;
  const batch = batchOf(network, quick);
  const { rounds, steps } = quick ? { rounds: 1, steps: 1 } : turns[network];
  const request = { network, images: batch, threads, margins: workloads[network].margins, ...twinOf(device) };
  const contenders: Partial<Record<"saccade" | TorchMode, () => Promise<readonly number[]>>> = {};
  const failures: Partial<Record<TorchMode, { failed: string }>> = {};
  const modes: readonly TorchMode[] = quick ? ["eager"] : ["eager", "channels-last", "compile"];
  for (const mode of modes) {
    try {
      // The first request of a mode builds and warms up.
      await peer.ask({ ...request, mode, steps: 0 });
      contenders[mode] = async () => (await peer.ask({ ...request, mode, steps })).seconds;
    } catch (error) {
      failures[mode] = { failed: (error as Error).message };
    }
  }
  const { trainer } = await openStep(device, step, batch, threads);
  try {
    await trainer.step();
    contenders.saccade = async () => {
      const seconds: number[] = [];
      for (let i = 0; i < steps; i++) seconds.push(await clock(trainer.step));
      return seconds;
    };
    const { saccade, ...torch } = await interleave(
      contenders as Record<"saccade" | TorchMode, () => Promise<number[]>>,
      rounds,
    );
    return { step, batch, threads, saccade, torch: { ...torch, ...failures } };
  } finally {
    await trainer.dispose();
  }
}

export interface FeedingTime {
  readonly batch: number;
  readonly batches: number;
  readonly threads: number;
  /** Processes of the DataLoader. */
  readonly workers: number;
  /** Images per second over whole epochs of `batches` batches, the first wait for data included. */
  readonly saccade: { readonly imagesPerSecond: number; readonly time: Timing };
  readonly torch: { readonly imagesPerSecond: number; readonly time: Timing };
}

/** CIFAR, augmentation A: an epoch of Saccade, an epoch of PyTorch with a DataLoader of `workers` processes, and again. */
export async function measureFeeding(device: BenchDevice, threads: number, quick: boolean): Promise<FeedingTime> {
  const step = peerCases[0];
  const batch = batchOf(step.network, quick);
  const batches = quick ? 2 : 5;
  const peer = openPeer("torch_feed");
  const { trainer } = await openStep(device, step, batch, threads);
  // Beside a GPU all cores may make views.
  const workers = device.name === "webgpu" && !quick ? availableParallelism() : 2;
  try {
    const request = {
      network: step.network,
      images: batch,
      threads,
      margins: workloads[step.network].margins,
      workers,
      ...(device.name === "webgpu" ? { device: "cuda" } : {}),
    };
    await peer.ask({ ...request, batches: 1 });
    await trainer.step();
    const epoch = async (): Promise<void> => {
      for (let i = 0; i < batches; i++) await trainer.step();
    };
    const { saccade, torch } = await interleave(
      {
        saccade: async () => [await clock(epoch)],
        torch: async () => (await peer.ask({ ...request, batches })).seconds,
      },
      quick ? 1 : 2,
    );
    const rate = (time: Timing) => ({ imagesPerSecond: (batch * batches) / time.median, time });
    return { batch, batches, threads, workers, saccade: rate(saccade), torch: rate(torch) };
  } finally {
    peer.end();
    await trainer.dispose();
  }
}
