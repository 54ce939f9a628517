// What often lies where a file of data should: recognised by its first bytes, since "damaged" would send its owner the wrong way.

const kinds: readonly (readonly [RegExp, string])[] = [
  [/^version https:\/\/git-lfs/, "a pointer of Git LFS; fetch what it stands for: git lfs pull"],
  [/^\s*<(!doctype|html|\?xml|svg)/i, "a page of HTML or XML; fetch the file again"],
];

/** What stands there, and what helps: `a pointer of Git LFS; fetch …`. */
export function standIn(bytes: Uint8Array): string | undefined {
  const start = Buffer.from(bytes.subarray(0, 64)).toString("latin1");
  return kinds.find(([known]) => known.test(start))?.[1];
}
