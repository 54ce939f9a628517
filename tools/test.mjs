// `npm test`: installs what is missing and runs the whole gate, `npm run check`, under Node 24. Arguments go to vitest.
import { spawn } from "node:child_process";
import { install, root, run, say } from "./prepare.mjs";

await run(async () => {
  await install("1/2");
  say("2/2", "checking: format and lint, types, build, tests");
  const args = ["run", "--silent", "check", "--", ...process.argv.slice(2)];
  // npm puts node_modules/.bin, and with it Node 24, first on the path of its scripts.
  const child = spawn("npm", args, { cwd: root, stdio: "inherit", shell: process.platform === "win32" });
  child.on("exit", (code) => process.exit(code ?? 1));
});
