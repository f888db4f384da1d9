import type Inquirer from "inquirer";
import { InterruptedError } from "../../errors.js";
import type { Terminal } from "../process/terminal.js";
import { TypedLines } from "./typed-lines.js";

/** A question without color: inquirer prints a prefix before the message, so the first word is the prefix. */
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

/** Asks on standard error for lines, which are masked by `*`. All of them may be pasted at once. */
export function ask(questions: readonly string[], terminal: Terminal): Promise<string[]> {
  return asking(terminal, true, async (prompt) => {
    const answers: string[] = [];
    for (const words of questions) {
      const { answer } = await prompt()<{ answer: string }>([
        { type: "password", name: "answer", mask: "*", ...plain(words) },
      ]);
      answers.push(answer);
    }
    return answers;
  });
}

/** Asks on standard error for yes or no, with no as the default. A line that was typed before does not answer. */
export function confirm(words: string, terminal: Terminal): Promise<boolean> {
  return asking(terminal, false, async (prompt) => {
    const { answer } = await prompt()<{ answer: boolean }>([
      { type: "confirm", name: "answer", default: false, ...plain(words) },
    ]);
    return answer;
  });
}

type Prompt = ReturnType<typeof Inquirer.createPromptModule>;

/** @param keep whether lines that were typed before the questions answer them */
async function asking<T>(
  { stdin, stderr, signal }: Terminal,
  keep: boolean,
  run: (prompt: () => Prompt) => Promise<T>,
): Promise<T> {
  // First, so that nothing that is typed meanwhile is echoed.
  const lines = TypedLines.open(stdin, keep);
  try {
    // Loading it takes 100 ms, and most runs ask nothing.
    const { default: inquirer } = await import("inquirer");
    return await run(() => {
      const closed = new AbortController();
      return inquirer.createPromptModule({
        input: lines.next(() => closed.abort()),
        output: stderr,
        signal: AbortSignal.any([signal, closed.signal]),
      });
    });
  } catch (cause) {
    if (cause instanceof Error && /ExitPromptError|AbortPromptError/.test(cause.name)) {
      throw new InterruptedError("interrupted at the prompt", { cause });
    }
    throw cause;
  } finally {
    lines.close();
  }
}
