import puppeteer, { type Browser } from "puppeteer-core";

/** Headless Chromium of the system. */
export async function openBrowser(): Promise<Browser> {
  return await puppeteer.launch({
    executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
    // Tests often run as root, where Chromium has no sandbox; the page is the program's own.
    // On a busy machine.
    timeout: 120_000,
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
  });
}

/** What a reader can have. */
export interface View {
  readonly name: string;
  readonly width: number;
  readonly height: number;
  readonly scheme: "light" | "dark";
  /** Pixels of the screen for each pixel of the page. */
  readonly scale: number;
}

export const DESKTOP_LIGHT: View = {
  name: "light",
  width: 1200,
  height: 900,
  scheme: "light",
  scale: 1,
};
export const DESKTOP_DARK: View = {
  name: "dark",
  width: 1200,
  height: 900,
  scheme: "dark",
  scale: 1,
};
export const PHONE: View = { name: "phone", width: 390, height: 844, scheme: "dark", scale: 2 };
