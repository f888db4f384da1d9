import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** A CA made by openssl, and its certificates, in a folder. */
export class Authority {
  readonly cacert: string;
  readonly #folder: string;
  readonly #key: string;

  constructor(folder: string, name: string) {
    this.#folder = folder;
    this.cacert = join(folder, `${name}.pem`);
    this.#key = join(folder, `${name}.key`);
    openssl("req", "-x509", ...NEW_KEY, "-keyout", this.#key, "-out", this.cacert, ...of(name));
  }

  /** @param alt subject alternative name, such as `IP:127.0.0.1` */
  sign(name: string, alt: string): Certificate {
    const [cert, key, request, extensions] = ["pem", "key", "csr", "ext"].map((end) =>
      join(this.#folder, `${name}.${end}`),
    ) as [string, string, string, string];
    writeFileSync(extensions, `subjectAltName=${alt}\nextendedKeyUsage=serverAuth,clientAuth\n`);
    openssl("req", ...NEW_KEY, "-keyout", key, "-out", request, ...of(name));
    const authority = ["-CA", this.cacert, "-CAkey", this.#key, "-CAcreateserial"];
    openssl("x509", "-req", "-in", request, ...authority, "-out", cert, "-extfile", extensions);
    return { cert, key };
  }
}

const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

function of(name: string): string[] {
  return ["-subj", `/CN=${name}`];
}

function openssl(...args: string[]): void {
  execFileSync("openssl", args, { stdio: "pipe" });
}
