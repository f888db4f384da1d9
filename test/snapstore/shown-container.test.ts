import test from "ava";
import { shownContainer } from "../../src/snapstore/shown-container.js";

const shown = (container: string) => shownContainer({ provider: "Rclone", container });

test("the parameters of an rclone remote are left out, and the path stays", (t) => {
  t.is(shown(":s3,access_key_id=a,secret_access_key=geheim:bucket/a:b"), ":s3,…:bucket/a:b");
  t.is(shown("remote,env_auth,pass=geheim:"), "remote,…:");
  t.is(shown(`:sftp,pass="ge:he""im,x",host='a:b''c':path`), ":sftp,…:path");
  t.is(shown(":http,url=:path"), ":http,…:path");
});

test("of parameters that have no end nothing is shown", (t) => {
  t.is(shown(":s3,pass=geheim"), ":s3,…");
  t.is(shown(`:s3,pass="x:geheim`), ":s3,…");
  t.is(shown(`:s3,pass="x"geheim:bucket`), ":s3,…");
});

test("other containers are shown as they are", (t) => {
  for (const container of ["remote:a,b=c:d", "remote:", ":local:/path"]) {
    t.is(shown(container), container);
  }
  t.is(shownContainer({ provider: "Local", container: "/a,b=c:d" }), "/a,b=c:d");
});
