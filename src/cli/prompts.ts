import type Inquirer from "inquirer";
import { InterruptedError } from "../errors.js";
import type { Terminal } from "./terminal.js";

/** inquirer puts its prefix before the words; here the first word is the prefix, and all is plain. */
function plain(words: string) {
  const [prefix = "", ...rest] = words.split(" ");
  const same = (text: string): string => text;
  return {
    message: rest.join(" "),
    theme: {
      prefix,
      style: { message: same, answer: same, defaultAnswer: (text: string) => `(${text})` },
    },
  };
}

/** Asks on standard error for a line that is shown as `*`. */
export function ask(words: string, terminal: Terminal): Promise<string> {
  return answer(terminal, (prompt) =>
    prompt<{ answer: string }>([{ type: "password", name: "answer", mask: "*", ...plain(words) }]),
  );
}

/** Asks on standard error for yes or no; no is the default. */
export function confirm(words: string, terminal: Terminal): Promise<boolean> {
  return answer(terminal, (prompt) =>
    prompt<{ answer: boolean }>([
      { type: "confirm", name: "answer", default: false, ...plain(words) },
    ]),
  );
}

type Prompt = ReturnType<typeof Inquirer.createPromptModule>;

async function answer<T>(
  { stdin, stderr, signal }: Terminal,
  run: (prompt: Prompt) => Promise<{ answer: T }>,
): Promise<T> {
  // It takes 100 ms to load, which most runs need not wait for.
  const { default: inquirer } = await import("inquirer");
  try {
    return (await run(inquirer.createPromptModule({ input: stdin, output: stderr, signal })))
      .answer;
  } catch (cause) {
    if (cause instanceof Error && /ExitPromptError|AbortPromptError/.test(cause.name)) {
      throw new InterruptedError("interrupted at the prompt", { cause });
    }
    throw cause;
  }
}
