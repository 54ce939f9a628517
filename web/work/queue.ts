// A worker's tasks one after another: an engine runs one program at a time, and a message may come at any.

export interface Queue {
  /** Does a task after all that were handed in before; what it throws goes to `failed`. */
  readonly add: (task: () => Promise<void>) => void;
}

export function createQueue(failed: (error: Error) => void): Queue {
  let last: Promise<void> = Promise.resolve();
  return {
    add: (task) => {
      last = last.then(breathe).then(task).catch(failed);
    },
  };
}

const { port1, port2 } = new MessageChannel();
const waiting: (() => void)[] = [];
port2.onmessage = () => waiting.shift()?.();

/** Lets messages in: awaiting an engine without threads never leaves the current task. Not a timer, which browsers slow down. */
function breathe(): Promise<void> {
  return new Promise((resolve) => {
    waiting.push(resolve);
    port1.postMessage(undefined);
  });
}
