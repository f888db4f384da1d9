import { quoted } from "../../quoted.js";
import type { SwiftAuth, SwiftConfig } from "../config.js";
import {
  type CredentialFields,
  certificate,
  credentialFields,
  variableFields,
} from "../settings/credential-fields.js";
import type { StoreEnvironment } from "../settings/roles.js";

const FIELDS = [
  "authURL",
  "domainName",
  "username",
  "password",
  "tenantName",
  "region",
  "bucketName",
  "applicationCredentialID",
  "applicationCredentialName",
  "applicationCredentialSecret",
  "userDomainName",
  "projectDomainName",
  "projectName",
  "trustedCaCert",
  "insecureSkipVerify",
];

/** OpenStack Swift or a compatible server. */
export function swiftSettings(
  env: StoreEnvironment,
  override: string | undefined,
): Omit<SwiftConfig, "provider" | "container" | "prefix"> {
  const v1 = variableFields(env, { authURL: "ST_AUTH", username: "ST_USER", password: "ST_KEY" });
  const file = credentialFields(env, "OPENSTACK_APPLICATION_CREDENTIALS", FIELDS);
  const fields = file ?? (v1.text("authURL") === undefined ? openStackVariables(env) : v1);
  if (fields.text("authURL") === undefined) {
    const variable = env.nameOf("OPENSTACK_APPLICATION_CREDENTIALS_JSON");
    throw fields.lacking("authURL", `or set ${variable} to a file with it`);
  }
  checkInterface(fields, override);
  return {
    auth: authOf(fields),
    region: fields.text("region"),
    endpoint: fields.endpointUrl(override),
    caCertificate: certificate(fields),
    insecureSkipVerify: fields.toggle("insecureSkipVerify"),
  };
}

function openStackVariables(env: StoreEnvironment): CredentialFields {
  return variableFields(env, {
    authURL: "OS_AUTH_URL",
    username: "OS_USERNAME",
    password: "OS_PASSWORD",
    domainName: "OS_DOMAIN_NAME",
    userDomainName: "OS_USER_DOMAIN_NAME",
    projectDomainName: "OS_PROJECT_DOMAIN_NAME",
    tenantName: "OS_TENANT_NAME",
    projectName: "OS_PROJECT_NAME",
    region: "OS_REGION_NAME",
    applicationCredentialID: "OS_APPLICATION_CREDENTIAL_ID",
    applicationCredentialName: "OS_APPLICATION_CREDENTIAL_NAME",
    applicationCredentialSecret: "OS_APPLICATION_CREDENTIAL_SECRET",
    trustedCaCert: "OS_CACERT",
    userDomainID: "OS_USER_DOMAIN_ID",
    projectDomainID: "OS_PROJECT_DOMAIN_ID",
    interface: "OS_INTERFACE",
  });
}

/** Only public endpoints of the catalog are supported, which most openrc files select. @throws UsageError */
function checkInterface(fields: CredentialFields, override: string | undefined): void {
  const wanted = fields.text("interface") ?? "public";
  if (override === undefined && !/^public(URL)?$/i.test(wanted)) {
    const why = `is ${quoted(wanted)}, and only public endpoints are supported`;
    throw fields.wrong("interface", why, "set the endpoint");
  }
}

/** The name of a domain. The only supported id is `default`, which every Keystone has. */
function domainOf(fields: CredentialFields, which: "userDomain" | "projectDomain"): string {
  const name = fields.text(`${which}Name`) ?? fields.text("domainName");
  const id = fields.text(`${which}ID`);
  if (name !== undefined) return name;
  if (id !== undefined && id !== "default") {
    const hint = `set ${fields.nameOf(`${which}Name`)}`;
    throw fields.wrong(`${which}ID`, "is an id, and only domain names are supported", hint);
  }
  return "Default";
}

function authOf(fields: CredentialFields): SwiftAuth {
  const url = fields.endpointUrl(fields.required("authURL"));
  // The v1 protocol: https://host/auth/v1.0.
  if (/\/v1(\.0)?$/.test(url)) {
    return {
      kind: "v1",
      url,
      user: fields.required("username"),
      key: fields.required("password"),
    };
  }
  const secret = fields.text("applicationCredentialSecret");
  if (secret !== undefined) return applicationCredential(fields, url, secret);
  return {
    kind: "v3-password",
    url,
    user: fields.required("username"),
    password: fields.required("password"),
    userDomain: domainOf(fields, "userDomain"),
    project: fields.text("projectName") ?? fields.required("tenantName"),
    projectDomain: domainOf(fields, "projectDomain"),
  };
}

function applicationCredential(fields: CredentialFields, url: string, secret: string): SwiftAuth {
  const kind = "v3-application-credential";
  const id = fields.text("applicationCredentialID");
  if (id !== undefined) return { kind, url, id, secret };
  // A name is only unique for its user.
  return {
    kind,
    url,
    name: fields.required("applicationCredentialName"),
    user: fields.required("username"),
    userDomain: domainOf(fields, "userDomain"),
    secret,
  };
}
