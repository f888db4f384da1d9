import { join } from "node:path";
import { LocalStore } from "../../src/snapstore/local.js";
import { newFolder } from "../support/folders.js";
import { conformance } from "./conformance.js";

const container = join(newFolder(), "store");

conformance("Local", async (prefix) => new LocalStore({ provider: "Local", container, prefix }));
