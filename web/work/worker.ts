// The script of both workers; the first message says which of them this one is.

import { wasmBackend } from "../../src/backends/wasm/backend.ts";
import type { FromReader, FromTrainer, Role, ToReader, ToTrainer } from "../messages.ts";
import { readHere } from "./read.ts";
import { trainHere } from "./train.ts";

const scope = globalThis as unknown as Worker;

scope.onmessage = ({ data: { role, threads } }: MessageEvent<Role>) => {
  const backend = wasmBackend({ threads });
  const post = (message: FromTrainer | FromReader): void => scope.postMessage(message);
  if (role === "train") {
    const handle = trainHere(backend, post);
    scope.onmessage = ({ data }: MessageEvent<ToTrainer>) => handle(data);
  } else {
    const handle = readHere(backend, post);
    scope.onmessage = ({ data }: MessageEvent<ToReader>) => handle(data);
  }
};
