// A strict unpickler: reads what Python's pickle makes of dictionaries, lists, numbers, texts and NumPy arrays of bytes, and executes nothing.
//
// A pickle is a program for a small stack machine. Here it may name three things, numpy's `_reconstruct`, `ndarray` and `dtype`, which
// only ever become an array; any other name and any other instruction is refused.

import { SaccadeError } from "../../program/errors.ts";

/** An array of unsigned bytes, row-major. */
export class PickledArray {
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
  constructor(shape: readonly number[], bytes: Uint8Array) {
    this.shape = shape;
    this.bytes = bytes;
  }
}

/** Texts of Python 2 and bytes become strings of one character a byte, tuples become lists. */
export type Pickled = null | boolean | number | string | PickledArray | Pickled[] | Map<string, Pickled>;

/** What may stand on the stack beside values. */
type Item = Pickled | Mark | Name | Made;
class Mark {}
class Name {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}
/** What a call of a name made: an array's element type, or an array whose state BUILD brings. */
class Made {
  readonly of: "dtype" | "array";
  value: PickledArray | undefined;
  constructor(of: "dtype" | "array") {
    this.of = of;
  }
}

const names = [
  "numpy ndarray",
  "numpy dtype",
  "numpy.core.multiarray _reconstruct",
  "numpy._core.multiarray _reconstruct",
];

