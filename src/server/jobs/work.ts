import type { CreateOptions } from "../../operations/create/create.js";
