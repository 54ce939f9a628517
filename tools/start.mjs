// `npm start`: from a fresh clone to two rules trained and compared. Further arguments go to `saccade compare`.
import { spawn } from "node:child_process";
import { build, install, nodeProgram, root, run, say } from "./prepare.mjs";

// npm passes SIGTERM to its shell only, and that dies of it and leaves this process behind: then act as if it had come here.
if (process.env.npm_lifecycle_event === "start") {
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(watch);
    process.kill(process.pid, "SIGTERM");
  }, 200).unref();
}

const configs = ["configs/quickstart.yaml", "configs/plausible.yaml"];

await run(async () => {
  await install("1/3");
  await build("2/3");
  const args = ["dist/cli/main.js", "compare", ...configs, ...process.argv.slice(2)];
  say("3/3", `saccade ${args.slice(1).join(" ")}`);
  const child = spawn(nodeProgram(), args, { cwd: root, stdio: "inherit" });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    // A terminal sends Ctrl-C to every process in it, so the child has it already.
    process.on(signal, () => (signal === "SIGINT" && process.stdin.isTTY === true ? undefined : child.kill(signal)));
  }
  child.on("exit", (code, signal) => {
    if (signal === null) process.exit(code);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
});