export function readPickle(bytes: Uint8Array, path: string): Pickled {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const stack: Item[] = [];
  const memo = new Map<number, Item>();
  let at = 0;

  function refuse(wanted: string, got: string): never {
    throw new SaccadeError(`${path}: ${wanted}, got ${got} at byte ${at}; fetch the file again`);
  }
  function take(count: number): number {
    if (!(count >= 0) || at + count > bytes.length)
      refuse(`a pickle of ${bytes.length} bytes must be whole`, "its end");
    at += count;
    return at - count;
  }
  const u8 = (): number => view.getUint8(take(1));
  const u32 = (): number => view.getUint32(take(4), true);
  function u64(): number {
    const value = view.getBigUint64(take(8), true);
    if (value > BigInt(bytes.length)) refuse("a length must fit the file", String(value));
    return Number(value);
  }
  function text(length: number): string {
    const start = take(length);
    return Buffer.from(bytes.buffer, bytes.byteOffset + start, length).toString("latin1");
  }
  function line(): string {
    const end = bytes.indexOf(0x0a, at);
    if (end < 0) refuse("a name must end in its line", "none");
    const result = text(end - at);
    at++;
    return result;
  }
  function pop(): Item {
    const item = stack.pop();
    if (item === undefined) refuse("an instruction must find its operand", "an empty stack");
    return item;
  }
  function asValue(item: Item): Pickled {
    if (item instanceof Mark) refuse("an operand must be a value", "a mark");
    if (item instanceof Name) return item.name;
    if (!(item instanceof Made)) return item;
    return item.of === "dtype" ? "u1" : (item.value ?? refuse("an array must have a state", "none"));
  }
  const popValue = (): Pickled => asValue(pop());
  function popToMark(): Pickled[] {
    const values: Pickled[] = [];
    for (let item = pop(); !(item instanceof Mark); item = pop()) values.push(asValue(item));
    return values.reverse();
  }
  function top(): Item {
    const item = stack.at(-1);
    if (item === undefined) refuse("an instruction must find its operand", "an empty stack");
    return item;
  }
  function list(): Pickled[] {
    const item = top();
    return Array.isArray(item) ? item : refuse("an instruction must find a list", "something else");
  }
  function dictionary(): Map<string, Pickled> {
    const item = top();
    return item instanceof Map ? item : refuse("an instruction must find a dictionary", "something else");
  }
  function name(module: string, attribute: string): void {
    const full = `${module} ${attribute}`;
    const shown = /^[\w. ]{1,80}$/.test(full) ? `${module}.${attribute}` : "something that is no name";
    if (!names.includes(full)) refuse("a pickle of pictures may only name NumPy's arrays", shown);
    stack.push(new Name(full.slice(full.indexOf(" ") + 1)));
  }
  function call(): void {
    const operands = popValue();
    const called = pop();
    if (!(called instanceof Name)) refuse("a call must be of a name", "a value");
    const type = Array.isArray(operands) ? operands[0] : null;
    if (called.name !== "dtype") stack.push(new Made("array"));
    else if (type === "u1" || type === "|u1") stack.push(new Made("dtype"));
    else
      refuse(
        "an array must be of unsigned bytes (u1)",
        typeof type === "string" && /^\w{1,9}$/.test(type) ? type : "another type",
      );
  }
  /** An array from its state: (version, shape, dtype, Fortran order, data). */
  function arrayOf(state: Pickled): PickledArray {
    const [, shape, type, fortran, data] = Array.isArray(state) ? state : [];
    if (!Array.isArray(shape) || !shape.every((extent) => typeof extent === "number" && extent >= 0))
      refuse("an array's shape must be of whole numbers", "something else");
    if (type !== "u1") refuse("an array must be of unsigned bytes (u1)", "another type");
    if (fortran !== false && fortran !== 0) refuse("an array must be in C order", "Fortran order");
    const size = (shape as number[]).reduce((product, extent) => product * extent, 1);
    if (typeof data !== "string" || data.length !== size)
      refuse(
        `an array of unsigned bytes [${shape.join(", ")}] must hold ${size} bytes`,
        typeof data === "string" ? String(data.length) : "none",
      );
    return new PickledArray(shape as number[], new Uint8Array(Buffer.from(data, "latin1")));
  }
  function build(): void {
    const state = popValue();
    const made = top();
    if (!(made instanceof Made)) refuse("an instruction must find an array or its type", "something else");
    // A type's state says the order of its bytes, and there is one.
    if (made.of === "array") made.value = arrayOf(state);
  }
  function setItems(map: Map<string, Pickled>, items: readonly Pickled[]): void {
    if (items.length % 2 !== 0) refuse("a dictionary must get keys and values", "a key alone");
    for (let i = 0; i < items.length; i += 2) {
      const key = items[i];
      if (typeof key !== "string") refuse("a key must be a text", typeof key);
      map.set(key, items[i + 1]);
    }
  }

  for (;;) {
    const opcode = u8();
    switch (String.fromCharCode(opcode)) {
      case "\x80": // PROTO
        if (u8() > 5) refuse("the protocol must be at most 5", "a later one");
        break;
      case "\x95": // FRAME
        u64();
        break;
      case ".": {
        const result = popValue();
        if (stack.length > 0) refuse("a pickle must end with one value", `${stack.length + 1}`);
        return result;
      }
      case "(":
        stack.push(new Mark());
        break;
      case "N":
        stack.push(null);
        break;
      case "\x88":
        stack.push(true);
        break;
      case "\x89":
        stack.push(false);
        break;
      case "K":
        stack.push(u8());
        break;
      case "M":
        stack.push(view.getUint16(take(2), true));
        break;
      case "J":
        stack.push(view.getInt32(take(4), true));
        break;
      case "U": // SHORT_BINSTRING
      case "C": // SHORT_BINBYTES
      case "\x8c": // SHORT_BINUNICODE
        stack.push(text(u8()));
        break;
      case "T": // BINSTRING
      case "B": // BINBYTES
      case "X": // BINUNICODE
        stack.push(text(u32()));
        break;
      case "\x8e": // BINBYTES8
      case "\x8d": // BINUNICODE8
        stack.push(text(u64()));
        break;
      case "}":
        stack.push(new Map());
        break;
      case "]":
        stack.push([]);
        break;
      case ")":
        stack.push([]);
        break;
      case "t":
        stack.push(popToMark());
        break;
      case "\x85":
        stack.push([popValue()]);
        break;
      case "\x86": {
        const second = popValue();
        stack.push([popValue(), second]);
        break;
      }
      case "\x87": {
        const [third, second] = [popValue(), popValue()];
        stack.push([popValue(), second, third]);
        break;
      }
      case "a": {
        const value = popValue();
        list().push(value);
        break;
      }
      case "e": {
        const values = popToMark();
        const to = list();
        for (const value of values) to.push(value);
        break;
      }
      case "s": {
        const value = popValue();
        const key = popValue();
        setItems(dictionary(), [key, value]);
        break;
      }
      case "u": {
        const items = popToMark();
        setItems(dictionary(), items);
        break;
      }
      case "q": // BINPUT
        memo.set(u8(), top());
        break;
      case "r": // LONG_BINPUT
        memo.set(u32(), top());
        break;
      case "\x94": // MEMOIZE
        memo.set(memo.size, top());
        break;
      case "h": // BINGET
      case "j": {
        const number = opcode === 0x68 ? u8() : u32();
        const item = memo.get(number);
        if (item === undefined) refuse("a reference must be to something before it", `number ${number}`);
        stack.push(item);
        break;
      }
      case "c":
        name(line(), line());
        break;
      case "\x93": {
        // STACK_GLOBAL
        const attribute = popValue();
        const module = popValue();
        name(String(module), String(attribute));
        break;
      }
      case "R":
        call();
        break;
      case "b":
        build();
        break;
      default:
        at--;
        refuse("a pickle of pictures must have plain data", `instruction 0x${opcode.toString(16).padStart(2, "0")}`);
    }
  }
}
